"""Owns how a fleet comes to be, with its line for an event where the request names one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from services.fleet_svc.app.delete_fleet import delete_line
from services.fleet_svc.app.fleets import Fleets, Line
from services.fleet_svc.domain.fleets import OPENED_FOR, first_base, line_key, line_of
from shared.cause import Cause
from shared.documents.contract import Change, Document, OutgoingEvent, Written
from shared.errors import Conflict
from shared.resources.states import checked_ids

__all__ = ["create_fleet", "open_line"]


async def create_fleet(fleets: Fleets, body: Mapping[str, Any], cause: Cause) -> Line:
    """Makes the fleet, and its line for ``EventId``; answers the line, or the base where no event is named.

    Conflict when the fleet is there. Should the process die between the two, the base says which line is still to be
    made (``OpenedFor``): the same request again, a redelivery, or the next start makes it.
    """
    base = first_base(body, cause.now)
    fleet_id = checked_ids({"FleetId": base["FleetId"]})["FleetId"]
    there: Document | None = None

    def made(present: Document | None) -> Change:
        nonlocal there
        there = present
        if present is not None:
            raise Conflict(f"Fleet {fleet_id} is there already; PUT changes it", slug="exists")
        return Change(base, (OutgoingEvent("fleet.created"),))

    try:
        written = await fleets.bases.update(fleet_id, made, cause)
    except Conflict:
        if there is not None:
            await open_line(fleets, there, cause)
        raise
    if written.document.version > 1:
        await _forget_former_lines(fleets, written.document, cause)
    line = await open_line(fleets, written.document, cause)
    return Line(written.document) if line is None else Line(line.document, written.document)


async def open_line(fleets: Fleets, base: Document, cause: Cause) -> Written | None:
    """Makes the line its base was opened for, where it is not there; None where it was opened for none."""
    event_id = base.state.get(OPENED_FOR)
    if event_id is None:
        return None

    def made(present: Document | None) -> Change | None:
        if present is not None:
            return None
        return Change(line_of(base.state, event_id, base.version), (OutgoingEvent("fleet.created"),))

    return await fleets.lines.update(line_key(base.key, event_id), made, cause)


async def _forget_former_lines(fleets: Fleets, base: Document, cause: Cause) -> None:
    """A fleet made anew has none of the lines that a deletion broken off may have left."""
    for line in await fleets.lines_of(base.key):
        if line.state["BaseVersionId"] < base.version:
            await delete_line(fleets, line.key, cause)
