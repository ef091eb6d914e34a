"""What hotw_svc consumes: events of other services' resources, and its commands."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from services.hotw_svc.app.ports import Commands, InputKind
from shared.durability.read_model import Snapshot
from shared.messaging.commands import Command, CommandSubscription
from shared.messaging.subscription import Received, Subscribed, Subscription, bulk
from shared.schemas.event_svc import EventSnapshot
from shared.schemas.fleet_svc import FleetSnapshot, InventoryReported, ProjectionSnapshot, ServiceSnapshot
from shared.schemas.hotw_svc import CancelRun, ExecuteFleet, ReportDelivery, ReviewOrder, StartRun
from shared.trace import Trace

OnInputsChanged = Callable[[InputKind, Sequence[Snapshot]], Awaitable[None]]
OnEventChanged = Callable[[Snapshot, Trace], Awaitable[None]]
_Resource = EventSnapshot | ServiceSnapshot | FleetSnapshot | ProjectionSnapshot


def subscriptions(
    commands: Commands, *, on_inputs_changed: OnInputsChanged, on_event_changed: OnEventChanged
) -> list[Subscribed]:
    """All of them. Events have a group of their own, because a changed event may move many order books."""

    async def events(batch: Sequence[Received[EventSnapshot]]) -> None:
        for received in batch:
            await on_event_changed(_snapshot(received), received.effect)

    async def services(batch: Sequence[Received[ServiceSnapshot]]) -> None:
        await on_inputs_changed(InputKind.SERVICE, [_snapshot(received) for received in batch])

    async def fleets(batch: Sequence[Received[FleetSnapshot]]) -> None:
        await on_inputs_changed(InputKind.FLEET, [_snapshot(received) for received in batch])

    async def projections(batch: Sequence[Received[ProjectionSnapshot]]) -> None:
        await on_inputs_changed(InputKind.PROJECTION, [_snapshot(received) for received in batch])

    async def inventories(batch: Sequence[Received[InventoryReported]]) -> None:
        await on_inputs_changed(InputKind.INVENTORY, [_inventory(received) for received in batch])

    return [
        Subscription("hotw_svc.events", bulk(EventSnapshot, _changes("event"), events)),
        Subscription(
            "hotw_svc.inputs",
            bulk(ServiceSnapshot, _changes("service"), services),
            bulk(FleetSnapshot, _changes("fleet"), fleets),
            bulk(ProjectionSnapshot, _changes("projection"), projections),
            bulk(InventoryReported, ["fleet.inventory.reported"], inventories),
        ),
        CommandSubscription("hotw.commands", _commands(commands)),
    ]


def _changes(resource: str) -> list[str]:
    return [f"{resource}.{verb}" for verb in ("created", "updated", "deleted")]


def _snapshot(received: Received[_Resource]) -> Snapshot:
    return received.message.key, received.data.version_id, received.message.body()


def _inventory(received: Received[InventoryReported]) -> Snapshot:
    """An inventory has no VersionId; a later AsOf is the newer one."""
    return received.message.key, int(received.data.as_of.timestamp() * 1000), received.message.body()


def _commands(commands: Commands) -> list[Command[Any]]:
    return [
        Command(StartRun, commands.start_run, "hotw.run.start", conditional=False),
        Command(CancelRun, commands.cancel_run, "hotw.run.cancel", conditional=False),
        Command(ExecuteFleet, commands.execute_fleet, "hotw.fleet.execute", conditional=False),
        Command(ReviewOrder, commands.review_order, "hotw.order.review", conditional=False),
        Command(ReportDelivery, commands.report_delivery, "hotw.delivery.report", conditional=False),
    ]
