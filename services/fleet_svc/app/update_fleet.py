"""Use cases: change a fleet's own line, or its line for an event, which the first change creates; restore a version."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

from services.fleet_svc.app.delete_fleet import delete_line
from services.fleet_svc.app.fleets import Fleets, beside, line_key
from services.fleet_svc.domain.fleet_lines import Line, change_line, changed, follow_base, line_of, place, restored
from shared.cause import Cause
from shared.documents import Change, Document, OutgoingEvent, Written
from shared.errors import Conflict, NotFound, Refused
from shared.resources import with_reason
from shared.schemas.fleet_svc.fleet import RestoreFleet, UpdateFleet
from shared.schemas.validation import patched

Revise = Callable[[Line], Line]
"""What a request makes of a line."""

_UPDATED = (OutgoingEvent("fleet.updated"),)


async def update_fleet(command: UpdateFleet, cause: Cause, *, fleets: Fleets) -> Written:
    """Merges the command's patch into the base, or into the line for ``EventId``.

    NotFound when there is no such fleet, Stale when the condition does not hold for what a read gives now.
    """

    def merged(line: Line) -> Line:
        return patched(Line, line.wire(), command.patch)

    if command.event_id is None:
        return await _update_base(command.fleet_id, merged, cause, fleets=fleets)
    return await _update_line(
        command.fleet_id, command.event_id, merged, cause, fleets=fleets, is_empty=not command.patch
    )


async def restore_fleet(command: RestoreFleet, cause: Cause, *, fleets: Fleets) -> Written:
    """Makes the members of the base that a person may set, or those of the line for ``EventId``, a former version's.

    The versions are those that a read of the history gives: where an event has no line, the base's, and the restored
    one becomes the event's line. Service and region of a line stay its base's. NotFound for a version that there is
    not, Conflict for one that is a deletion; otherwise as ``update_fleet``.
    """
    fleet_id, event_id = command.fleet_id, command.event_id
    key = fleet_id if event_id is None else line_key(fleet_id, event_id)
    former = await _former(key, command.version_id, fleets)

    def revise(line: Line) -> Line:
        if isinstance(former, Refused):
            raise former  # here, so that the same request again gets the same answer
        after = restored(line, former)
        return after if event_id is None else follow_base(after, line)

    cause = with_reason(cause, command)
    if event_id is None:
        return await _update_base(fleet_id, revise, cause, fleets=fleets)
    return await _update_line(fleet_id, event_id, revise, cause, fleets=fleets)


async def _former(key: str, number: int, fleets: Fleets) -> Line | Refused:
    try:
        document = await fleets.version(key, number)
    except NotFound as missing:
        return missing
    if document.deleted:
        return Conflict(f"version {number} is a deletion, which holds nothing; give another one", slug="deletion")
    return Line.model_validate(document.state)


async def _update_base(fleet_id: str, revise: Revise, cause: Cause, *, fleets: Fleets) -> Written:
    """The base; its lines follow it in service and region."""
    moved = False

    def updated(present: Document | None) -> Change | None:
        nonlocal moved
        if present is None:
            raise fleets.missing(fleet_id)
        fleets.check_condition(cause.condition, present)
        before = Line.model_validate(present.state)
        after = revise(before)
        moved = place(before) != place(after)
        state = changed(before, after, cause.now).wire()
        return None if state == present.state else Change(state, _UPDATED)

    written = await fleets.bases.update(fleet_id, updated, cause)
    if written.changed and moved:
        for line in await fleets.lines_of(fleet_id):
            await follow(line.key, written.document, cause, fleets=fleets)
    return written


async def _update_line(
    fleet_id: str, event_id: str, revise: Revise, cause: Cause, *, fleets: Fleets, is_empty: bool = False
) -> Written:
    """The event's line, created as a copy of the base by its first change. An empty patch (``is_empty``) creates none
    (3.30a): the outcome is the base that stands in for the line.

    A condition that names the tag of the base holds only while the base stands in (3.46b).
    """
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
        if present is None and is_empty:
            return None
        is_first = present is None
        base = Line.model_validate(document.state)
        line = line_of(base, event_id, document.version) if present is None else Line.model_validate(present.state)
        state = change_line(line, revise(line), base, cause.now).wire()
        if present is None:
            return Change(state, (OutgoingEvent("fleet.created"),))
        return None if state == present.state else Change(state, _UPDATED)

    key = line_key(fleet_id, event_id)
    try:
        written = await fleets.lines.update(key, updated, cause)
    except Refused as refusal:  # of no narrower type where it is the first outcome again
        if not is_empty or refusal.status != NotFound.status:
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
