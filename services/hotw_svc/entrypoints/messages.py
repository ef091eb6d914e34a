"""Owns what hotw_svc consumes: others' snapshots into its replicas, and the commands that ask something of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

from services.hotw_svc.app import UseCases
from services.hotw_svc.app.ports import Snapshot
from shared.cause import Cause
from shared.clock import Clock
from shared.messaging.commands import Command, CommandSubscription
from shared.messaging.subscription import Received, Subscribed, Subscription, bulk
from shared.schemas.base import CommandBody, WireModel
from shared.schemas.hotw_svc import CancelRun, ExecuteFleet, ReportDelivery, ReviewOrder, StartRun
from shared.schemas.results import Accepted

__all__ = ["subscriptions"]

_INVENTORY: Final = "fleet.inventory.reported"
_EVENTS: Final = ("event.created", "event.updated", "event.deleted")
_REPLICAS: Final = (
    *(f"{name}.{verb}" for name in ("service", "fleet", "projection") for verb in ("created", "updated", "deleted")),
    _INVENTORY,
)


def subscriptions(use_cases: UseCases, clock: Clock) -> list[Subscribed]:
    """All of them; events under a group of their own, since a changed one may move many books."""

    async def keep_events(batch: Sequence[Received[WireModel]]) -> None:
        for received in batch:
            trace = received.effect
            await use_cases.keep_replicas("event", [_snapshot(received)], trace)

    async def keep(batch: Sequence[Received[WireModel]]) -> None:
        by_resource: dict[str, list[Snapshot]] = {}
        for received in batch:
            topic = received.message.topic
            resource = "inventory" if topic == _INVENTORY else topic.partition(".")[0]
            by_resource.setdefault(resource, []).append(_snapshot(received))
        for resource, snapshots in by_resource.items():
            await use_cases.keep_replicas(resource, snapshots)

    return [
        Subscription("hotw_svc.events", bulk(WireModel, _EVENTS, keep_events)),
        Subscription("hotw_svc.replicas", bulk(WireModel, _REPLICAS, keep)),
        CommandSubscription("hotw.commands", _commands(use_cases)),
    ]


def _snapshot(received: Received[WireModel]) -> Snapshot:
    message, body = received.message, received.message.body()
    deleted = message.topic.endswith(".deleted") or body.get("Deleted") is True
    return Snapshot(message.key, int(body.get("VersionId", 0)), body, message.data.decode(), deleted)


def _commands(use_cases: UseCases) -> list[Command[Any]]:
    def command(
        model: type[CommandBody], use_case: Callable[[Any, Cause], Awaitable[dict[str, Any]]], action: str, id: str
    ) -> Command[Any]:
        async def asked(command: CommandBody, cause: Cause) -> Accepted:
            answer = await use_case(command, cause)
            return Accepted(str(answer[id]))

        return Command(model, asked, action, conditional=False)

    return [
        command(StartRun, use_cases.start_run, "hotw.run.start", "RunId"),
        command(CancelRun, use_cases.cancel_run, "hotw.run.cancel", "RunId"),
        command(ExecuteFleet, use_cases.execute_fleet, "hotw.fleet.execute", "ExecutionId"),
        command(ReviewOrder, use_cases.review_order, "hotw.order.review", "FulfillmentId"),
        command(ReportDelivery, use_cases.report_delivery, "hotw.delivery.report", "FulfillmentId"),
    ]
