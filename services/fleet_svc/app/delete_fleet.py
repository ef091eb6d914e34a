"""Use case: deletes a fleet with all of its lines."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

from services.fleet_svc.app.fleets import Fleets
from shared.cause import Cause
from shared.documents import Change, Document, OutgoingEvent, Written
from shared.errors import NotFound
from shared.schemas.fleet_svc.fleet import DeleteFleet


async def delete_fleet(command: DeleteFleet, cause: Cause, *, fleets: Fleets) -> Written:
    """Makes the tombstone of the base, then those of its lines; histories stay.

    A crash in between leaves lines, which the next start deletes. NotFound when there is no such fleet, Stale when
    the condition does not hold for the base.
    """

    def deleted(present: Document | None) -> Change:
        if present is None:
            raise fleets.missing(command.fleet_id)
        fleets.check_condition(cause.condition, present)
        return Change(None, (OutgoingEvent("fleet.deleted"),))

    written = await fleets.bases.update(command.fleet_id, deleted, cause)
    for line in await fleets.lines_of(command.fleet_id):
        if line.state["BaseVersionId"] < written.document.version:
            await delete_line(line.key, cause, fleets=fleets)
    return written


async def delete_line(key: str, cause: Cause, *, fleets: Fleets) -> None:
    """Makes the tombstone of a line, unless it is deleted already."""

    def deleted(present: Document | None) -> Change | None:
        return None if present is None else Change(None, (OutgoingEvent("fleet.deleted"),))

    with suppress(NotFound):
        await fleets.lines.update(key, deleted, replace(cause, id=None))
