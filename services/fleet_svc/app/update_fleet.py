"""Use case: changes a fleet's own line, or its line for an event, which the first change creates."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

from services.fleet_svc.app.delete_fleet import delete_line
from services.fleet_svc.app.fleets import Fleets, beside, line_key
from services.fleet_svc.domain.fleet_lines import Line, change_line, changed, follow_base, line_of, place
from shared.cause import Cause
from shared.documents import Change, Document, OutgoingEvent, Written
from shared.errors import NotFound, Refused
from shared.schemas.fleet_svc.fleet import UpdateFleet
from shared.schemas.validation import patched

_UPDATED = (OutgoingEvent("fleet.updated"),)


async def update_fleet(command: UpdateFleet, cause: Cause, *, fleets: Fleets) -> Written:
    """Merges the command's patch into the base, or into the line for ``EventId``.

    NotFound when there is no such fleet, Stale when the condition does not hold for what a read gives now.
    """
    if command.event_id is None:
        return await _update_base(command, cause, fleets=fleets)
    return await _update_line(command, command.event_id, cause, fleets=fleets)


async def _update_base(command: UpdateFleet, cause: Cause, *, fleets: Fleets) -> Written:
    """The base; its lines follow it in service and region."""
    moved = False

    def updated(present: Document | None) -> Change | None:
        nonlocal moved
        if present is None:
            raise fleets.missing(command.fleet_id)
        fleets.check_condition(cause.condition, present)
        before, after = Line.model_validate(present.state), patched(Line, present.state, command.patch)
        moved = place(before) != place(after)
        state = changed(before, after, cause.now).wire()
        return None if state == present.state else Change(state, _UPDATED)

    written = await fleets.bases.update(command.fleet_id, updated, cause)
    if written.changed and moved:
        for line in await fleets.lines_of(command.fleet_id):
            await follow(line.key, written.document, cause, fleets=fleets)
    return written


async def _update_line(command: UpdateFleet, event_id: str, cause: Cause, *, fleets: Fleets) -> Written:
    """The event's line, created as a copy of the base by its first change. An empty patch creates none (3.30a): the
    outcome is the base that stands in for the line.

    A condition that names the tag of the base holds only while the base stands in (3.46b).
    """
    fleet_id = command.fleet_id
    document = await fleets.bases.latest(fleet_id)
    is_first = False

    def updated(present: Document | None) -> Change | None:
        nonlocal is_first
        if document is None:
            raise fleets.missing(fleet_id)
        if present is None:
            fleets.check_condition(cause.condition, document, base=True)
        else:
            fleets.check_condition(cause.condition, beside(present, document))
        if present is None and not command.patch:
            return None
        is_first = present is None
        base = Line.model_validate(document.state)
        line = line_of(base, event_id, document.version) if present is None else Line.model_validate(present.state)
        state = change_line(line, patched(Line, line.wire(), command.patch), base, cause.now).wire()
        if present is None:
            return Change(state, (OutgoingEvent("fleet.created"),))
        return None if state == present.state else Change(state, _UPDATED)

    key = line_key(fleet_id, event_id)
    try:
        written = await fleets.lines.update(key, updated, cause)
    except Refused as refusal:  # of no narrower type where it is the first outcome again
        if command.patch or refusal.status != NotFound.status:
            raise
        return await _unchanged_base(fleet_id, cause, fleets=fleets)
    if is_first and await fleets.bases.latest(fleet_id) is None:  # deleted meanwhile, its lines before this one
        await delete_line(key, cause, fleets=fleets)
        raise fleets.missing(fleet_id)
    return written if document is None else replace(written, document=beside(written.document, document))


async def _unchanged_base(fleet_id: str, cause: Cause, *, fleets: Fleets) -> Written:
    """The base as the outcome of a request that changes nothing."""

    def unchanged(present: Document | None) -> None:
        if present is None:
            raise fleets.missing(fleet_id)

    return await fleets.bases.update(fleet_id, unchanged, cause)


async def follow(key: str, base: Document, cause: Cause, *, fleets: Fleets) -> None:
    """Gives a line the service and region of its base, where it has others."""

    def followed(present: Document | None) -> Change | None:
        if present is None:
            return None
        state = follow_base(Line.model_validate(present.state), Line.model_validate(base.state)).wire()
        return None if state == present.state else Change(state, _UPDATED, message="follows the fleet's own line")

    with suppress(NotFound):  # deleted meanwhile
        await fleets.lines.update(key, followed, replace(cause, id=None))
