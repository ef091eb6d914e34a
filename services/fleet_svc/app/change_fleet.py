"""Owns how a fleet is changed: its own line, or its line for an event, which the first change makes."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

from services.fleet_svc.app.delete_fleet import delete_line
from services.fleet_svc.app.fleets import Fleets, Line, no_fleet
from services.fleet_svc.domain.fleets import change_base, change_line, follow_base, line_key, line_of
from shared.cause import Cause
from shared.documents.contract import Change, Document, OutgoingEvent
from shared.errors import NotFound, Stale
from shared.resources.states import with_keys

__all__ = ["change_fleet", "change_fleet_for_event", "follow"]


async def change_fleet(
    fleets: Fleets, fleet_id: str, body: Mapping[str, Any], cause: Cause, expected: int | None
) -> Line:
    """Merges ``body`` into the base; its lines follow it in service and region."""
    patch = with_keys(body, {"FleetId": fleet_id})
    before: Document | None = None

    def changed(present: Document | None) -> Change | None:
        nonlocal before
        before = present
        if present is None:
            raise no_fleet(fleet_id)
        state = change_base(present.state, patch, cause.now)
        return None if state == present.state else Change(state, (OutgoingEvent("fleet.updated"),))

    written = await fleets.bases.update(fleet_id, changed, cause, expected=expected)
    base = written.document
    if written.changed and before is not None and follow_base(before.state, base.state) != before.state:
        for line in await fleets.lines_of(fleet_id):
            await follow(fleets, line.key, base, cause)
    return Line(base)


async def change_fleet_for_event(
    fleets: Fleets, fleet_id: str, event_id: str, body: Mapping[str, Any], cause: Cause
) -> Line:
    """Merges ``body`` into the event's line; the first change makes the line, as a copy of the base.

    An If-Match of the base holds only while there is no line and the base is at that version (else Stale).
    """
    patch, if_match = with_keys(body, {"FleetId": fleet_id, "EventId": event_id}), cause.if_match
    base = await fleets.bases.latest(fleet_id)
    begun = False

    def changed(line: Document | None) -> Change | None:
        nonlocal begun
        if base is None:
            raise no_fleet(fleet_id)
        if if_match is not None and if_match.base and (line is not None or base.version != if_match.version):
            raise Stale(f"If-Match is not what GET /fleet/{fleet_id}/{event_id} gives now; read it again")
        begun = line is None
        before = line_of(base.state, event_id, base.version) if line is None else line.state
        state = change_line(before, patch, base.state, cause.now)
        if line is None:
            return Change(state, (OutgoingEvent("fleet.created"),))
        return None if state == line.state else Change(state, (OutgoingEvent("fleet.updated"),))

    key = line_key(fleet_id, event_id)
    expected = if_match.version if if_match is not None and not if_match.base else None
    written = await fleets.lines.update(key, changed, cause, expected=expected)
    if begun and await fleets.bases.latest(fleet_id) is None:  # deleted meanwhile: its lines went before this one came
        await delete_line(fleets, key, cause)
        raise no_fleet(fleet_id)
    return Line(written.document, base)


async def follow(fleets: Fleets, key: str, base: Document, cause: Cause) -> None:
    """Gives a line the service and region of its base, where it has others."""

    def followed(line: Document | None) -> Change | None:
        if line is None or (state := follow_base(line.state, base.state)) == line.state:
            return None
        return Change(state, (OutgoingEvent("fleet.updated"),), message="follows the fleet's own line")

    with suppress(NotFound):  # deleted meanwhile
        await fleets.lines.update(key, followed, replace(cause, id=None))
