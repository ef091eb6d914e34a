"""Owns the embedded log: topics, records and groups' offsets, durable in one SQLite file of a data folder."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path
from random import choice
from types import TracebackType
from typing import Any, Final, Self

from aiokafka import TopicPartition
from aiokafka.errors import KafkaConnectionError, UnknownError, UnknownTopicOrPartitionError
from aiokafka.structs import OffsetAndMetadata, RecordMetadata

from shared.embedded import storage, sweeping
from shared.embedded.batches import BatchBuilder, StoredBatch
from shared.embedded.fetching import fetch_from_file
from shared.embedded.folder import FolderClaim
from shared.embedded.groups import ConsumerGroup
from shared.embedded.intake import Intake
from shared.embedded.partitions import Fetched, Partition, RecentBatches, Topic
from shared.embedded.writer import GroupCommitWriter
from shared.messaging.partitioning import partition_of
from shared.messaging.transport import Headers, TopicMismatch, TopicSpec
from shared.tasks import end

__all__ = ["DurableLog"]

_logger: Final = logging.getLogger(__name__)
_FILE: Final = "messages.db"
_PLACES_KEPT: Final = 65_536


class DurableLog:
    """A log in a data folder. One process at a time, one event loop; may be started by several owners.

    It opens with the first ``start`` and closes with the last ``stop``. An append that was acknowledged survives the
    process's end at any moment; appends that wait at the same time share one sync. Reading never waits for writing:
    the newest records (``cache_bytes`` of them) are read from memory, older ones by a thread of their own. What has
    expired, or was replaced in a compacted topic, goes every ``sweep_seconds``.
    """

    def __init__(
        self,
        folder: Path | str,
        *,
        now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
        cache_bytes: int = 33_554_432,
        sweep_seconds: float = 600.0,
    ) -> None:
        self.folder = Path(folder)
        self._now_ms = now_ms
        self._sweep_seconds = sweep_seconds
        self._sweeper: asyncio.Task[None] | None = None
        self._claim = FolderClaim(self.folder)
        self._owners = 0
        self._changing = asyncio.Lock()
        self._sweeping = asyncio.Lock()
        self._cache_bytes = cache_bytes
        self._recent = RecentBatches(cache_bytes)
        self._writer: GroupCommitWriter | None = None
        self._reader: sqlite3.Connection | None = None
        self._threads: ThreadPoolExecutor | None = None
        self._topics: dict[str, Topic] = {}
        self._place_of: Callable[[str, bytes], Partition] = self._partition_of_key
        self._by_id: dict[int, Topic] = {}
        self._commits: dict[str, dict[tuple[int, int], tuple[int, str]]] = {}
        self._groups: dict[str, ConsumerGroup] = {}
        self._topic_watchers: set[Callable[[], None]] = set()
        self._to_tell: set[Callable[[], None]] = set()
        self._intake = Intake(now_ms, self._grown, self._tell)

    async def start(self) -> None:
        """DataFolderInUse when another process has the folder."""
        async with self._changing:
            if self._owners == 0:
                await self._open()
            self._owners += 1

    async def stop(self) -> None:
        """The last owner's stop waits until all that was appended is on the disk."""
        async with self._changing:
            self._owners = max(0, self._owners - 1)
            if self._owners == 0:
                await self._close()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def _open(self) -> None:
        self._claim.take()
        writer = GroupCommitWriter(self.folder / _FILE, self._intake.settle)
        try:
            stored, self._commits = await writer.start(
                lambda connection: (storage.topics(connection), storage.committed_offsets(connection))
            )
        except BaseException:
            self._claim.release()
            raise
        self._topics = {row.spec.name: Topic.stored(row) for row in stored}
        # Kafka's hash costs more in Python than all else on a record's way
        self._place_of = lru_cache(_PLACES_KEPT)(self._partition_of_key)
        self._by_id = {topic.id: topic for topic in self._topics.values()}
        self._intake.attach(writer)
        self._recent = RecentBatches(self._cache_bytes)
        self._threads = ThreadPoolExecutor(1, "epic-log-reader")
        self._reader = storage.open_reader(self.folder / _FILE)
        self._writer = writer
        self._sweeper = asyncio.create_task(self._sweep_regularly())

    async def _close(self) -> None:
        if self._sweeper is not None:
            await end(self._sweeper)
        for group in self._groups.values():
            await group.close()
        self._groups.clear()
        self._intake.hand_over()
        writer, reader, threads = self._writer, self._reader, self._threads
        self._writer = self._reader = self._threads = None
        if writer is not None:
            await writer.stop()
        if threads is not None and reader is not None:
            await asyncio.get_running_loop().run_in_executor(threads, reader.close)
            threads.shutdown()
        self._claim.release()

    # --- topics

    async def create_topics(self, specs: Iterable[TopicSpec]) -> None:
        """Make the topics that are missing, all or none. TopicMismatch when one has another partition count."""
        async with self._changing:
            missing = []
            for spec in specs:
                found = self._topics.get(spec.name)
                if found is None:
                    missing.append(spec)
                elif found.spec.partitions != spec.partitions:
                    raise TopicMismatch(spec.name, wanted=spec.partitions, found=found.spec.partitions)
            if not missing:
                return
            for row in await self.write(lambda writer: [storage.add_topic(writer, spec) for spec in missing]):
                self._topics[row.spec.name] = self._by_id[row.id] = Topic.stored(row)
        for tell in tuple(self._topic_watchers):
            tell()

    def topics(self) -> dict[str, TopicSpec]:
        return {name: topic.spec for name, topic in self._topics.items()}

    def partitions(self, topic: str) -> Sequence[Partition]:
        """In order of their numbers. UnknownTopicOrPartitionError when nobody made the topic."""
        try:
            return self._topics[topic].partitions
        except KeyError:
            raise UnknownTopicOrPartitionError(f"there is no topic {topic}") from None

    def partition(self, name: TopicPartition) -> Partition:
        """UnknownTopicOrPartitionError when there is none of that number."""
        found = self.partitions(name.topic)
        number: int = name.partition
        if not 0 <= number < len(found):
            raise UnknownTopicOrPartitionError(f"topic {name.topic} has no partition {number}")
        return found[number]

    def partitions_for_topic(self, topic: str) -> set[int] | None:
        """Their numbers; None for an unknown topic."""
        found = self._topics.get(topic)
        return set(range(found.spec.partitions)) if found else None

    def watch_topics(self, tell: Callable[[], None]) -> Callable[[], None]:
        """``tell`` is called whenever topics were made, until the function answered is called."""
        self._topic_watchers.add(tell)
        return lambda: self._topic_watchers.discard(tell)

    # --- records

    async def append(
        self,
        topic: str,
        *,
        key: bytes | None,
        value: bytes | None,
        headers: Headers = (),
        timestamp_ms: int | None = None,
        partition: int | None = None,
    ) -> tuple[int, int]:
        """Store one record; answers (partition, offset) when it is on the disk. KafkaStorageError when it cannot be."""
        if self._writer is None:
            raise self._stopped()
        intake = self._intake
        if intake.crowded:
            await intake.room()
        stored = await intake.append(self.place(topic, key, partition), key, value, headers, timestamp_ms)
        return stored.partition, stored.offset

    def enqueue(
        self, partition: Partition, key: bytes | None, value: bytes | None, headers: Headers, timestamp_ms: int | None
    ) -> asyncio.Future[RecordMetadata]:
        """Have a record stored behind all that was enqueued before; its metadata comes when it is on the disk.

        TypeError, and nothing happened, for what is not bytes. Whoever enqueues waits for ``room`` first.
        """
        if self._writer is None:
            raise self._stopped()
        return self._intake.append(partition, key, value, headers, timestamp_ms)

    def enqueue_batch(self, topic: str, partition: int | None, batch: BatchBuilder) -> asyncio.Future[RecordMetadata]:
        """Have a batch stored whole, in any partition unless said; answers its first record's metadata."""
        if self._writer is None:
            raise self._stopped()
        anyone = None if batch.keyless else b""
        chosen = choice(self.partitions(topic)).number if partition is None else partition
        return self._intake.append_batch(self.place(topic, anyone, chosen), batch)

    @property
    def crowded(self) -> bool:
        """Whether so much waits for the disk that whoever brings more waits for ``room`` first."""
        return self._intake.crowded

    async def room(self) -> None:
        """Wait while too much waits for the disk."""
        await self._intake.room()

    def place(self, topic: str, key: bytes | None, partition: int | None = None) -> Partition:
        """The partition of a key: the one Kafka's own partitioner takes; without a key, any (UnknownError, as Kafka's
        clients have it, in a compacted topic)."""
        if key is not None and partition is None:
            return self._place_of(topic, key)
        found = self.partitions(topic)
        if key is None and found[0].topic.compacted:
            raise UnknownError(f"topic {topic} is compacted: a record of it needs a key")
        return choice(found) if partition is None else self.partition(TopicPartition(topic, partition))

    def _partition_of_key(self, topic: str, key: bytes) -> Partition:
        return partition_of(key, self.partitions(topic), ())

    @property
    def running(self) -> bool:
        return self._writer is not None

    async def barrier(self) -> None:
        """Wait until all that was enqueued before is settled: a round trip through the disk's thread."""
        await self.write(lambda _: None)

    async def ping(self, timeout: float | None) -> None:
        """A round trip through the writing thread. KafkaConnectionError when it does not answer in time."""
        try:
            async with asyncio.timeout(timeout):
                await self.barrier()
        except TimeoutError:
            raise KafkaConnectionError(f"the embedded log in {self.folder} did not answer in {timeout:g} s") from None

    def recent(self, partition: Partition, offset: int) -> Fetched | None:
        """The records from ``offset`` on, where they are in memory."""
        return self._recent.fetch(partition, offset)

    async def fetch(self, wanted: Sequence[tuple[Partition, int]]) -> dict[TopicPartition, Fetched]:
        """Records of partitions of one topic, each from an offset on, read from the file; some may get none yet."""
        bounded = {partition.number: (partition, offset, partition.end) for partition, offset in wanted}
        fetched: dict[TopicPartition, Fetched] = await self.read(lambda reader: fetch_from_file(reader, bounded))
        return fetched

    def _grown(self, partition: Partition, batch: StoredBatch) -> None:
        partition.end = batch.last + 1
        self._recent.keep(partition, batch)
        self._to_tell |= partition.watchers

    def _tell(self) -> None:
        tell, self._to_tell = self._to_tell, set()
        for one in tell:
            one()

    # --- groups

    async def commit(self, group: str, offsets: Mapping[TopicPartition, OffsetAndMetadata]) -> None:
        """Note where the group goes on; durable when this returns."""
        noted = {
            (self.partition(name).topic.id, name.partition): (said.offset, said.metadata)
            for name, said in offsets.items()
        }
        await self.write(lambda writer: storage.commit_offsets(writer, group, noted))
        self._commits.setdefault(group, {}).update(noted)

    def committed(self, group: str) -> dict[TopicPartition, OffsetAndMetadata]:
        """Where the group goes on, for each partition it ever committed."""
        return {
            self._by_id[topic].partitions[number].name: OffsetAndMetadata(*said)
            for (topic, number), said in self._commits.get(group, {}).items()
        }

    def committing(self) -> list[str]:
        """The groups that ever committed."""
        return sorted(self._commits)

    def group(self, name: str) -> ConsumerGroup:
        """The consumers of this process that share this group."""
        return self._groups.setdefault(name, ConsumerGroup(name, self.partitions_for_topic))

    # --- what leaves

    async def sweep(self, now: int | None = None) -> None:
        """Drop expired records and compact, as of ``now`` (ms, the present unless said). Appending goes on."""
        moment = self._now_ms() if now is None else now
        async with self._sweeping:
            for topic in list(self._topics.values()):
                starts = await sweeping.expire(self, topic, moment)
                changed = await sweeping.compact(self, topic, moment)
                for partition in topic.partitions:
                    if starts is not None:
                        partition.start = starts[partition.number]
                    before = changed[partition.number] if changed is not None else partition.start
                    self._recent.forget(partition, max(partition.start, before))

    async def _sweep_regularly(self) -> None:
        while True:
            await asyncio.sleep(self._sweep_seconds)
            try:
                await self.sweep()
            except Exception:
                _logger.exception("sweeping the embedded log in %s failed; it is tried again", self.folder)

    # --- the file

    async def write(self, run: Callable[[sqlite3.Connection], Any]) -> Any:
        """Run a function as one transaction, behind all that was enqueued before."""
        if self._writer is None:
            raise self._stopped()
        return await self._intake.work(run)

    async def read(self, run: Callable[[sqlite3.Connection], Any]) -> Any:
        """Run a function on the reading connection, in its own thread."""
        if self._reader is None:
            raise self._stopped()
        return await asyncio.get_running_loop().run_in_executor(self._threads, run, self._reader)

    def _stopped(self) -> KafkaConnectionError:
        return KafkaConnectionError(f"the embedded log in {self.folder} is not running")
