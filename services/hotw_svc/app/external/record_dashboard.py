"""Use case: record a fleet's sum as an outside engine reports it, and how it sees the ASGs (7.0.46 to 7.0.49)."""

from __future__ import annotations

from services.hotw_svc.app.external.known import known_event, known_service
from services.hotw_svc.app.ports import Store, Unit, View
from services.hotw_svc.app.runs.run import user_of
from shared.cause import Cause
from shared.errors import NotFound
from shared.schemas.hotw_external import RecordDashboard


async def record_dashboard(command: RecordDashboard, cause: Cause, *, store: Store) -> View:
    """The sum that the dashboard shows where the fleet has no order for the event and purpose; the last one counts.

    NotFound for an unknown event, fleet or service, and for a fleet of another service.
    """

    async def record(unit: Unit) -> View:
        await unit.recorded.lock(command.fleet_id)
        await known_event(unit, command.event_id)
        if command.service_id not in await unit.inputs.service_types([command.service_id]):
            raise NotFound(f"there is no service {command.service_id}")
        if await known_service(unit, command.fleet_id) != command.service_id:
            raise NotFound(f"service {command.service_id} has no fleet {command.fleet_id}")
        fleet = await unit.recorded.fleet(command.fleet_id, command.event_id)
        await unit.recorded.put_dashboard(command, fleet, by=user_of(cause.user), at=cause.now)
        answer = {
            "ServiceId": command.service_id,
            "FleetId": command.fleet_id,
            "EventId": command.event_id,
            "Purpose": command.purpose.value,
            "CapacityOverrideSum": command.capacity_override_sum,
        }
        return View("FleetId", answer)

    return await store.run_once(cause, "FleetId", record)
