"""hotw_svc in the test's own process, one replica or several, and the events of the other services."""

from __future__ import annotations

from services.hotw_svc.bootstrap import build
from tests.support.embedded_stack import Replica, Stack
from tests.support.hotw_store import event_body, fleet_body, inventory_body, projection_body, service_body

COMPANY = ("Event", "Service", "Fleet", "Projection", "Inventory")
"""What HOTW knows of a fleet once it has taken the company in."""


class Hotw(Stack):
    async def replica(self) -> Replica:
        return await self.start(build)

    async def company(self) -> None:
        """The reference's event, service, fleet, projection and inventory, as their owners publish them."""
        await self.say(
            ("event.created", event_body()),
            ("service.created", service_body()),
            ("fleet.created", fleet_body()),
            ("projection.created", projection_body()),
            ("fleet.inventory.reported", inventory_body()),
        )
