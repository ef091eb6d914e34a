"""Owns how a fleet goes, and all of its lines with it."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

from services.fleet_svc.app.fleets import Fleets, no_fleet
from shared.cause import Cause
from shared.documents.contract import Change, Document, OutgoingEvent, Written
from shared.errors import NotFound

__all__ = ["delete_fleet", "delete_line"]


async def delete_fleet(fleets: Fleets, fleet_id: str, cause: Cause, expected: int | None) -> Written:
    """Makes the base's tombstone, then those of its lines; histories stay. Lines left by a crash go at the next start.

    NotFound when there is no such fleet, Stale when the base is not at ``expected``.
    """

    def gone(present: Document | None) -> Change:
        if present is None:
            raise no_fleet(fleet_id)
        return Change(None, (OutgoingEvent("fleet.deleted"),))

    written = await fleets.bases.update(fleet_id, gone, cause, expected=expected)
    for line in await fleets.lines_of(fleet_id):
        if line.state["BaseVersionId"] < written.document.version:
            await delete_line(fleets, line.key, cause)
    return written


async def delete_line(fleets: Fleets, key: str, cause: Cause) -> None:
    """Makes a line's tombstone, where it is not gone already."""

    def gone(present: Document | None) -> Change | None:
        return None if present is None else Change(None, (OutgoingEvent("fleet.deleted"),))

    with suppress(NotFound):
        await fleets.lines.update(key, gone, replace(cause, id=None))
