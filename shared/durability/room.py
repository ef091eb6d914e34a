"""How a writer waits for room in a full lane of the outbox, and which reason it gets when none comes in time."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import math
import time
from bisect import insort
from collections.abc import Iterable
from typing import Final

from shared.durability.outbox import Lane, OutboxFull
from shared.errors import Unavailable

TURN_SECONDS: Final = 5.0
"""How long a writer waits for its turn: for the writers of its document before it, and for room in the outbox. Callers
wait ten for their answer."""

STALLED_SECONDS: Final = 2.0
"""A broker that acknowledges nothing for so long counts as away: a healthy one takes milliseconds."""

_LOOK_AGAIN: Final = 0.5  # seconds; another process may have made room

_Writer = tuple[float, int, asyncio.Future[None]]


class Room:
    """The room that one relay makes in its outbox. Of those who wait for it the first to have asked goes on first."""

    def __init__(self) -> None:
        self.writers: dict[Lane, list[_Writer]] = {}
        """Those that wait, by lane, in the order in which they asked for their write."""
        self._made_at = -math.inf
        self._numbers = itertools.count()

    def make(self, lanes: Iterable[Lane]) -> None:
        """An entry of each of these lanes was removed, so one more of its writers may go on."""
        self._made_at = time.monotonic()
        for lane in lanes:
            line = self.writers.get(lane)
            if line:
                _, _, woken = line.pop(0)
                if not woken.done():
                    woken.set_result(None)

    async def wait(self, full: OutboxFull, *, since: float, stalled: bool) -> None:
        """Returns when the write that found the lane full should be tried again; it was asked for at ``since``
        (monotonic).

        Raises ``full`` when the broker takes nothing: it is ``stalled``, or has made no room for TURN_SECONDS.
        Unavailable ``busy`` when it made room for so long, but for other writers.
        """
        if stalled:
            raise full
        line = self.writers.setdefault(full.lane, [])
        writer = (since, next(self._numbers), asyncio.get_running_loop().create_future())
        insort(line, writer)
        try:
            if time.monotonic() - since > TURN_SECONDS:
                raise busy(full.name, len(line)) if self._made_at > since else full
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_LOOK_AGAIN):
                    await writer[2]
        finally:
            if writer in line:
                line.remove(writer)
            if not line and self.writers.get(full.lane) is line:
                del self.writers[full.lane]


def busy(name: str, writers: int) -> Unavailable:
    """The refusal of a writer whose turn has not come in time, although store and broker are well."""
    return Unavailable(f"{writers} writers wait for {name}; try again", slug="busy", title="Busy")
