"""Owns the embedded log's file: its SQLite schema and every statement run on it.

A commit adds one segment row a topic, at the end of the topic's own stretch of the B-tree (row id = topic's number
times 2^40 plus the segment's), so that a sync has little to write. Each segment carries where every partition of its
topic stands behind it (``ends``): that finds an offset by bisection, with no index to keep.
"""

from __future__ import annotations

import json
import sqlite3
import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from shared.errors import EpicError
from shared.messaging.transport import TopicSpec

__all__ = [
    "ROWS_A_STATEMENT",
    "Segment",
    "TopicRow",
    "UnknownFormat",
    "add_topic",
    "commit_offsets",
    "committed_offsets",
    "first_newer_than",
    "first_reaching",
    "insert_segments",
    "mark_cleaned",
    "open_reader",
    "open_writer",
    "replace_bodies",
    "segments_from",
    "topics",
    "trim",
    "worth_compacting",
]

ROWS_A_STATEMENT: Final = 100
_FORMAT: Final = 1
_STRETCH: Final = 40
_SCHEMA: Final = """
CREATE TABLE topics (
    id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, partitions INTEGER NOT NULL, config TEXT NOT NULL,
    starts BLOB NOT NULL, ends BLOB NOT NULL, next_segment INTEGER NOT NULL, cleaned_to INTEGER NOT NULL);
CREATE TABLE segments (id INTEGER PRIMARY KEY, newest INTEGER NOT NULL, ends BLOB NOT NULL, body BLOB NOT NULL);
CREATE TABLE commits (
    group_id TEXT NOT NULL, topic_id INTEGER NOT NULL, partition INTEGER NOT NULL, next_offset INTEGER NOT NULL,
    metadata TEXT NOT NULL, PRIMARY KEY (group_id, topic_id, partition)) WITHOUT ROWID;
"""


class UnknownFormat(EpicError):
    """The file was written by a newer version of EPIC."""


class Segment(NamedTuple):
    """One row: its number in the topic, its newest record's timestamp (ms), the offsets behind it, its batches."""

    number: int
    newest: int
    ends: tuple[int, ...]
    body: bytes


class TopicRow(NamedTuple):
    """One topic as stored: for each partition its first and its next offset, and the next segment's number."""

    id: int
    spec: TopicSpec
    starts: tuple[int, ...]
    ends: tuple[int, ...]
    next_segment: int


def open_writer(path: Path) -> sqlite3.Connection:
    """The one connection that writes; each commit is on the disk when it returns. Makes the file when missing."""
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA page_size = 8192")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    found = connection.execute("PRAGMA user_version").fetchone()[0]
    if found > _FORMAT:
        connection.close()
        raise UnknownFormat(f"{path} has format {found}, this EPIC reads up to {_FORMAT}: run the newer EPIC on it")
    if found < _FORMAT:
        connection.executescript(f"BEGIN IMMEDIATE; {_SCHEMA} PRAGMA user_version = {_FORMAT}; COMMIT;")
    return connection


def open_reader(path: Path) -> sqlite3.Connection:
    """A connection that reads beside the writer, without either waiting for the other."""
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA query_only = ON")
    return connection


def topics(connection: sqlite3.Connection) -> list[TopicRow]:
    """Every topic, in the order they were made."""
    rows = []
    for topic, name, count, config, starts, ends, following in connection.execute(
        "SELECT id, name, partitions, config, starts, ends, next_segment FROM topics ORDER BY id"
    ).fetchall():
        last = connection.execute(
            "SELECT id, ends FROM segments WHERE id BETWEEN ? AND ? ORDER BY id DESC LIMIT 1", _stretch(topic)
        ).fetchone()
        reached = _offsets(ends)
        if last:
            following = max(following, last[0] - (topic << _STRETCH) + 1)
            reached = tuple(map(max, reached, _offsets(last[1])))
        rows.append(TopicRow(topic, TopicSpec(name, count, json.loads(config)), _offsets(starts), reached, following))
    return rows


def add_topic(connection: sqlite3.Connection, spec: TopicSpec) -> TopicRow:
    """Make a topic that is not there yet."""
    none = (0,) * spec.partitions
    made = connection.execute(
        "INSERT INTO topics (name, partitions, config, starts, ends, next_segment, cleaned_to) "
        "VALUES (?, ?, ?, ?, ?, 0, 0)",
        (spec.name, spec.partitions, json.dumps(dict(spec.config)), _blob(none), _blob(none)),
    )
    return TopicRow(made.lastrowid or 0, spec, none, none, 0)


def insert_segments(connection: sqlite3.Connection, segments: Sequence[tuple[int, Segment]]) -> None:
    """Store (topic id, segment) pairs: many rows a statement, so that the interpreter is handed over seldom."""
    for at in range(0, len(segments), ROWS_A_STATEMENT):
        rows = segments[at : at + ROWS_A_STATEMENT]
        values: list[int | bytes] = []
        for topic, segment in rows:
            values += (topic << _STRETCH | segment.number, segment.newest, _blob(segment.ends), segment.body)
        marks = ", ".join(["(?, ?, ?, ?)"] * len(rows))
        connection.execute(f"INSERT INTO segments (id, newest, ends, body) VALUES {marks}", values)  # noqa: S608 marks


def first_reaching(connection: sqlite3.Connection, topic: int, partition: int, offset: int) -> int:
    """The number of the first segment behind which the partition stands past ``offset``."""
    low, high = _stretch(topic)
    first, last = connection.execute(
        "SELECT coalesce(min(id), 0), coalesce(max(id), 0) + 1 FROM segments WHERE id BETWEEN ? AND ?", (low, high)
    ).fetchone()
    while first < last:
        middle = (first + last) // 2
        found = connection.execute(
            "SELECT id, ends FROM segments WHERE id >= ? AND id < ? ORDER BY id LIMIT 1", (middle, last)
        ).fetchone()
        if found is None or _offsets(found[1])[partition] > offset:
            last = middle
        else:
            first = found[0] + 1
    return int(first) - low


def segments_from(connection: sqlite3.Connection, topic: int, number: int) -> Iterator[Segment]:
    """The topic's segments from that number on, in order."""
    low, high = _stretch(topic)
    for row, newest, ends, body in connection.execute(
        "SELECT id, newest, ends, body FROM segments WHERE id BETWEEN ? AND ? ORDER BY id", (low | number, high)
    ):
        yield Segment(row - low, newest, _offsets(ends), body)


def first_newer_than(connection: sqlite3.Connection, topic: int, cutoff: int) -> int:
    """The number of the first segment with a record younger than ``cutoff`` (ms), else that behind the last one."""
    low, high = _stretch(topic)
    row = (
        connection.execute(
            "SELECT id FROM segments WHERE id BETWEEN ? AND ? AND newest > ? ORDER BY id LIMIT 1", (low, high, cutoff)
        ).fetchone()
        or connection.execute(
            "SELECT coalesce(max(id) + 1, ?) FROM segments WHERE id BETWEEN ? AND ?", (low, low, high)
        ).fetchone()
    )
    return int(row[0]) - low


def trim(connection: sqlite3.Connection, topic: int, before: int) -> tuple[int, ...] | None:
    """Drop the segments before that number; answers the partitions' new first offsets, None when there were none.

    Offsets and numbers go on where they were, even when nothing is left.
    """
    low, _ = _stretch(topic)
    last = connection.execute(
        "SELECT ends FROM segments WHERE id >= ? AND id < ? ORDER BY id DESC LIMIT 1", (low, low | before)
    ).fetchone()
    if last is None:
        return None
    starts = _offsets(last[0])
    _keep_ends(connection, topic, starts, before)
    connection.execute("DELETE FROM segments WHERE id >= ? AND id < ?", (low, low | before))
    connection.execute("UPDATE topics SET starts = ? WHERE id = ?", (last[0], topic))
    return starts


def worth_compacting(connection: sqlite3.Connection, topic: int, before: int, dirty_ratio: float) -> int | None:
    """Where compaction stopped last time; None when too few segments up to ``before`` are new since."""
    low, _ = _stretch(topic)
    cleaned = int(connection.execute("SELECT cleaned_to FROM topics WHERE id = ?", (topic,)).fetchone()[0])
    if before <= cleaned:
        return None
    count = "SELECT count(*) FROM segments WHERE id >= ? AND id < ?"
    old = int(connection.execute(count, (low, low | cleaned)).fetchone()[0])
    new = int(connection.execute(count, (low | cleaned, low | before)).fetchone()[0])
    return cleaned if new and new >= dirty_ratio * (old + new) else None


def replace_bodies(connection: sqlite3.Connection, topic: int, bodies: Iterable[tuple[Segment, bytes]]) -> None:
    """Put thinner bodies in the places of those of these segments; a segment of which nothing is left goes."""
    low, _ = _stretch(topic)
    for segment, body in bodies:
        if body:
            connection.execute("UPDATE segments SET body = ? WHERE id = ?", (body, low | segment.number))
        else:
            _keep_ends(connection, topic, segment.ends, segment.number + 1)
            connection.execute("DELETE FROM segments WHERE id = ?", (low | segment.number,))


def mark_cleaned(connection: sqlite3.Connection, topic: int, before: int) -> None:
    """Note how far compaction has looked."""
    connection.execute("UPDATE topics SET cleaned_to = ? WHERE id = ?", (before, topic))


def committed_offsets(connection: sqlite3.Connection) -> dict[str, dict[tuple[int, int], tuple[int, str]]]:
    """For each group, by (topic id, partition): the next offset to read, and what was noted with it."""
    found: dict[str, dict[tuple[int, int], tuple[int, str]]] = {}
    for group, topic, partition, offset, metadata in connection.execute("SELECT * FROM commits"):
        found.setdefault(group, {})[topic, partition] = (offset, metadata)
    return found


def commit_offsets(
    connection: sqlite3.Connection, group: str, offsets: Mapping[tuple[int, int], tuple[int, str]]
) -> None:
    """Note where a group goes on."""
    rows = [(group, *where, *what) for where, what in offsets.items()]
    connection.executemany("INSERT OR REPLACE INTO commits VALUES (?, ?, ?, ?, ?)", rows)


def _keep_ends(connection: sqlite3.Connection, topic: int, ends: tuple[int, ...], following: int) -> None:
    stored, number = connection.execute("SELECT ends, next_segment FROM topics WHERE id = ?", (topic,)).fetchone()
    connection.execute(
        "UPDATE topics SET ends = ?, next_segment = ? WHERE id = ?",
        (_blob(tuple(map(max, _offsets(stored), ends))), max(number, following), topic),
    )


def _stretch(topic: int) -> tuple[int, int]:
    return topic << _STRETCH, (topic + 1 << _STRETCH) - 1


def _blob(offsets: Sequence[int]) -> bytes:
    return struct.pack(f">{len(offsets)}q", *offsets)


def _offsets(blob: bytes) -> tuple[int, ...]:
    return struct.unpack(f">{len(blob) // 8}q", blob)
