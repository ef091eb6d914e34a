"""What floors and measurements do on Kafka by aiokafka alone: produce, count, copy."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from bench.figure import Disagreement

_BATCH_BYTES: Final = 131_072
_POLL: Final = 0.005
_SETTLING: Final = 30.0


@dataclass(frozen=True, slots=True)
class Raw:
    """A record to be sent: the same bytes, whoever sends them."""

    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]]


@asynccontextmanager
async def producing(bootstrap: str) -> AsyncIterator[Any]:
    """A producer as durable as EPIC's: idempotent, acks=all, the same batches."""
    producer = AIOKafkaProducer(
        bootstrap_servers=bootstrap, acks="all", enable_idempotence=True, max_batch_size=_BATCH_BYTES
    )
    await producer.start()
    try:
        yield producer
    finally:
        await producer.stop()


@asynccontextmanager
async def consuming(bootstrap: str, topic: str, *, at_end: bool = False) -> AsyncIterator[Any]:
    """A consumer of every partition, without a group; its places are known when this returns."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False, auto_offset_reset="earliest")
    await consumer.start()
    try:
        places = await _places(bootstrap, topic)
        consumer.assign(places)
        for place, offset in (await (consumer.end_offsets if at_end else consumer.beginning_offsets)(places)).items():
            consumer.seek(place, offset)
        yield consumer
    finally:
        await consumer.stop()


async def send_all(producer: Any, topic: str, records: Iterable[Raw]) -> list[Any]:
    """Hands the records to the producer; what it returns is done when the broker has them."""
    return [await producer.send(topic, raw.value, raw.key, headers=raw.headers) for raw in records]


async def create_topic(bootstrap: str, name: str, partitions: int) -> None:
    """Returns once every partition has a leader."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(name, partitions, -1, {})])
    finally:
        await admin.close()
    await _places(bootstrap, name)


class Counter:
    """How many records topics have, asked of the broker: it costs next to nothing while others are measured."""

    def __init__(self, bootstrap: str, consumer: Any) -> None:
        self._bootstrap = bootstrap
        self._consumer = consumer
        self._places: dict[str, list[TopicPartition]] = {}

    async def count(self, topic: str) -> int:
        if topic not in self._places:
            self._places[topic] = await _places(self._bootstrap, topic)
        return sum((await self._consumer.end_offsets(self._places[topic])).values())

    async def reaches(self, topic: str, count: int, *, seconds: float = 180) -> float:
        """The moment (perf_counter) at which the topic was seen to have so many; Disagreement when it gets no further.

        Also when it has more: an event was published twice, or there was one too many.
        """
        deadline = time.perf_counter() + seconds
        while True:
            seen = await self.count(topic)
            now = time.perf_counter()
            if seen >= count:
                if seen > count:
                    raise Disagreement(f"{topic} has {seen} records where {count} were to be")
                return now
            if now > deadline:
                raise Disagreement(f"{topic} has {seen} records after {seconds:.0f} s where {count} were to be")
            await asyncio.sleep(_POLL)

    @classmethod
    @asynccontextmanager
    async def on(cls, bootstrap: str) -> AsyncIterator[Counter]:
        consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap)
        await consumer.start()
        try:
            yield cls(bootstrap, consumer)
        finally:
            await consumer.stop()


async def copies(bootstrap: str, topic: str, keys_beginning: bytes = b"") -> list[Raw]:
    """The records a topic has now, those of some keys only."""
    found: list[Raw] = []
    async with consuming(bootstrap, topic) as consumer:
        ends = await consumer.end_offsets(list(consumer.assignment()))
        open_places = {place for place, end in ends.items() if await consumer.position(place) < end}
        while open_places:
            for place, records in (await consumer.getmany(timeout_ms=200)).items():
                found += [
                    Raw(record.key, record.value, list(record.headers))
                    for record in records
                    if (record.key or b"").startswith(keys_beginning)
                ]
                if records[-1].offset + 1 >= ends[place]:
                    open_places.discard(place)
    return found


async def _places(bootstrap: str, topic: str) -> list[TopicPartition]:
    """Every partition of a topic, once each has a leader."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        deadline = time.monotonic() + _SETTLING
        while True:
            (seen,) = await admin.describe_topics([topic])
            found = seen["partitions"]
            if not seen["error_code"] and found and all(one["leader"] >= 0 for one in found):
                return [TopicPartition(topic, one["partition"]) for one in found]
            if time.monotonic() > deadline:
                raise TimeoutError(f"topic {topic} is not there, or has no leaders, after {_SETTLING:.0f} s")
            await asyncio.sleep(0.05)
    finally:
        await admin.close()
