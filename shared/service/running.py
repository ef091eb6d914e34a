"""A running service: its store, consumers, periodic jobs and other parts, started in order and stopped in reverse."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Final, Protocol

import structlog
from aiokafka.errors import KafkaError
from fastapi import FastAPI

from shared.durability.backoff import Backoff
from shared.durability.store import ServiceStore
from shared.errors import Unavailable
from shared.jobs import Worker
from shared.messaging.consumer import Consumer
from shared.messaging.transport import Transport, ensure_topics
from shared.metrics import Metrics
from shared.tasks import end
from shared.web import Gate, Unready

log = structlog.get_logger(__name__)

_NOT_YET: Final = "not open yet: it has not answered since the start"
_STORE_AWAY: Final = Backoff(first=0.5, longest=5.0)
"""A store that comes up with the service is found within a second, and one that is back within five."""

_RETRY: Final = 2.0  # seconds; a broker that is back is noticed this soon
_START_WAIT: Final = 20.0  # seconds; a group gives up a member that was killed after ten


class Part(Protocol):
    """Something that is started and stopped with the service: a store, a publisher, a consumer, a periodic job."""

    async def start(self) -> None: ...
    async def stop(self) -> None: ...


async def _nothing() -> None:
    return None


@dataclass(frozen=True, slots=True)
class Hook:
    """A part made of two functions."""

    start: Callable[[], Coroutine[Any, Any, None]] = _nothing
    stop: Callable[[], Coroutine[Any, Any, None]] = _nothing


def periodic(name: str, seconds: float, job: Callable[[], Awaitable[object]], metrics: Metrics) -> Worker:
    """Runs a job at once, and again after so many seconds or up to half sooner. The runs are counted.

    Every job must be safe to interrupt anywhere.
    """

    async def run() -> bool:
        began, outcome = time.monotonic(), "done"
        try:
            await job()
        except Exception:
            outcome = "failed"
            raise
        finally:
            metrics.periodic_runs.labels(name, outcome).inc()
            metrics.periodic_seconds.labels(name).observe(time.monotonic() - began)
        return False

    return Worker(name, run, poll=seconds)


class Consumers:
    """Creates the service's topics, then starts all consumers at once.

    At once, because each may have to wait for its group to give up a member that was killed. While the broker is away
    the service runs without consumers, and its readiness check gives the reason.
    """

    def __init__(self, service: str, transport: Transport, consumers: Sequence[Consumer]) -> None:
        self._service = service
        self._transport = transport
        self._consumers = consumers
        self._waiting_for: str | None = "not started"
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Returns when all have started, or after 20 seconds; an error that does not pass is raised."""
        self._task = asyncio.create_task(self._start_all(), name="consumers")
        await asyncio.wait({self._task}, timeout=_START_WAIT)
        if self._task.done():
            self._task.result()

    async def stop(self) -> None:
        if self._task is not None:
            await end(self._task)
        await asyncio.gather(*(consumer.stop() for consumer in self._consumers))

    async def _start_all(self) -> None:
        await self._when_available(lambda: ensure_topics(self._transport, self._service))
        self._waiting_for = "its consumers are joining their groups"
        async with asyncio.TaskGroup() as tasks:
            for consumer in self._consumers:
                tasks.create_task(self._when_available(consumer.start), name=f"start {consumer.subscription.group}")
        self._waiting_for = None

    async def _when_available(self, act: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                return await act()
            except (Unavailable, KafkaError, OSError) as error:
                self._waiting_for = f"the broker is away: {error}"
                log.warning("the broker is away; consuming begins when it is back", error=str(error))
                await asyncio.sleep(_RETRY)

    async def health(self) -> Mapping[str, Any]:
        """The lag of each group. Unready while a consumer has not started, or when one has stopped or hangs."""
        if self._task is not None and self._task.done() and not self._task.cancelled():
            self._task.result()
        if self._waiting_for is not None:
            raise Unready(self._waiting_for)
        halted = [f"{one.subscription.group}: {reason}" for one in self._consumers if (reason := one.halted())]
        if halted:
            raise Unready("; ".join(halted))
        return {"Groups": {one.subscription.group: {"State": "running", "Lag": one.lag} for one in self._consumers}}


@dataclass(slots=True)
class RunningService:
    """One service: its HTTP application, and the parts that run beside it.

    ``opening`` are the parts that must stand before the clock of the process is believed: the store, and what pushes
    the clock past it. The application answers 503 while ``gate`` is closed. Tools and tests read ``store`` and
    ``consumers``.
    """

    name: str
    app: FastAPI
    parts: Sequence[Part]
    opening: Sequence[Part] = ()
    store: ServiceStore | None = None
    consumers: Sequence[Consumer] = ()
    gate: Gate = field(default_factory=Gate)
    _started: list[Part] = field(default_factory=list)

    async def open(self, *, wait: bool = False) -> None:
        """Starts only ``opening``. Services that share a clock are all opened before the first of them is started.

        With ``wait`` a store that is away is waited for; the gate is closed until the other parts stand.
        """
        if wait:
            self.gate.closed = _NOT_YET
        await self._start(self.opening, wait=wait)

    async def start(self) -> None:
        """Starts the parts in order; when one fails, those already started are stopped and its error is raised."""
        if not self._started:
            await self.open()
        await self._start(self.parts)
        log.info("service started", service=self.name)

    async def _start(self, parts: Sequence[Part], *, wait: bool = False) -> None:
        with structlog.contextvars.bound_contextvars(service=self.name):
            try:
                for part in parts:
                    await (self._start_when_available(part) if wait else part.start())
                    self._started.append(part)
            except BaseException:
                await self.stop()
                raise

    async def _start_when_available(self, part: Part) -> None:
        for attempt in count(1):
            try:
                await part.start()
                break
            except Unavailable as error:
                self.gate.closed = f"away: {error}"
                log.warning("the store is away; the service starts when the store is back", reason=str(error))
                await asyncio.sleep(_STORE_AWAY.before(attempt))

    async def stop(self) -> None:
        """Stops what was started, the last first. A part that fails to stop does not keep the others. Repeatable."""
        with structlog.contextvars.bound_contextvars(service=self.name):
            while self._started:
                part = self._started.pop()
                try:
                    await part.stop()
                except Exception:
                    log.exception("a part failed to stop", part=type(part).__name__)
            log.info("service stopped")
