"""Retention and compaction of one partition, by the rules and under the setting names of Kafka."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar

from shared.embedded import storage
from shared.embedded.storage import Partition
from shared.schemas.topics import Topic

_SEVEN_DAYS_MS: Final = 604_800_000  # Kafka's default of retention.ms
_RECORDS_A_TRANSACTION: Final = 5_000  # some 10 ms of the writer, which appends wait for

T = TypeVar("T")
Write = Callable[[Callable[[sqlite3.Connection], Any]], Awaitable[Any]]
"""Runs a transaction in the writing thread."""


async def expire(write: Write, partition: Partition, topic: Topic, now: int) -> None:
    """Delete the records at the beginning that are older than ``retention.ms`` (-1 keeps them for ever)."""
    retention = topic.setting("retention.ms", _SEVEN_DAYS_MS)
    if retention < 0:
        return
    delete = partial(storage.delete_expired, partition=partition, since=now - retention, limit=_RECORDS_A_TRANSACTION)
    while (start := await write(delete)) > partition.start:
        partition.start = start


async def compact(folder: Path, write: Write, partition: Partition, topic: Topic, now: int) -> None:
    """Keep of each key the newest of the records older than ``min.compaction.lag.ms``, tombstones too.

    Offsets stay, and younger records are left alone. Nothing is done before ``min.cleanable.dirty.ratio`` of the
    records is new since the last time, or since the start.
    """
    start, end = partition.compacted_to, partition.end
    young = now - topic.setting("min.compaction.lag.ms", 0) + 1
    before = await _read(folder, lambda file: storage.first_since(file, partition.id, start, end, young))
    new = before - start
    ratio = float(topic.config.get("min.cleanable.dirty.ratio", 0.5))
    if new <= 0 or new < ratio * (new + partition.compacted_records):
        return
    ids, left = await _read(folder, lambda file: storage.superseded(file, partition.id, before))
    for first in range(0, len(ids), _RECORDS_A_TRANSACTION):
        await write(partial(storage.delete_records, ids=ids[first : first + _RECORDS_A_TRANSACTION]))
    partition.compacted_to, partition.compacted_records = before, left


async def _read(folder: Path, look: Callable[[sqlite3.Connection], T]) -> T:
    """Read on a connection and a thread of its own, because a long look must not hold up the consumers."""

    def read() -> T:
        with closing(storage.open_reader(folder)) as connection:
            return look(connection)

    return await asyncio.to_thread(read)
