"""The messages about fleets: the commands of fleet.commands, and the facts about orders."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

from services.fleet_svc.app import FleetUseCases
from shared.cause import Cause
from shared.clock import Clock
from shared.messaging.commands import Command
from shared.messaging.subscription import Handler, Received, Subscription
from shared.schemas.fleet_svc.fleet import CreateFleet, DeleteFleet, ReportInventory, UpdateFleet
from shared.schemas.hotw_svc import HardwareFact

_ORDER_FACTS: Final = ("hotw.order.placed", "hotw.order.reviewed", "hotw.order.expired", "hotw.fulfillment.updated")


def fleet_commands(fleets: FleetUseCases) -> list[Command[Any]]:
    """The commands about fleets."""
    return [
        Command(CreateFleet, fleets.create, "fleet.create"),
        Command(UpdateFleet, fleets.update, "fleet.update"),
        Command(DeleteFleet, fleets.delete, "fleet.delete"),
        Command(ReportInventory, fleets.report_inventory, "inventory.report", conditional=False),
    ]


def host_orders(
    on_orders_changed: Callable[[Sequence[tuple[HardwareFact, Cause]]], Awaitable[None]], clock: Clock
) -> Subscription:
    """Keeps HostOrderStatuses; a batch is written fleet by fleet."""

    async def handle(batch: Sequence[Received[HardwareFact]]) -> None:
        await on_orders_changed([(received.data, received.cause(clock)) for received in batch])

    return Subscription("fleet_svc.host-orders", Handler(HardwareFact, _ORDER_FACTS, bulk=handle))
