"""Use case: store which ASGs take a fleet's hosts for an event (7.0.6)."""

from __future__ import annotations

from services.hotw_svc.app.ports import Store, Unit, View
from services.hotw_svc.app.runs.run import user_of
from services.hotw_svc.domain.inputs import PreferredAsgs
from shared.cause import Cause
from shared.errors import NotFound
from shared.schemas.hotw_preferences import StorePreferredASGs


async def store_preferred_asgs(command: StorePreferredASGs, cause: Cause, *, store: Store) -> View:
    """The preference as it is read. The same names again change nothing; no names remove the preference.

    NotFound for an unknown event or fleet. A run that has read the fleet's inputs already goes by the former ones.
    """

    async def put(unit: Unit) -> View:
        if await unit.inputs.event(command.event_id) is None:
            raise NotFound(f"there is no event {command.event_id}")
        if await unit.inputs.unknown_fleets([command.fleet_id]):
            raise NotFound(f"there is no fleet {command.fleet_id}")
        names = tuple(dict.fromkeys(command.asgs))
        preferred = PreferredAsgs(names, updated_by=user_of(cause.user), updated_at=cause.now) if names else None
        return View("FleetId", await unit.preferences.put(command.event_id, command.fleet_id, preferred))

    return await store.run_once(cause, "FleetId", put)
