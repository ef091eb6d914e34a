"""Use case: changes a fleet's own line, or its line for an event, which the first change creates."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

from services.fleet_svc.app.delete_fleet import delete_line
from services.fleet_svc.app.fleets import (
    FleetLine,
    Fleets,
    base_in,
    fleet_members,
    line_in,
    line_key,
    no_fleet,
    state_of,
)
from services.fleet_svc.domain.fleet_lines import Base, change_base, change_line, follow_base, line_of
from shared.cause import Cause
from shared.documents import Change, Document, OutgoingEvent
from shared.errors import NotFound, Stale
from shared.schemas.fleet_svc.fleet import Fleet, UpdateFleet
from shared.schemas.validation import patched


async def update_fleet(command: UpdateFleet, cause: Cause, *, fleets: Fleets) -> FleetLine:
    """Merges the command's patch into the base, or into the line for ``EventId``.

    NotFound when there is no such fleet, Stale when If-Match is not the present version.
    """
    if command.event_id is None:
        return await _update_base(command, cause, fleets=fleets)
    return await _update_line(command, command.event_id, cause, fleets=fleets)


async def _update_base(command: UpdateFleet, cause: Cause, *, fleets: Fleets) -> FleetLine:
    """The base; its lines follow it in service and region."""
    before: Document | None = None

    def updated(present: Document | None) -> Change | None:
        nonlocal before
        before = present
        if present is None:
            raise no_fleet(command.fleet_id)
        after = patched(Fleet, fleet_members(present.state), command.patch)
        state = state_of(change_base(base_in(present), after, cause.now))
        return None if state == present.state else Change(state, (OutgoingEvent("fleet.updated"),))

    written = await fleets.bases.update(command.fleet_id, updated, cause, expected=cause.expected_version)
    document = written.document
    if written.changed and before is not None and _place(base_in(before)) != _place(base_in(document)):
        for line in await fleets.lines_of(command.fleet_id):
            await follow(line.key, document, cause, fleets=fleets)
    return FleetLine(document)


async def _update_line(command: UpdateFleet, event_id: str, cause: Cause, *, fleets: Fleets) -> FleetLine:
    """The event's line, created as a copy of the base by its first change.

    An If-Match of the base holds only while there is no line and the base is at that version.
    """
    fleet_id, if_match = command.fleet_id, cause.if_match
    document = await fleets.bases.latest(fleet_id)
    is_first = False

    def updated(present: Document | None) -> Change | None:
        nonlocal is_first
        if document is None:
            raise no_fleet(fleet_id)
        if if_match is not None and if_match.base and (present is not None or document.version != if_match.version):
            raise Stale(f"If-Match is not what GET /fleet/{fleet_id}/{event_id} gives now; read it again")
        is_first = present is None
        base = base_in(document)
        line = line_of(base, event_id, document.version) if present is None else line_in(present)
        after = patched(Fleet, line.fleet.wire(), command.patch)
        state = state_of(change_line(line, after, base, cause.now))
        if present is None:
            return Change(state, (OutgoingEvent("fleet.created"),))
        return None if state == present.state else Change(state, (OutgoingEvent("fleet.updated"),))

    key = line_key(fleet_id, event_id)
    expected = if_match.version if if_match is not None and not if_match.base else None
    written = await fleets.lines.update(key, updated, cause, expected=expected)
    if is_first and await fleets.bases.latest(fleet_id) is None:  # deleted meanwhile, its lines before this one
        await delete_line(key, cause, fleets=fleets)
        raise no_fleet(fleet_id)
    return FleetLine(written.document, document)


async def follow(key: str, base: Document, cause: Cause, *, fleets: Fleets) -> None:
    """Gives a line the service and region of its base, where it has others."""

    def followed(present: Document | None) -> Change | None:
        if present is None:
            return None
        line = line_in(present)
        after = follow_base(line, base_in(base))
        if after == line:
            return None
        return Change(state_of(after), (OutgoingEvent("fleet.updated"),), message="follows the fleet's own line")

    with suppress(NotFound):  # deleted meanwhile
        await fleets.lines.update(key, followed, replace(cause, id=None))


def _place(base: Base) -> tuple[str, str]:
    return base.fleet.service_id, base.fleet.fleet_configuration.region
