"""Use case: creates a fleet, with its line for an event where the request names one."""

from __future__ import annotations

from dataclasses import replace

from services.fleet_svc.app.delete_fleet import delete_line
from services.fleet_svc.app.fleets import Fleets, beside, line_key
from services.fleet_svc.domain.fleet_lines import Line, first_base, line_of
from shared.cause import Cause
from shared.documents import Change, Document, OutgoingEvent, Written
from shared.errors import Conflict
from shared.schemas.fleet_svc.fleet import CreateFleet

_CREATED = (OutgoingEvent("fleet.created"),)


async def create_fleet(command: CreateFleet, cause: Cause, *, fleets: Fleets) -> Written:
    """Creates the fleet, and its line for ``EventId``. The outcome is the line, or the base when no event is named.

    Conflict when the fleet exists, Stale when the condition does not hold. The process may die between the two writes:
    the base then names the missing line, and the same request again, a redelivery, or the next start creates it.
    """
    state = first_base(command, cause.now).wire()
    existing: Document | None = None

    def created(present: Document | None) -> Change:
        nonlocal existing
        existing = present
        fleets.check_condition(cause.condition, present)
        if present is not None:
            raise Conflict(f"Fleet {command.fleet_id} is there already; PUT changes it", slug="exists")
        return Change(state, _CREATED)

    try:
        written = await fleets.bases.update(command.fleet_id, created, cause)
    except Conflict:
        if existing is not None:
            await open_line(existing, cause, fleets=fleets)
        raise
    if written.document.version > 1:
        await _delete_former_lines(written.document, cause, fleets=fleets)
    line = await open_line(written.document, cause, fleets=fleets)
    return written if line is None else replace(line, document=beside(line.document, written.document))


async def open_line(base: Document, cause: Cause, *, fleets: Fleets) -> Written | None:
    """Creates the line that a base was opened for, unless it exists; None when the base was opened for no event."""
    event_id = base.state.get("OpenedFor")
    if event_id is None:
        return None

    def opened(present: Document | None) -> Change | None:
        line = line_of(Line.model_validate(base.state), event_id, base.version)
        return Change(line.wire(), _CREATED) if present is None else None

    return await fleets.lines.update(line_key(base.key, event_id), opened, cause)


async def _delete_former_lines(base: Document, cause: Cause, *, fleets: Fleets) -> None:
    """A deletion that was interrupted may have left lines: a fleet that is created again has none of them."""
    for line in await fleets.lines_of(base.key):
        if line.state["BaseVersionId"] < base.version:
            await delete_line(line.key, cause, fleets=fleets)
