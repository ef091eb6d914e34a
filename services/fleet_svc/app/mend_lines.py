"""Owns what a start puts right: what a process that died half-way left of fleets and their lines."""

from __future__ import annotations

from collections.abc import Sequence

from services.fleet_svc.app.change_fleet import follow
from services.fleet_svc.app.create_fleet import open_line
from services.fleet_svc.app.delete_fleet import delete_line
from services.fleet_svc.app.fleets import Fleets
from services.fleet_svc.domain.fleets import OPENED_FOR, follow_base, line_key
from shared.cause import AUTOMATION, Cause
from shared.clock import Clock
from shared.documents.contract import Document
from shared.trace import current_trace

__all__ = ["mend_lines"]


async def mend_lines(fleets: Fleets, clock: Clock) -> None:
    """Makes lines that were to be made with their base, deletes those whose base is gone, lets the others follow it."""
    cause = Cause(clock.now(), AUTOMATION, current_trace())
    async for bases in fleets.bases.scan():
        await _make_missing(fleets, bases, cause)
    async for lines in fleets.lines.scan():
        await _set_right(fleets, lines, cause)


async def _make_missing(fleets: Fleets, bases: Sequence[Document], cause: Cause) -> None:
    opened = {line_key(base.key, base.state[OPENED_FOR]): base for base in bases if OPENED_FOR in base.state}
    there = await fleets.lines.latest_many(list(opened)) if opened else {}
    for key, base in opened.items():
        if key not in there:
            await open_line(fleets, base, cause)


async def _set_right(fleets: Fleets, lines: Sequence[Document], cause: Cause) -> None:
    bases = await fleets.bases.latest_many(sorted({line.state["FleetId"] for line in lines}))
    for line in lines:
        base = bases.get(line.state["FleetId"])
        if base is None:
            await delete_line(fleets, line.key, cause)
        elif follow_base(line.state, base.state) != line.state:
            await follow(fleets, line.key, base, cause)
