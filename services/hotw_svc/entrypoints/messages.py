"""Owns what hotw_svc consumes: others' snapshots into its replicas, and the commands that ask something of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final

from services.hotw_svc.app import UseCases
from services.hotw_svc.app.ports import Snapshot
from shared.cause import Cause
from shared.clock import Clock
from shared.messaging.subscription import (
    Answered,
    Command,
    CommandSubscription,
    Received,
    Subscribed,
    Subscription,
    bulk,
)
from shared.resources import unconditional
from shared.schemas.base import WireModel
from shared.schemas.hotw_svc import CancelRun, ExecuteFleet, ReportDelivery, ReviewOrder, StartRun
from shared.web import reason_of

__all__ = ["subscriptions"]

_INVENTORY: Final = "fleet.inventory.reported"
_EVENTS: Final = ("event.created", "event.updated", "event.deleted")
_REPLICAS: Final = (
    *(f"{name}.{verb}" for name in ("service", "fleet", "projection") for verb in ("created", "updated", "deleted")),
    _INVENTORY,
)


def subscriptions(use_cases: UseCases, clock: Clock) -> list[Subscribed]:
    """All of them; events under a group of their own, since a changed one may move many books."""

    async def keep_events(batch: Sequence[Received]) -> None:
        for received in batch:
            trace = received.message.trace.caused_by(received.message.id)
            await use_cases.keep_replicas("event", [_snapshot(received)], trace)

    async def keep(batch: Sequence[Received]) -> None:
        by_resource: dict[str, list[Snapshot]] = {}
        for received in batch:
            topic = received.message.topic
            resource = "inventory" if topic == _INVENTORY else topic.partition(".")[0]
            by_resource.setdefault(resource, []).append(_snapshot(received))
        for resource, snapshots in by_resource.items():
            await use_cases.keep_replicas(resource, snapshots)

    return [
        Subscription("hotw_svc.events", _EVENTS, bulk(keep_events)),
        Subscription("hotw_svc.replicas", _REPLICAS, bulk(keep)),
        CommandSubscription("hotw.commands", _commands(use_cases, clock)),
    ]


def _snapshot(received: Received) -> Snapshot:
    message, body = received.message, received.body
    deleted = message.topic.endswith(".deleted") or body.get("Deleted") is True
    return Snapshot(message.key, int(body.get("VersionId", 0)), body, message.data.decode(), deleted)


def _commands(use_cases: UseCases, clock: Clock) -> Mapping[str, Command]:
    def command(
        model: type[WireModel], use_case: Callable[[Any, Cause], Awaitable[dict[str, Any]]], id: str
    ) -> Command:
        async def asked(received: Received) -> Answered:
            reason_of(received.body)
            unconditional(received)
            answer = await use_case(received.data, received.cause(clock))
            return Answered(str(answer[id]))

        return Command(model, asked)

    return {
        "StartRun": command(StartRun, use_cases.start_run, "RunId"),
        "CancelRun": command(CancelRun, use_cases.cancel_run, "RunId"),
        "ExecuteFleet": command(ExecuteFleet, use_cases.execute_fleet, "ExecutionId"),
        "ReviewOrder": command(ReviewOrder, use_cases.review_order, "FulfillmentId"),
        "ReportDelivery": command(ReportDelivery, use_cases.report_delivery, "FulfillmentId"),
    }
