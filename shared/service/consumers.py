"""The consumers of a service: they start once the broker is there, and the service does not wait for them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final

import structlog
from aiokafka.errors import KafkaError

from shared.errors import Unavailable
from shared.messaging.consumer import Consumer
from shared.messaging.topic_client import ensure_topics
from shared.messaging.transport import Transport
from shared.tasks import end
from shared.web import Unready

log = structlog.get_logger(__name__)

_RETRY: Final = 2.0  # seconds; a broker that is back is noticed this soon
_START_WAIT: Final = 20.0  # seconds; a group gives up a member that was killed after ten


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
