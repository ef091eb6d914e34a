"""The embedded log: topics, records and the offsets of consumer groups, durable in one SQLite file of a data folder."""

from __future__ import annotations

import asyncio
import logging
import os
import sqlite3
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, closing
from functools import partial
from pathlib import Path
from typing import Final, Self, TypeVar

from aiokafka import TopicPartition
from aiokafka.errors import KafkaConnectionError, KafkaStorageError, UnknownError, UnknownTopicOrPartitionError
from aiokafka.structs import RecordMetadata

from shared.durability.sqlite_writer import Writer
from shared.embedded import storage
from shared.embedded.consumer import ConsumerGroup
from shared.embedded.storage import Fetched, Partition, Row, claim_folder
from shared.embedded.sweeping import compact, expire
from shared.errors import Unavailable
from shared.messaging.transport import Headers, TopicMismatch, partition_of
from shared.schemas.topics import Topic
from shared.tasks import end

_logger: Final = logging.getLogger(__name__)
_UNWRITTEN_BYTES: Final = 67_108_864
"""How much may wait for the disk before producers wait: more than two publishers send at once, and little memory."""

T = TypeVar("T")


_Append = tuple[Partition, RecordMetadata, int, asyncio.Future[RecordMetadata]]
"""A record on its way to the disk: its partition, its place, the bytes of its value, and its producer's future."""


class DurableLog:
    """One process at a time may have a data folder open. Everything runs on one event loop.

    An acknowledged append survives the end of the process and of the power supply at any moment. Appends of one turn of
    the event loop are one transaction, and transactions that wait at the same time share one sync. Reading never waits
    for writing. Expired records, and records replaced in a compacted topic, are removed every ``sweep_seconds``.
    """

    def __init__(self, folder: Path | str, *, sweep_seconds: float = 600.0) -> None:
        self.folder = Path(folder)
        self._sweep_seconds = sweep_seconds
        self._changing = asyncio.Lock()
        self._writer: Writer | None = None
        self._reader: sqlite3.Connection | None = None
        self._opened = AsyncExitStack()  # what a stop closes
        self._topics: dict[str, Topic] = {}
        self._partitions: dict[str, list[Partition]] = {}
        self._commits: dict[str, dict[TopicPartition, int]] = {}
        self._groups: dict[str, ConsumerGroup] = {}
        self._rows: list[Row] = []  # appended, and not yet with the writer
        self._appends: list[_Append] = []  # of these rows
        self._unwritten = 0
        self.room = asyncio.Event()  # not set while too much waits for the disk
        self.room.set()

    async def start(self) -> None:
        """DataFolderInUse when another process has the folder, UnknownFormat for a file of another version."""
        async with self._changing, AsyncExitStack() as opened:
            if self.running:
                return
            opened.callback(os.close, claim_folder(self.folder))
            writer = Writer(self.folder / storage.FILE_NAME)
            opened.push_async_callback(writer.stop)
            await writer.start()
            self._topics, self._partitions, self._commits = await writer.run(storage.load)
            self._reader = opened.enter_context(closing(storage.open_reader(self.folder)))
            self._writer = writer
            sweeper = asyncio.create_task(self._sweep_regularly(), name="sweeper of the embedded log")
            opened.push_async_callback(self._end, sweeper)
            self._opened = opened.pop_all()

    async def stop(self) -> None:
        """Returns when every append is on the disk."""
        async with self._changing:
            await self._opened.aclose()

    async def _end(self, sweeper: asyncio.Task[None]) -> None:
        await end(sweeper)
        for group in self._groups.values():
            await group.close()
        self._groups.clear()
        self._hand_over()
        self._writer = self._reader = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    @property
    def running(self) -> bool:
        return self._writer is not None

    # --- topics

    async def create_topics(self, topics: Iterable[Topic]) -> None:
        """Create the topics that are missing, all or none. TopicMismatch when one has another partition count."""
        async with self._changing:
            topics = list(topics)
            missing = {topic.name: topic for topic in topics if topic.name not in self._topics}
            for topic in topics:
                found = (self._topics | missing)[topic.name]
                if found.partitions != topic.partitions:
                    raise TopicMismatch(topic.name, wanted=topic.partitions, found=found.partitions)
            if missing:
                self._partitions |= await self._write(
                    lambda file: {topic.name: storage.create_topic(file, topic) for topic in missing.values()}
                )
                self._topics |= missing

    def partitions(self, topic: str) -> Sequence[Partition]:
        """In the order of their numbers. UnknownTopicOrPartitionError for a topic that does not exist."""
        try:
            return self._partitions[topic]
        except KeyError:
            raise UnknownTopicOrPartitionError(f"there is no topic {topic}") from None

    def partition(self, name: TopicPartition) -> Partition:
        """UnknownTopicOrPartitionError when it does not exist."""
        topic, number = str(name.topic), int(name.partition)
        found = self.partitions(topic)
        if not 0 <= number < len(found):
            raise UnknownTopicOrPartitionError(f"topic {topic} has no partition {number}")
        return found[number]

    # --- records

    def append(
        self,
        topic: str,
        *,
        key: bytes | None,
        value: bytes | None,
        headers: Headers = (),
        timestamp_ms: int | None = None,
        partition: int | None = None,
    ) -> asyncio.Future[RecordMetadata]:
        """Store a record behind all that was appended before; the future completes when it is on the disk.

        A key goes to the partition that Kafka's partitioner gives it; without a key, any partition is taken. At once:
        TypeError for what is not bytes, UnknownError for a record without a key in a compacted topic. The future raises
        KafkaStorageError when the disk refuses, and the record's offset stays unused. Wait for ``room`` first.
        """
        if self._writer is None:
            raise self._stopped()
        found = self.partitions(topic)
        if key is None and "compact" in self._topics[topic].policies:
            raise UnknownError(f"topic {topic} is compacted: a record of it needs a key")
        if partition is None:
            place = partition_of(key, found, found)
        else:
            place = self.partition(TopicPartition(topic, partition))
        timestamp = time.time_ns() // 1_000_000 if timestamp_ms is None else timestamp_ms
        row = storage.new_row(place.id, place.next, timestamp, key, value, headers)
        loop = asyncio.get_running_loop()
        if not self._rows:
            loop.call_soon(self._hand_over)
        durable: asyncio.Future[RecordMetadata] = loop.create_future()
        size = len(value or b"")
        stored = RecordMetadata(topic, place.name.partition, place.name, place.next, timestamp, 0, place.start)
        self._rows.append(row)
        self._appends.append((place, stored, size, durable))
        place.next += 1
        self._unwritten += size
        if self._unwritten > _UNWRITTEN_BYTES:
            self.room.clear()
        return durable

    async def flush(self) -> None:
        """Wait until everything that was appended before is durable or failed: a round trip to the writing thread."""
        await self._write(lambda _: None)

    def fetch(self, wanted: Iterable[tuple[Partition, int]], limit: int | None) -> list[Fetched]:
        """For each partition its records from an offset on, all together at most ``limit``.

        Not many more than 4 MiB, and at least one record. CorruptRecordException for what the disk has damaged.
        It reads on the event loop: a record costs 2 µs there, and a thread would wait longer for the interpreter.
        """
        if self._reader is None:
            raise self._stopped()
        return storage.read_records(self._reader, [(found, offset, found.end) for found, offset in wanted], limit)

    def first_since(self, partition: Partition, timestamp_ms: int) -> int:
        """The offset of the first record of this time or later; the end when there is none."""
        if self._reader is None:
            raise self._stopped()
        return storage.first_since(self._reader, partition.id, partition.start, partition.end, timestamp_ms)

    def _hand_over(self) -> None:
        """Give the writer what this turn of the event loop has appended, as one transaction."""
        rows, self._rows = self._rows, []
        appends, self._appends = self._appends, []
        if rows and self._writer is not None:
            written = self._writer.run(lambda file: storage.insert_records(file, rows))
            written.add_done_callback(partial(self._acknowledge, appends))

    def _acknowledge(self, appends: Sequence[_Append], written: asyncio.Future[None]) -> None:
        error = written.exception()
        grown: set[Partition] = set()
        for partition, stored, size, durable in appends:
            self._unwritten -= size
            if error is None:
                partition.end = stored.offset + 1
                grown.add(partition)
            if durable.done():
                continue
            if error is None:
                durable.set_result(stored)
            else:
                durable.set_exception(self._failure(error))
        if self._unwritten <= _UNWRITTEN_BYTES:
            self.room.set()
        for wake in {wake for partition in grown for wake in partition.watchers}:
            wake()

    # --- consumer groups

    async def commit(self, group: str, offsets: Mapping[TopicPartition, int]) -> None:
        """Store where the group continues; durable when this returns. What is stored already is not written again."""
        before = self._commits.setdefault(group, {})
        changed = {name: offset for name, offset in offsets.items() if before.get(name) != offset}
        if changed:
            by_id = {self._partitions[name.topic][name.partition].id: offset for name, offset in changed.items()}
            await self._write(lambda file: storage.commit_offsets(file, group, by_id))
            before.update(changed)

    def committed(self, group: str) -> Mapping[TopicPartition, int]:
        """Where the group continues in each partition that it ever committed."""
        return self._commits.get(group, {})

    def group(self, name: str) -> ConsumerGroup:
        """The members that the group has in this process."""
        return self._groups.setdefault(name, ConsumerGroup(self.partitions))

    # --- retention and compaction

    async def sweep(self, now_ms: int | None = None) -> None:
        """Remove expired and replaced records, as of ``now_ms`` (default: the present). Appending goes on."""
        now = time.time_ns() // 1_000_000 if now_ms is None else now_ms
        for topic in tuple(self._topics.values()):
            for partition in self._partitions[topic.name]:
                if "delete" in topic.policies:
                    await expire(self._write, partition, topic, now)
                if "compact" in topic.policies:
                    await compact(self.folder, self._write, partition, topic, now)

    async def _sweep_regularly(self) -> None:
        while True:
            await asyncio.sleep(self._sweep_seconds)
            try:
                await self.sweep()
            except Exception:
                _logger.exception("sweeping the embedded log in %s failed; it is tried again", self.folder)

    # --- the file

    async def _write(self, transaction: Callable[[sqlite3.Connection], T]) -> T:
        """Run a transaction behind everything that was appended before."""
        if self._writer is None:
            raise self._stopped()
        self._hand_over()
        try:
            return await self._writer.run(transaction)
        except (sqlite3.Error, Unavailable) as error:
            raise self._failure(error) from error

    def _failure(self, error: BaseException) -> KafkaStorageError:
        return KafkaStorageError(f"the embedded log in {self.folder} cannot be written: {error}")

    def _stopped(self) -> KafkaConnectionError:
        return KafkaConnectionError(f"the embedded log in {self.folder} is not running")
