"""The contract of a transport, which Kafka and the embedded log fulfil alike; and what is done with any: to create the
registry's topics, and to read records without a consumer group.
"""

from __future__ import annotations

import asyncio
from asyncio import Future
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from functools import lru_cache
from random import choice
from typing import Final, Protocol, TypeVar

from aiokafka import ConsumerRecord, TopicPartition
from aiokafka.abc import ConsumerRebalanceListener
from aiokafka.partitioner import murmur2
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.structs import RecordMetadata

from shared.errors import EpicError, Unavailable
from shared.schemas.topics import TOPICS, Topic

RECORD_BYTES: Final = 8_388_608
"""The largest record EPIC sends and takes, headers and framing included; producers, topics and the log enforce it.

Consumers need no setting for it: a fetch brings at least one record, however large.
"""
Headers = Sequence[tuple[str, bytes | None]]
P = TypeVar("P")

_KEYS_KEPT: Final = 65_536  # three events of 20,000 fleets; the hash costs more than the rest of a record's append
_POLL_MS: Final = 1_000  # a waiting consumer returns earlier, when a record is there
_POLL_TO_END_MS: Final = 100  # the end of a topic is noticed after so long
_READ_SECONDS: Final = 30.0  # as long as a publisher waits for the broker


class GroupInUse(EpicError):
    """The consumer group has members, so that its offsets cannot be changed."""


class TopicMismatch(EpicError):
    """The topic exists with another partition count than asked for."""

    def __init__(self, topic: str, *, wanted: int, found: int) -> None:
        super().__init__(
            f"topic {topic} has {found} partitions and {wanted} are asked for: keys would move between partitions; "
            f"make the registry say {found}, or move the records to a new topic"
        )


class Producer(Protocol):
    """aiokafka's producer, as far as EPIC uses it: idempotent, acknowledged only when durable."""

    async def start(self) -> None: ...

    async def stop(self) -> None:
        """Returns when everything that was sent is acknowledged or failed."""

    async def send(
        self,
        topic: str,
        value: bytes | None = None,
        key: bytes | None = None,
        partition: int | None = None,
        timestamp_ms: int | None = None,
        headers: Headers | None = None,
    ) -> Future[RecordMetadata]:
        """Hand a record over; the future completes when the record is durable. Records of one key keep their order.

        At once: MessageSizeTooLargeError, TypeError for what is not bytes, ValueError without key and value,
        UnknownTopicOrPartitionError.
        """


class Consumer(Protocol):
    """aiokafka's consumer, as far as EPIC and FastStream use it. It never commits by itself."""

    def subscribe(
        self, topics: Sequence[str] = (), pattern: str | None = None, listener: ConsumerRebalanceListener | None = None
    ) -> None:
        """Consume these topics; with a group, share their partitions with the other members."""

    def assign(self, partitions: Sequence[TopicPartition]) -> None:
        """Consume these partitions, without sharing."""

    async def start(self) -> None: ...
    async def stop(self) -> None: ...

    async def getmany(
        self, *partitions: TopicPartition, timeout_ms: float = 0, max_records: int | None = None
    ) -> dict[TopicPartition, list[ConsumerRecord]]:
        """At most ``max_records`` records; waits for the first, empty after the timeout. ConsumerStoppedError.

        A stop ends the wait.
        """

    async def commit(self, offsets: Mapping[TopicPartition, int] | None = None) -> None:
        """Store where the group continues: at the positions, or at these offsets. Durable when this returns.

        IllegalStateError for a partition that is not assigned, IllegalOperation without a group.
        """

    def seek(self, partition: TopicPartition, offset: int) -> None:
        """Continue at this offset."""

    async def position(self, partition: TopicPartition) -> int: ...
    def assignment(self) -> set[TopicPartition]: ...


class Transport(Protocol):
    """Where messages go to and come from.

    Clients are not started when they are handed out, and belong to the caller. Everything runs on one event loop.
    """

    async def start(self) -> None:
        """Connect. KafkaConnectionError when the broker is away, DataFolderInUse when another process has the log."""

    async def stop(self) -> None: ...

    async def ping(self, timeout: float) -> None:
        """One round trip to the broker. KafkaConnectionError if it takes longer than ``timeout`` seconds."""

    async def create_topics(self, topics: Sequence[Topic]) -> None:
        """Create the topics that do not exist, and wait until all can be written to, with records of any size allowed.

        An existing topic stays as it is, except that its ``max.message.bytes`` may be raised. Idempotent, and safe in
        several processes at once. TopicMismatch when a partition count differs.
        """

    def producer(self, *, client_id: str | None = None) -> Producer: ...

    def consumer(self, *topics: str, group_id: str | None = None, client_id: str | None = None) -> Consumer:
        """A consumer of these topics. Where the group has committed nothing, it begins at the first record."""

    async def end_offsets(self, topic: str) -> dict[TopicPartition, int]:
        """For each partition the offset of its next record. UnknownTopicOrPartitionError for an unknown topic."""

    async def lag(self, group: str) -> dict[TopicPartition, int]:
        """For each partition that the group ever committed, the number of offsets it is behind."""

    async def groups(self) -> list[str]:
        """Every consumer group that ever committed."""

    async def rewind(self, group: str, since: int | None) -> dict[TopicPartition, int]:
        """Set a group back to the first record, or to the first one written at ``since`` (ms since the epoch) or later.

        Never forward. Returns by how many offsets each partition was set back; partitions that were not are left out.
        GroupInUse while the group has members.
        """


record_size: Final[Callable[[bytes | None, bytes | None, Headers], int]] = (
    DefaultRecordBatchBuilder.estimate_size_in_bytes
)
"""The size, by key, value and headers (a list), that Kafka's producer compares with the limit."""

_hash_of: Final[Callable[[bytes], int]] = lru_cache(_KEYS_KEPT)(murmur2)


def partition_of(key: bytes | None, partitions: Sequence[P], available: Sequence[P]) -> P:
    """The partition that Kafka's Java client takes; without a key any of those available. aiokafka's signature."""
    if key is None:
        return choice(available or partitions)
    return partitions[(_hash_of(key) & 0x7FFFFFFF) % len(partitions)]


async def ensure_topics(transport: Transport, service: str | None = None) -> None:
    """Creates the topics that a service owns, produces or consumes, where they are missing; without one, all topics.

    Idempotent. A service creates what it consumes as well, so that services may start in any order.
    """
    wanted = [
        topic
        for topic in TOPICS.values()
        if service is None or service in (topic.owner, *topic.producers, *topic.consumers)
    ]
    await transport.create_topics(wanted)


async def follow_records(
    transport: Transport, topic: str, since: Mapping[TopicPartition, int] | None = None, *, to_end: bool = False
) -> AsyncGenerator[ConsumerRecord, None]:
    """The records of some partitions from these offsets on; without offsets, all records of the topic.

    Endless; with ``to_end`` up to the end that the topic has now. UnknownTopicOrPartitionError.
    """
    ends = await transport.end_offsets(topic)
    positions = dict.fromkeys(ends, 0) if since is None else since
    if to_end and all(offset >= ends[place] for place, offset in positions.items()):
        return
    consumer = transport.consumer()
    await consumer.start()
    try:
        consumer.assign(list(positions))
        for place, offset in positions.items():
            consumer.seek(place, offset)
        while not to_end or any([await consumer.position(place) < ends[place] for place in positions]):
            batch = await consumer.getmany(timeout_ms=_POLL_TO_END_MS if to_end else _POLL_MS)
            for place, records in batch.items():
                for record in records:
                    if not to_end or record.offset < ends[place]:
                        yield record
    finally:
        await consumer.stop()


async def read_record(transport: Transport, topic: str, partition: int, offset: int) -> ConsumerRecord | None:
    """The record at one offset; None when it is no longer there. Unavailable when it does not come in time."""
    since = {TopicPartition(topic, partition): offset}
    try:
        async with (
            asyncio.timeout(_READ_SECONDS),
            aclosing(follow_records(transport, topic, since, to_end=True)) as records,
        ):
            async for record in records:
                return record if record.offset == offset else None
    except TimeoutError:
        late = f"{topic}-{partition} did not give its record {offset} in {_READ_SECONDS:.0f} s"
        raise Unavailable(late) from None
    return None
