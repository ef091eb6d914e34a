"""Owns the worker of one replica: works off every running run, sharing it with the workers of other replicas."""

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

_SMALLEST: Final = 5

log = structlog.get_logger(__name__)


class RunWorker:
    """``lanes`` chunks are worked on at once, so that one waits for the store while another is worked out.

    ``poll`` is how often it looks for runs of other replicas, in seconds; ``wake`` makes it look at once.
    """

    def __init__(
        self, store: Store, clock: Clock, *, lanes: int = 2, poll: float = 1.0, chunk: int = CHUNK,
        lease: float = LEASE_SECONDS,
    ) -> None:  # fmt: skip
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
        for run_id in await self._store.running():
            worked = await work_chunk(self._store, self._clock, run_id, limit=self._chunk, lease=self._lease)
            if worked.found_work:
                more = True
                if worked.lost > worked.written:
                    self._chunk = max(self._chunk // 2, _SMALLEST)
            elif not worked.blocked:
                await complete_run(self._store, self._clock, run_id)
        return more
