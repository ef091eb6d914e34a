"""Owns the way of a record into the embedded log: its offset, its batch, the wait for the disk, the acknowledgement."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from itertools import chain, repeat
from typing import Any, Final

from aiokafka.errors import KafkaStorageError
from aiokafka.structs import RecordMetadata

from shared.embedded.batches import BATCH_BYTES, BatchBuilder, StoredBatch, new_builder, pack, placed
from shared.embedded.partitions import OpenBatch, Partition, Topic
from shared.embedded.storage import Segment
from shared.embedded.writer import Group, GroupCommitWriter, Sealed, Work
from shared.messaging.transport import Headers

__all__ = ["Intake"]

_RECORDS_A_BATCH: Final = 500
_SEGMENT_BYTES: Final = 524_288
_WAITING_BYTES: Final = 67_108_864


class Intake:
    """Gathers what one turn of the event loop brings and hands it to the writer, as one batch a partition.

    Offsets are given at once, in the order of ``append``; those of a commit that failed stay unused. ``grown`` is
    called for each batch that became durable, before anybody is told, ``told`` after everybody was.
    """

    def __init__(
        self, now_ms: Callable[[], int], grown: Callable[[Partition, StoredBatch], None], told: Callable[[], None]
    ) -> None:
        self._now_ms = now_ms
        self._now = 0
        self._grown = grown
        self._told = told
        self._open: list[Partition] = []
        self._gathered = Group()
        self._scheduled = False
        self._waiting_bytes = 0
        self._room = asyncio.Event()
        self.crowded = False
        self._writer: GroupCommitWriter | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def attach(self, writer: GroupCommitWriter) -> None:
        """From now on this writer commits."""
        self._writer = writer
        self._loop = asyncio.get_running_loop()
        self._create_future = self._loop.create_future
        self._waiting_bytes = 0

    async def room(self) -> None:
        """Wait until less waits for the disk."""
        while self.crowded:
            self._room.clear()
            await self._room.wait()

    def append(
        self, partition: Partition, key: bytes | None, value: bytes | None, headers: Headers, timestamp: int | None
    ) -> asyncio.Future[RecordMetadata]:
        """Have a record stored behind all that came before, with the time of this turn of the loop unless said.

        TypeError, and nothing happened, for what is not bytes.
        """
        batch = partition.open or self._begin(partition)
        if timestamp is None:
            timestamp = self._now
        waiting = batch.waiting
        if type(headers) is not list:
            headers = [*headers]
        if batch.add(len(waiting), timestamp, key, value, headers) is None:
            self._seal(partition)
            batch = self._begin(partition)
            waiting = batch.waiting
            batch.add(0, timestamp, key, value, headers)
        future: asyncio.Future[RecordMetadata] = self._create_future()
        waiting.append((future, timestamp))
        partition.next += 1
        if len(waiting) == _RECORDS_A_BATCH:
            self._seal(partition)
        return future

    def append_batch(self, partition: Partition, builder: BatchBuilder) -> asyncio.Future[RecordMetadata]:
        """Have a batch stored whole; answers its first record's metadata."""
        self._seal(partition)
        future: asyncio.Future[RecordMetadata] = asyncio.get_running_loop().create_future()
        stored = builder.placed(partition.next)
        self._gather(Sealed(partition, stored, [(future, None)]))
        partition.next = stored.last + 1
        self._schedule()
        return future

    def work(self, run: Callable[[sqlite3.Connection], Any]) -> asyncio.Future[Any]:
        """Have a function run as one transaction, together with or behind all that came before."""
        future = asyncio.get_running_loop().create_future()
        self._gathered.works.append(Work(run, future))
        self._schedule()
        return future

    def hand_over(self) -> None:
        """Give the writer what was gathered."""
        self._scheduled = False
        for partition in self._open:
            self._seal(partition)
        self._open.clear()
        group, self._gathered = self._gathered, Group()
        group.segments = _segments(group.batches)
        if self._writer is not None and (group.batches or group.works):
            self._writer.submit(group)

    def settle(self, group: Group) -> None:
        """Tell everyone who waited."""
        error = group.error
        if isinstance(error, sqlite3.Error):
            error = KafkaStorageError(f"the embedded log cannot be written: {error}")
        for sealed in group.batches:
            self._waiting_bytes -= len(sealed.batch.body)
            if error is None:
                self._acknowledge(sealed)
            else:
                _refuse(sealed, error)
        for work in group.works:
            failure = error or work.error
            if work.future.done():
                continue
            if failure is None:
                work.future.set_result(work.returned)
            else:
                work.future.set_exception(failure)
        self.crowded = self._waiting_bytes > _WAITING_BYTES
        self._room.set()
        self._told()

    def _acknowledge(self, sealed: Sealed) -> None:
        partition = sealed.partition
        self._grown(partition, sealed.batch)
        name = partition.name
        topic, number = name
        start = partition.start
        make = RecordMetadata._make
        for offset, (future, timestamp) in enumerate(sealed.waiting, sealed.batch.base):
            if not future.done():
                future.set_result(make((topic, number, name, offset, timestamp, 0, start)))

    def _begin(self, partition: Partition) -> OpenBatch:
        builder = new_builder(BATCH_BYTES)
        batch = partition.open = OpenBatch(partition.next, builder, builder.append)
        self._open.append(partition)
        self._schedule()
        return batch

    def _seal(self, partition: Partition) -> None:
        batch, partition.open = partition.open, None
        if batch is not None and batch.waiting:
            last = batch.base + len(batch.waiting) - 1
            self._gather(Sealed(partition, placed(batch.base, last, batch.builder.build()), batch.waiting))

    def _gather(self, sealed: Sealed) -> None:
        self._waiting_bytes += len(sealed.batch.body)
        self.crowded = self._waiting_bytes > _WAITING_BYTES
        self._gathered.batches.append(sealed)

    def _schedule(self) -> None:
        if not self._scheduled and self._loop is not None:
            self._scheduled = True
            self._now = self._now_ms()
            self._loop.call_soon(self.hand_over)


def _refuse(sealed: Sealed, error: BaseException) -> None:
    for future, _ in sealed.waiting:
        if not future.done():
            future.set_exception(error)


def _segments(batches: Iterable[Sealed]) -> list[tuple[int, Segment]]:
    """The rows these batches become: one a topic, more where they are large."""
    by_topic: dict[Topic, list[Sealed]] = {}
    for sealed in batches:
        by_topic.setdefault(sealed.partition.topic, []).append(sealed)
    return [(topic.id, segment) for topic, held in by_topic.items() for segment in _cut(topic, held)]


def _cut(topic: Topic, batches: list[Sealed]) -> Iterator[Segment]:
    held: list[tuple[int, StoredBatch]] = []
    size = 0
    for last, sealed in zip(chain(repeat(False, len(batches) - 1), (True,)), batches, strict=True):
        number, batch = sealed.partition.number, sealed.batch
        held.append((number, batch))
        topic.ends[number] = batch.last + 1
        size += len(batch.body)
        if last or size >= _SEGMENT_BYTES:
            yield Segment(topic.next_segment, max(one.newest for _, one in held), tuple(topic.ends), pack(held))
            topic.next_segment += 1
            held, size = [], 0
