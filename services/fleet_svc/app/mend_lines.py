"""Use case: finishes what a process that died left unfinished between a fleet and its lines."""

from __future__ import annotations

from collections.abc import Sequence

from services.fleet_svc.app.create_fleet import open_line
from services.fleet_svc.app.delete_fleet import delete_line
from services.fleet_svc.app.fleets import Fleets, line_key
from services.fleet_svc.app.update_fleet import follow
from services.fleet_svc.domain.fleet_lines import Line, place
from shared.cause import AUTOMATION, Cause
from shared.clock import Clock
from shared.documents import Document
from shared.trace import current_trace


async def mend_lines(clock: Clock, *, fleets: Fleets) -> None:
    """Creates the lines that their bases still name, deletes those without a base, and lets the others follow it."""
    cause = Cause(clock.now(), AUTOMATION, current_trace())
    async for bases in fleets.bases.scan():
        await _create_missing(bases, cause, fleets=fleets)
    async for lines in fleets.lines.scan():
        await _correct(lines, cause, fleets=fleets)


async def _create_missing(bases: Sequence[Document], cause: Cause, *, fleets: Fleets) -> None:
    opened = {line_key(base.key, base.state["OpenedFor"]): base for base in bases if "OpenedFor" in base.state}
    existing = await fleets.lines.latest_many(list(opened)) if opened else {}
    for key, base in opened.items():
        if key not in existing:
            await open_line(base, cause, fleets=fleets)


async def _correct(lines: Sequence[Document], cause: Cause, *, fleets: Fleets) -> None:
    bases = await fleets.bases.latest_many(sorted({line.state["FleetId"] for line in lines}))
    for line in lines:
        base = bases.get(line.state["FleetId"])
        if base is None:
            await delete_line(line.key, cause, fleets=fleets)
        elif place(Line.model_validate(line.state)) != place(Line.model_validate(base.state)):
            await follow(line.key, base, cause, fleets=fleets)
