"""The message side of fleets: the commands of fleet.commands, and the facts about orders that are noted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from services.fleet_svc.app import (
    Fleets,
    Line,
    change_fleet,
    change_fleet_for_event,
    create_fleet,
    delete_fleet,
    note_host_orders,
    report_inventory,
)
from shared.cause import Cause
from shared.clock import Clock
from shared.documents.contract import Written
from shared.messaging.commands import Command
from shared.messaging.subscription import Received, Subscription, bulk
from shared.schemas.fleet_svc import CreateFleet, DeleteFleet, ReportInventory, UpdateFleet
from shared.schemas.hotw_svc import HardwareFact

__all__ = ["fleet_commands", "host_orders"]

_ORDER_FACTS: Final = (
    "hotw.order.placed",
    "hotw.order.reviewed",
    "hotw.order.expired",
    "hotw.fulfillment.updated",
)


def fleet_commands(fleets: Fleets) -> list[Command[Any]]:
    """The commands about fleets."""

    async def create(command: CreateFleet, cause: Cause) -> Line:
        return await create_fleet(fleets, command.given(), cause)

    async def change(command: UpdateFleet, cause: Cause) -> Line:
        fleet_id, body = command.fleet_id, command.given()
        if command.event_id is None:
            return await change_fleet(fleets, fleet_id, body, cause, cause.expected_version)
        return await change_fleet_for_event(fleets, fleet_id, command.event_id, body, cause)

    async def delete(command: DeleteFleet, cause: Cause) -> Written:
        return await delete_fleet(fleets, command.fleet_id, cause, cause.expected_version)

    async def report(command: ReportInventory, cause: Cause) -> Line:
        return await report_inventory(fleets, command.fleet_id, command.given(), cause)

    return [
        Command(CreateFleet, create, "fleet.create"),
        Command(UpdateFleet, change, "fleet.update"),
        Command(DeleteFleet, delete, "fleet.delete"),
        Command(ReportInventory, report, "inventory.report", conditional=False),
    ]


def host_orders(fleets: Fleets, clock: Clock) -> Subscription:
    """Keeps HostOrderStatuses; a batch is written fleet by fleet."""

    async def on_order_changed(batch: Sequence[Received[HardwareFact]]) -> None:
        await note_host_orders(fleets, [(received.data, received.cause(clock)) for received in batch])

    return Subscription("fleet_svc.host-orders", bulk(HardwareFact, _ORDER_FACTS, on_order_changed))
