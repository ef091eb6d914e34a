"""The buffer of a fleet for an event, as an exception shows it beside the buffer that is asked for."""

from __future__ import annotations

from decimal import Decimal

from services.fleet_svc.app.fleets import DEFAULT_BUFFER, Fleets, line_key
from services.fleet_svc.domain.exceptions import buffer_of
from services.fleet_svc.domain.fleet_lines import Line
from shared.documents import State
from shared.errors import NotFound


async def fleet_buffer(exception: State, *, fleets: Fleets) -> Decimal | None:
    """The buffer factor of the fleet's line for the event, else of its own line; None where there is no such fleet.

    The event's DefaultBufferPercentage counts where the fleet gives none (4.463).
    """
    try:
        fleet = await fleets.latest(line_key(exception["FleetId"], exception["EventId"]))
    except NotFound:
        return None
    given = Line.model_validate(fleet.state).fleet_configuration.buffer_percentage
    event = await fleets.events.get(exception["EventId"]) if given is None else None
    default = Decimal(str(event.get(DEFAULT_BUFFER, 0))) if event else Decimal()
    return buffer_of(default if given is None else given)
