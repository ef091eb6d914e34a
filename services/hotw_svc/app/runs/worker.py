"""The worker of one process: works off every running run, together with the workers of other processes."""

from __future__ import annotations

import asyncio
import contextlib
import random
from typing import Final

import structlog

from services.hotw_svc.app.ports import Store
from services.hotw_svc.app.runs.work_run import CHUNK, LEASE_SECONDS, complete_run, work_chunk
from shared.clock import Clock
from shared.errors import Unavailable
from shared.tasks import end

__all__ = ["RunWorker"]

_SMALLEST: Final = 5  # fleets; a chunk this small is done within any lease

log = structlog.get_logger(__name__)


class RunWorker:
    """Works on ``lanes`` chunks at once, so that one waits for the store while another is worked out.

    ``poll`` is how often it looks for runs of other processes, in seconds; ``wake`` makes it look at once.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        *,
        lanes: int = 2,
        poll: float = 1.0,
        chunk: int = CHUNK,
        lease: float = LEASE_SECONDS,
    ) -> None:
        self._store = store
        self._clock = clock
        self._lanes = lanes
        self._poll = poll
        self._chunk = chunk
        self._lease = lease
        self._awake = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        self._tasks = [asyncio.create_task(self._work(), name=f"run-worker-{n}") for n in range(self._lanes)]

    async def stop(self) -> None:
        """Ends at once: a chunk that is not committed is another worker's when its lease is over."""
        await end(*self._tasks)
        self._tasks = []

    def wake(self) -> None:
        """A run was started."""
        self._awake.set()

    async def _work(self) -> None:
        pause = self._poll
        while True:
            try:
                self._awake.clear()
                pause = self._poll
                if await self._pass():
                    continue
            except asyncio.CancelledError:
                raise
            except Exception as error:  # the worker outlives every fault; what is open stays open
                pause = min(pause * 2, 10.0)
                log.warning("the run worker waits", error=repr(error), exc_info=not isinstance(error, Unavailable))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause * random.uniform(0.5, 1.0)):
                    await self._awake.wait()

    async def _pass(self) -> bool:
        """One chunk of each running run; whether there is more to do at once."""
        more = False
        for run_id in await self._store.read(lambda unit: unit.runs.running()):
            result = await work_chunk(self._store, self._clock, run_id, limit=self._chunk, lease=self._lease)
            if result.found_work:
                more = True
                if result.lost > result.written:
                    self._chunk = max(self._chunk // 2, _SMALLEST)
            elif not result.blocked:
                await complete_run(self._store, self._clock, run_id)
        return more
