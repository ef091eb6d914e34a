"""Periodic jobs of a service."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable

import structlog

from shared.metrics import Metrics
from shared.tasks import end
from shared.trace import Trace, bind_trace

log = structlog.get_logger(__name__)


class Periodic:
    """Runs a job at once and then every so many seconds, give or take a tenth.

    A run that fails is logged and counted, and the next one comes all the same. Runs never overlap.
    """

    def __init__(self, name: str, every: float, fn: Callable[[], Awaitable[object]], *, metrics: Metrics) -> None:
        self.name = name
        self._every = every
        self._fn = fn
        self._metrics = metrics
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self._task = asyncio.create_task(self._repeat(), name=f"periodic {self.name}")

    async def stop(self) -> None:
        """Interrupts a run under way: every job must be safe to interrupt anywhere."""
        if self._task is not None:
            await end(self._task)

    async def _repeat(self) -> None:
        while True:
            began, outcome = time.monotonic(), "done"
            with bind_trace(Trace.begin()):
                try:
                    await self._fn()
                except Exception:
                    outcome = "failed"
                    log.exception("a periodic job failed", job=self.name)
            self._metrics.periodic_runs.labels(self.name, outcome).inc()
            self._metrics.periodic_seconds.labels(self.name).observe(time.monotonic() - began)
            await asyncio.sleep(self._every * random.uniform(0.9, 1.1))
