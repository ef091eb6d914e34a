"""Waits for a number to be reached, with a deadline and a clear error."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Final

from epic.failure import SOME_FAILED, CommandFailed

_FIRST_PAUSE: Final = 0.02
_LONGEST_PAUSE: Final = 0.5


async def until(
    what: str,
    look: Callable[[], Awaitable[int]],
    wanted: int,
    *,
    seconds: float = 60,
    advance: Callable[[int], None] | None = None,
) -> None:
    """Polls until there are at least ``wanted``; ``advance`` is called with each increase.

    CommandFailed after ``seconds`` without any progress: ``waited 60 s for plans: 38 of 40 so far``.
    """
    seen, pause = 0, _FIRST_PAUSE
    deadline = time.monotonic() + seconds
    while True:
        now = await look()
        if now > seen:
            if advance:
                advance(min(now, wanted) - min(seen, wanted))
            seen, pause, deadline = now, _FIRST_PAUSE, time.monotonic() + seconds
        if seen >= wanted:
            return
        if time.monotonic() > deadline:
            raise CommandFailed(
                f"waited {seconds:g} s for {what}: {seen} of {wanted} so far; the log says more", SOME_FAILED
            )
        await asyncio.sleep(pause)
        pause = min(pause * 2, _LONGEST_PAUSE)
