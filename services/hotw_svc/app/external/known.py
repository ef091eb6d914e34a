"""What an outside engine's body must name: an event, a fleet and a service that HOTW knows (7.0.34)."""

from __future__ import annotations

from services.hotw_svc.app.ports import Unit
from services.hotw_svc.domain.inputs import EventFacts
from shared.errors import NotFound


async def known_event(unit: Unit, event_id: str) -> EventFacts:
    """NotFound names the event."""
    event = await unit.inputs.event(event_id)
    if event is None:
        raise NotFound(f"there is no event {event_id}")
    return event


async def known_service(unit: Unit, fleet_id: str) -> str:
    """The ServiceId of the fleet. NotFound names the fleet or its service."""
    service_id = await unit.recorded.service_of(fleet_id)
    if service_id is None:
        raise NotFound(f"there is no fleet {fleet_id}")
    if service_id not in await unit.inputs.service_types([service_id]):
        raise NotFound(f"there is no service {service_id}, to which fleet {fleet_id} belongs")
    return service_id
