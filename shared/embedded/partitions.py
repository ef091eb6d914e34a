"""Owns what this process knows of topics and partitions, and the newest batches kept in memory for their readers."""

from __future__ import annotations

import asyncio
from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import islice
from operator import attrgetter
from typing import Any, Final, NamedTuple

from aiokafka import ConsumerRecord, TopicPartition

from shared.embedded.batches import StoredBatch, decode
from shared.embedded.storage import TopicRow
from shared.messaging.transport import TopicSpec

__all__ = ["FETCH_BYTES", "Fetched", "OpenBatch", "Partition", "RecentBatches", "Topic", "decoded"]

FETCH_BYTES: Final = 1_048_576
"""About how much one fetch brings of one partition, as Kafka's ``max.partition.fetch.bytes``."""


class Fetched(NamedTuple):
    """Records in offset order, and the offset to go on at (past what compaction took out)."""

    records: list[ConsumerRecord]
    next_offset: int


@dataclass(slots=True, eq=False)
class OpenBatch:
    """Records on their way in; each has a future that waits for it to be on the disk, and its timestamp."""

    base: int
    builder: Any
    add: Callable[..., Any]
    waiting: list[tuple[asyncio.Future[Any], int | None]] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class Partition:
    """``start`` and ``end`` are its first and its next readable offset; ``watchers`` are called when it grew.

    ``next`` is the offset the next record gets, ahead of ``end`` by what is not on the disk yet.
    """

    topic: Topic
    number: int
    name: TopicPartition
    start: int
    end: int
    next: int
    open: OpenBatch | None = None
    recent: deque[StoredBatch] = field(default_factory=deque)
    watchers: set[Callable[[], None]] = field(default_factory=set)


@dataclass(slots=True, eq=False)
class Topic:
    """A topic with its partitions in order; ``next_segment`` and ``ends`` are those of what goes to the disk next."""

    id: int
    spec: TopicSpec
    next_segment: int
    ends: list[int]
    compacted: bool
    partitions: list[Partition] = field(default_factory=list)

    @classmethod
    def stored(cls, row: TopicRow) -> Topic:
        topic = cls(row.id, row.spec, row.next_segment, list(row.ends), "compact" in row.spec.policies)
        topic.partitions = [
            Partition(topic, number, TopicPartition(row.spec.name, number), start, end, end)
            for number, (start, end) in enumerate(zip(row.starts, row.ends, strict=True))
        ]
        return topic


class RecentBatches:
    """The newest batches of all partitions, at most ``limit`` bytes: consumers that keep up never touch the file."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._bytes = 0
        self._order: deque[Partition] = deque()

    def keep(self, partition: Partition, batch: StoredBatch) -> None:
        partition.recent.append(batch)
        self._order.append(partition)
        self._bytes += len(batch.body)
        while self._bytes > self._limit:
            oldest = self._order.popleft().recent
            if oldest:
                self._bytes -= len(oldest.popleft().body)

    def forget(self, partition: Partition, before: int) -> None:
        """Drop what lies before an offset: the file tells it better now."""
        while partition.recent and partition.recent[0].base < before:
            self._bytes -= len(partition.recent.popleft().body)

    @staticmethod
    def fetch(partition: Partition, offset: int) -> Fetched | None:
        """From ``offset`` on, at most about FETCH_BYTES; None when it is not in memory any more."""
        recent = partition.recent
        if not recent or offset < recent[0].base:
            return None
        at = bisect_left(recent, offset, key=attrgetter("last"))
        return decoded(partition.name, islice(recent, at, None), offset, check=False)


def decoded(
    name: TopicPartition,
    batches: Iterable[StoredBatch],
    offset: int,
    *,
    check: bool,
    limit: int | None = FETCH_BYTES,
) -> Fetched:
    """The batches' records from ``offset`` on, until ``limit`` bytes are read."""
    records: list[ConsumerRecord] = []
    read = 0
    for batch in batches:
        records += decode(name, batch.body, at_least=offset, check=check)
        offset = batch.last + 1
        read += len(batch.body)
        if limit is not None and read >= limit:
            break
    return Fetched(records, offset)
