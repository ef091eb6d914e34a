"""A worker: repeats one piece of work in the background, at once while there is more, else now and then."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Final

import structlog

from shared.durability.backoff import Backoff, jittered
from shared.errors import Unavailable
from shared.tasks import end
from shared.trace import Trace, bind_trace

log = structlog.get_logger(__name__)

_AFTER_FAILURE: Final = Backoff(first=1.0, longest=10.0)
"""A store that is back is used within ten seconds, and one that is away is not asked more often than once a second."""


class Worker:
    """Calls ``work`` until it is stopped. The result says whether there may be more to do at once.

    If not, the next call comes after ``poll`` seconds (less up to half, so that processes do not call in step), or when
    ``wake`` is called. ``concurrency`` calls run at a time, so that one waits for the store while another computes. A
    call that fails is logged and repeated after a backoff; ``work`` must leave what it has not finished to the next.
    """

    def __init__(self, name: str, work: Callable[[], Awaitable[bool]], *, poll: float, concurrency: int = 1) -> None:
        self.name = name
        self._work = work
        self._poll = poll
        self._concurrency = concurrency
        self._awake = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        self._tasks = [asyncio.create_task(self._repeat(), name=f"{self.name} {n}") for n in range(self._concurrency)]

    async def stop(self) -> None:
        """Ends at once: the work can be interrupted anywhere."""
        tasks, self._tasks = self._tasks, []
        await end(*tasks)

    def wake(self) -> None:
        """There is something to do now."""
        self._awake.set()

    async def _repeat(self) -> None:
        failures = 0
        while True:
            self._awake.clear()
            with bind_trace(Trace.begin()):
                try:
                    more = await self._work()
                    failures = 0
                except Exception as error:  # the worker outlives every fault
                    failures += 1
                    more = False
                    unexpected = not isinstance(error, Unavailable)
                    log.warning("work waits", worker=self.name, error=repr(error), exc_info=unexpected)
            if more:
                continue
            pause = _AFTER_FAILURE.before(failures) if failures else jittered(self._poll)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._awake.wait()
