"""Owns what leaves the embedded log: records past their retention, and those a newer one of their key replaced."""

from __future__ import annotations

import sqlite3
from collections.abc import Awaitable, Callable
from functools import partial
from itertools import islice
from typing import Any, Final, Protocol

from shared.embedded import storage
from shared.embedded.batches import decode, pack, thin_out, unpack
from shared.embedded.partitions import Topic
from shared.embedded.storage import Segment

__all__ = ["LogFile", "compact", "expire"]

_SEVEN_DAYS_MS: Final = 604_800_000
_SEGMENTS_A_STEP: Final = 100


class LogFile(Protocol):
    """Where the log's transactions run: each function gets a connection, reading ones beside the writer."""

    def write(self, run: Callable[[sqlite3.Connection], Any]) -> Awaitable[Any]: ...
    def read(self, run: Callable[[sqlite3.Connection], Any]) -> Awaitable[Any]: ...


async def expire(file: LogFile, topic: Topic, now: int) -> tuple[int, ...] | None:
    """Drop the segments at the beginning whose records are all older than ``retention.ms``; answers the new starts."""
    retention = topic.spec.setting("retention.ms", _SEVEN_DAYS_MS)
    if "delete" not in topic.spec.policies or retention < 0:
        return None
    before: int = await file.read(lambda reader: storage.first_newer_than(reader, topic.id, now - retention - 1))
    starts: tuple[int, ...] | None = await file.write(lambda writer: storage.trim(writer, topic.id, before))
    return starts


async def compact(file: LogFile, topic: Topic, now: int) -> tuple[int, ...] | None:
    """Keep of each key the newest of the records older than ``min.compaction.lag.ms``, tombstones too.

    As Kafka does: offsets stay, younger records are left alone, and nothing is done before
    ``min.cleanable.dirty.ratio`` of it is new. Answers the offsets up to which the file may have changed.
    """
    if "compact" not in topic.spec.policies:
        return None
    ratio = float(topic.spec.config.get("min.cleanable.dirty.ratio", 0.5))
    cutoff = now - topic.spec.setting("min.compaction.lag.ms", 0)
    before = await file.read(lambda reader: storage.first_newer_than(reader, topic.id, cutoff))
    cleaned = await file.read(lambda reader: storage.worth_compacting(reader, topic.id, before, ratio))
    if cleaned is None:
        return None
    newest: dict[tuple[int, bytes], int] = {}
    at: int | None = cleaned
    while at is not None:
        at = await file.read(partial(_learn, topic, at, before, newest))
    changed, at = None, 0
    while at is not None:
        thinner, at, ends = await file.read(partial(_thinner, topic, at, before, newest))
        changed = ends or changed
        if thinner:
            await file.write(partial(storage.replace_bodies, topic=topic.id, bodies=thinner))
    await file.write(lambda writer: storage.mark_cleaned(writer, topic.id, before))
    return changed


def _step(reader: sqlite3.Connection, topic: Topic, at: int, before: int) -> tuple[list[Segment], int | None]:
    segments = list(islice(storage.segments_from(reader, topic.id, at), _SEGMENTS_A_STEP))
    segments = [segment for segment in segments if segment.number < before]
    return segments, segments[-1].number + 1 if segments else None


def _learn(
    topic: Topic, at: int, before: int, newest: dict[tuple[int, bytes], int], reader: sqlite3.Connection
) -> int | None:
    """Note each key's last offset in one step of segments; answers where the next step begins."""
    segments, following = _step(reader, topic, at, before)
    for segment in segments:
        for number, batch in unpack(segment.body):
            for record in decode(topic.partitions[number].name, batch.body, at_least=0, check=True):
                newest[number, record.key] = record.offset
    return following


def _thinner(
    topic: Topic, at: int, before: int, newest: dict[tuple[int, bytes], int], reader: sqlite3.Connection
) -> tuple[list[tuple[Segment, bytes]], int | None, tuple[int, ...] | None]:
    """One step's segments that lose records, with what is left; where the next step begins; the offsets behind it."""
    segments, following = _step(reader, topic, at, before)
    thinner = []
    for segment in segments:
        held = list(unpack(segment.body))
        left = [(number, thin_out(topic.partitions[number].name, batch, newest)) for number, batch in held]
        body = pack((number, batch) for number, batch in left if batch is not None)
        if body != segment.body:
            thinner.append((segment, body))
    return thinner, following, segments[-1].ends if segments else None
