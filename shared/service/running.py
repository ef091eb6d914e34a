"""Owns a running service: its parts started in order, stopped in reverse, and its periodic work."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

import structlog
from fastapi import FastAPI

from shared.errors import Unavailable
from shared.metrics import Metrics
from shared.tasks import end
from shared.trace import Trace, bind_trace
from shared.web.middleware import Gate

__all__ = ["Call", "Part", "Periodic", "RunningService"]

log = structlog.get_logger(__name__)

_NOT_YET: Final = "not open yet: it has not answered since the start"
_LONGEST_PAUSE: Final = 5.0


class Part(Protocol):
    """Something with a life: a store, a publisher, a consumer, a periodic job."""

    async def start(self) -> None: ...
    async def stop(self) -> None: ...


async def _nothing() -> None:
    return None


@dataclass(frozen=True, slots=True)
class Call:
    """A part made of two functions."""

    on_start: Callable[[], Awaitable[None]] = _nothing
    on_stop: Callable[[], Awaitable[None]] = _nothing

    async def start(self) -> None:
        await self.on_start()

    async def stop(self) -> None:
        await self.on_stop()


@dataclass(slots=True)
class RunningService:
    """One of the five services: the application to be served, and the parts that live beside it.

    ``opening`` are the parts that must stand before any clock of the process is believed: its store, and what pushes
    the clock past it; ``gate`` is what the application asks whether it may answer. ``store`` and ``consumers`` are
    there for those who look in from outside: tools and tests.
    """

    name: str
    app: FastAPI
    parts: Sequence[Part]
    opening: Sequence[Part] = ()
    store: Any = None
    consumers: Sequence[Any] = ()
    gate: Gate = field(default_factory=Gate)
    _started: list[Part] = field(default_factory=list)

    async def open(self) -> None:
        """Starts only ``opening``: for services that share a clock, which all open before the first of them starts."""
        await self._begin(self.opening)

    async def open_when_there(self) -> None:
        """The same, waiting for a store that is away; meanwhile, and until the parts stand, the gate is closed."""
        self.gate.closed = _NOT_YET
        with structlog.contextvars.bound_contextvars(service=self.name):
            for part in self.opening:
                await self._started_when_there(part)
                self._started.append(part)

    async def _started_when_there(self, part: Part) -> None:
        pause = 0.5
        while True:
            try:
                return await part.start()
            except Unavailable as error:
                self.gate.closed = f"away: {error}"
                log.warning("the store is away; the service goes on starting when it is there", reason=str(error))
            await asyncio.sleep(pause * random.uniform(0.8, 1.2))
            pause = min(pause * 2, _LONGEST_PAUSE)

    async def start(self) -> None:
        """Starts the parts in order; when one fails, those already started are stopped, and its error is raised."""
        if not self._started:
            await self.open()
        await self._begin(self.parts)
        log.info("service started", service=self.name)

    async def _begin(self, parts: Sequence[Part]) -> None:
        with structlog.contextvars.bound_contextvars(service=self.name):
            try:
                for part in parts:
                    await part.start()
                    self._started.append(part)
            except BaseException:
                await self.stop()
                raise

    async def stop(self) -> None:
        """Stops what was started, the last first; one that fails to stop does not keep the others. May be repeated."""
        with structlog.contextvars.bound_contextvars(service=self.name):
            while self._started:
                part = self._started.pop()
                try:
                    await part.stop()
                except Exception:
                    log.exception("a part did not stop well", part=type(part).__name__)
            log.info("service stopped")


class Periodic:
    """A job done every so many seconds (less or more a tenth), first at once or after the first interval.

    A run that fails is logged and counted, and the next one comes all the same. Runs never overlap.
    """

    def __init__(
        self, name: str, every: float, fn: Callable[[], Awaitable[Any]], *, metrics: Metrics, at_start: bool = True
    ) -> None:
        self.name = name
        self._every = every
        self._fn = fn
        self._metrics = metrics
        self._at_start = at_start
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self._task = asyncio.create_task(self._loop(), name=f"periodic {self.name}")

    async def stop(self) -> None:
        """Breaks off a run under way: each must be safe to break off anywhere."""
        task, self._task = self._task, None
        if task is not None:
            await end(task)

    async def _loop(self) -> None:
        if not self._at_start:
            await self._pause()
        while True:
            await self.once()
            await self._pause()

    async def once(self) -> bool:
        """One run now; whether it went well."""
        began = time.monotonic()
        outcome = "failed"
        with bind_trace(Trace.begin()):
            try:
                await self._fn()
                outcome = "done"
            except Exception:
                log.exception("a periodic job failed", job=self.name)
        self._metrics.periodic_runs.labels(self.name, outcome).inc()
        self._metrics.periodic_seconds.labels(self.name).observe(time.monotonic() - began)
        return outcome == "done"

    async def _pause(self) -> None:
        await asyncio.sleep(self._every * random.uniform(0.9, 1.1))
