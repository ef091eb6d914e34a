"""Consuming without a group: every process of a service reads all events of some topics into its memory."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final

import structlog
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from shared.durability.backoff import Backoff
from shared.envelope import Record, snapshot_version
from shared.errors import Unavailable
from shared.messaging.subscription import Handler, Subscription
from shared.messaging.topic_client import ensure_topics
from shared.messaging.transport import Transport
from shared.schemas.topic_types import Topic
from shared.schemas.topics import TOPICS
from shared.tasks import end

log = structlog.get_logger(__name__)

_AWAY: Final = (Unavailable, KafkaError, OSError)
_BACKOFF: Final = Backoff(1.0, 2.0)
_LINGER: Final = 0.2  # seconds that events gather: a view in memory may be so much behind, and many cost less together
_LONGEST_REST: Final = 20.0  # seconds; a process that writes for longer than that must see what others write
_AT_ONCE: Final = 2000  # records; some megabytes
_FETCH_MS: Final = 60_000  # how long an idle fetch waits; one that ends finds the next record just as well


class Broadcast:
    """A part of a service that keeps something in memory current: built from the stores first, then by every event.

    Nothing is committed: each start builds anew. Events are read from where the topics ended before ``build`` began;
    the topics in ``stored_by`` from where that consumer group of the service had committed, since only what it has
    committed is sure to be in the store. Events may come twice, and are in order by key.

    ``version_of`` gives the version that is known of a topic's key (0: none); a snapshot that is not newer is skipped
    unread. While ``at_rest`` is not set nothing is fetched, since the process then handles its own writes itself.
    An event that cannot be handled is logged and skipped: the consumer group that must handle it makes a dead letter.
    While broker or store is away the broadcast waits and goes on where it was.
    """

    def __init__(
        self,
        name: str,
        service: str,
        transport: Transport,
        *handlers: Handler[Any],
        build: Callable[[], Awaitable[None]],
        version_of: Callable[[str, str], int],
        stored_by: Mapping[str, str],
        at_rest: asyncio.Event,
        registry: Mapping[str, Topic] = TOPICS,
    ) -> None:
        self.name = name
        self._service = service
        self._transport = transport
        self._subscription = Subscription(f"{service}.{name}", *handlers, registry=registry)
        self._handle_one = {topic: handler.one for handler in handlers for topic in handler.topics}
        self._build = build
        self._version_of = version_of
        self._stored_by = stored_by
        self._at_rest = at_rest
        self._positions: dict[TopicPartition, int] = {}
        self._task: asyncio.Task[None] | None = None
        self._built = False
        self._reason = f"the {name} is being built"

    async def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name=self.name)

    async def stop(self) -> None:
        task, self._task = self._task, None
        if task is not None:
            await end(task)

    async def check(self) -> None:
        """Unavailable, with the reason, while it is not complete or not kept current any more."""
        if self._task is not None and self._task.done():
            raise Unavailable(f"the {self.name} is not kept current any more; see the log, and start the service anew")
        if not self._built:
            raise Unavailable(self._reason)

    async def _run(self) -> None:
        attempt = 0
        while True:
            try:
                if not self._built:
                    self._positions = await self._places()
                    await self._build()
                    self._built = True
                    log.info("built", what=self.name)
                attempt = 0
                await self._follow()
            except _AWAY as error:
                attempt += 1
                self._reason = f"the {self.name} waits for what is away: {error}"
                log.warning("waiting for what is away", what=self.name, error=str(error) or repr(error))
                await asyncio.sleep(_BACKOFF.before(attempt))

    async def _places(self) -> dict[TopicPartition, int]:
        await ensure_topics(self._transport, self._service)
        behind = {group: await self._transport.lag(group) for group in set(self._stored_by.values())}
        positions: dict[TopicPartition, int] = {}
        for topic in self._subscription.topics:
            ends = await self._transport.end_offsets(topic)
            if topic not in self._stored_by:
                positions.update(ends)
            else:  # a group that never committed a partition begins with its first record
                lag = behind[self._stored_by[topic]]
                positions.update({partition: end - lag.get(partition, end) for partition, end in ends.items()})
        return positions

    async def _follow(self) -> None:
        consumer = self._transport.consumer(client_id=f"{self._service}.{self.name}")
        await consumer.start()
        try:
            consumer.assign(list(self._positions))
            for partition, offset in self._positions.items():
                consumer.seek(partition, offset)
            while True:
                await asyncio.sleep(_LINGER)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(_LONGEST_REST):
                        await self._at_rest.wait()
                fetched = await consumer.getmany(timeout_ms=_FETCH_MS, max_records=_AT_ONCE)
                for partition, records in fetched.items():
                    await self._handle(records)
                    self._positions[partition] = records[-1].offset + 1
        finally:
            await consumer.stop()

    async def _handle(self, records: Sequence[Record]) -> None:
        for record in records:
            version, key = snapshot_version(record), (record.key or b"").decode(errors="replace")
            if version is not None and version <= self._version_of(record.topic, key):
                continue
            try:
                await self._handle_one[record.topic](self._subscription.read(record))
            except Exception as error:
                log.warning("an event was skipped", what=self.name, topic=record.topic, key=key, error=repr(error))
