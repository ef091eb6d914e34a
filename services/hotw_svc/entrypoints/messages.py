"""What hotw_svc consumes: events of other services' resources, and its commands."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Protocol

from services.hotw_svc.app.ports import Commands, Snapshot
from shared.messaging.commands import Command, CommandSubscription
from shared.messaging.subscription import Received, Subscribed, Subscription, bulk
from shared.schemas.base import WireModel
from shared.schemas.hotw_svc import CancelRun, ExecuteFleet, ReportDelivery, ReviewOrder, StartRun
from shared.trace import Trace

__all__ = ["subscriptions"]

_INVENTORY: Final = "fleet.inventory.reported"
_EVENTS: Final = ("event.created", "event.updated", "event.deleted")
_REPLICAS: Final = (
    *(f"{name}.{verb}" for name in ("service", "fleet", "projection") for verb in ("created", "updated", "deleted")),
    _INVENTORY,
)


class OnInputsChanged(Protocol):
    async def __call__(self, resource: str, snapshots: Sequence[Snapshot]) -> set[str]: ...


class OnEventsChanged(Protocol):
    async def __call__(self, snapshots: Sequence[Snapshot], *, trace: Trace) -> set[str]: ...


def subscriptions(
    commands: Commands, *, on_inputs_changed: OnInputsChanged, on_events_changed: OnEventsChanged
) -> list[Subscribed]:
    """All of them. Events have a group of their own, because a changed event may move many order books."""

    async def events(batch: Sequence[Received[WireModel]]) -> None:
        for received in batch:
            await on_events_changed([_snapshot(received)], trace=received.effect)

    async def inputs(batch: Sequence[Received[WireModel]]) -> None:
        by_resource: dict[str, list[Snapshot]] = {}
        for received in batch:
            topic = received.message.topic
            resource = "inventory" if topic == _INVENTORY else topic.partition(".")[0]
            by_resource.setdefault(resource, []).append(_snapshot(received))
        for resource, snapshots in by_resource.items():
            await on_inputs_changed(resource, snapshots)

    return [
        Subscription("hotw_svc.events", bulk(WireModel, _EVENTS, events)),
        Subscription("hotw_svc.replicas", bulk(WireModel, _REPLICAS, inputs)),
        CommandSubscription("hotw.commands", _commands(commands)),
    ]


def _snapshot(received: Received[WireModel]) -> Snapshot:
    message, body = received.message, received.message.body()
    deleted = message.topic.endswith(".deleted") or body.get("Deleted") is True
    return Snapshot(message.key, int(body.get("VersionId", 0)), body, message.data.decode(), deleted)


def _commands(commands: Commands) -> list[Command[Any]]:
    return [
        Command(StartRun, commands.start_run, "hotw.run.start", conditional=False),
        Command(CancelRun, commands.cancel_run, "hotw.run.cancel", conditional=False),
        Command(ExecuteFleet, commands.execute_fleet, "hotw.fleet.execute", conditional=False),
        Command(ReviewOrder, commands.review_order, "hotw.order.review", conditional=False),
        Command(ReportDelivery, commands.report_delivery, "hotw.delivery.report", conditional=False),
    ]
