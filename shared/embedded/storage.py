"""The file of the embedded log: who may open it, its SQLite schema and every statement that runs on it.

A record's id is the id of its partition, shifted left by 40 bits, plus its offset. The records of a partition therefore
lie together and in order in one B-tree, and an append touches only the end of its partition's stretch.
"""

from __future__ import annotations

import fcntl
import json
import os
import sqlite3
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, takewhile
from pathlib import Path
from typing import Final, NamedTuple

import orjson
from aiokafka import ConsumerRecord, TopicPartition
from aiokafka.errors import CorruptRecordException

from shared.errors import EpicError
from shared.messaging.transport import Headers
from shared.schemas.topics import Topic

FILE_NAME: Final = "messages.db"
_FORMAT: Final = 3  # 1 stored Kafka's record batches, 2 how far compaction had looked
_OFFSET_BITS: Final = 40  # 10^12 records in a partition, 8 million partitions
_ROWS_A_STATEMENT: Final = 100  # more of them gain nothing, and SQLite takes 5,461 rows of six values
_FETCH_BYTES: Final = 4_194_304  # reading it holds up the event loop for some 10 ms
_SCHEMA: Final = (
    "CREATE TABLE topics (name TEXT PRIMARY KEY, partitions INTEGER NOT NULL, config TEXT NOT NULL) WITHOUT ROWID",
    "CREATE TABLE partitions (id INTEGER PRIMARY KEY, topic TEXT NOT NULL, number INTEGER NOT NULL, "
    "first_offset INTEGER NOT NULL DEFAULT 0, next_offset INTEGER NOT NULL DEFAULT 0, UNIQUE (topic, number))",
    "CREATE TABLE records (id INTEGER PRIMARY KEY, timestamp INTEGER NOT NULL, checksum INTEGER NOT NULL, "
    "key BLOB, headers BLOB NOT NULL, value BLOB)",
    "CREATE TABLE commits (group_id TEXT NOT NULL, partition_id INTEGER NOT NULL, next_offset INTEGER NOT NULL, "
    "PRIMARY KEY (group_id, partition_id)) WITHOUT ROWID",
)


class DataFolderInUse(EpicError):
    """Another process, or another log of this process, has the data folder open."""


class UnknownFormat(EpicError):
    """The file was written by another version of EPIC."""


Row = tuple[int, int, int, bytes | None, bytes, bytes | None]
"""A record as it is stored: id, time (ms), checksum, key, headers (JSON, values as Latin-1 text), value."""


@dataclass(slots=True, eq=False)
class Partition:
    """``start`` is the offset of the oldest record kept, ``end`` the one behind the newest durable record.

    Compaction has looked, since the start, at the records before ``compacted_to`` and left ``compacted_records`` of
    them. ``next`` is the offset of the next append; it is ahead of ``end`` by what is not durable yet. ``watchers`` are
    called when ``end`` grows.
    """

    id: int
    name: TopicPartition
    start: int
    end: int
    compacted_to: int = 0
    compacted_records: int = 0
    next: int = field(init=False)
    watchers: set[Callable[[], None]] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.next = self.end


class Fetched(NamedTuple):
    """Records in offset order, and the offset to continue at, which lies behind what compaction removed."""

    records: list[ConsumerRecord]
    next_offset: int


def claim_folder(folder: Path) -> int:
    """Claims a folder, and creates a missing one. DataFolderInUse when another claim holds it, in any process.

    Returns the descriptor of an open file. The claim ends when that is closed, or with the process.
    """
    folder.mkdir(parents=True, exist_ok=True)
    file = os.open(folder / "in-use.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.pread(file, 20, 0).decode(errors="replace").strip() or "unknown"
        os.close(file)
        raise DataFolderInUse(
            f"the data folder {folder.resolve()} is in use by process {holder}: "
            "stop that one first, or start this one on another folder (--data DIR or EPIC_DATA_DIR)"
        ) from None
    os.ftruncate(file, 0)
    os.pwrite(file, f"{os.getpid()}\n".encode(), 0)
    return file


def _prepare(connection: sqlite3.Connection) -> None:
    found = connection.execute("PRAGMA user_version").fetchone()[0]
    if found == _FORMAT:
        return
    if found != 0:
        path = connection.execute("PRAGMA database_list").fetchone()[2]
        raise UnknownFormat(
            f"{path} has format {found} and this EPIC reads format {_FORMAT}: start EPIC on another folder "
            "(--data DIR or EPIC_DATA_DIR), or with the version that wrote this one"
        )
    for statement in _SCHEMA:
        connection.execute(statement)
    connection.execute(f"PRAGMA user_version = {_FORMAT}")


def open_reader(folder: Path) -> sqlite3.Connection:
    """A connection that reads beside the writer; neither waits for the other."""
    connection = sqlite3.connect(folder / FILE_NAME, isolation_level=None)
    connection.execute("PRAGMA query_only = ON")
    return connection


# --- topics and partitions


def load(
    connection: sqlite3.Connection,
) -> tuple[dict[str, Topic], dict[str, list[Partition]], dict[str, dict[TopicPartition, int]]]:
    """The topics and their partitions, and by group and partition the offset that the group continues at.

    The tables of a new file are made. UnknownFormat for a file of another version.
    """
    _prepare(connection)
    rows = connection.execute("SELECT name, partitions, config FROM topics").fetchall()
    topics = {name: Topic(name, partitions, json.loads(config)) for name, partitions, config in rows}
    partitions = {topic: load_partitions(connection, topic) for topic in topics}
    names = {partition.id: partition.name for found in partitions.values() for partition in found}
    commits: dict[str, dict[TopicPartition, int]] = {}
    for group, partition, offset in connection.execute("SELECT group_id, partition_id, next_offset FROM commits"):
        commits.setdefault(group, {})[names[partition]] = offset
    return topics, partitions, commits


def load_partitions(connection: sqlite3.Connection, topic: str) -> list[Partition]:
    """In the order of their numbers."""
    rows = connection.execute(
        "SELECT id, number, first_offset, max(next_offset, coalesce((SELECT max(id) FROM records "
        "WHERE id >= partitions.id << ?1 AND id < (partitions.id + 1) << ?1) - (id << ?1) + 1, 0)) "
        "FROM partitions WHERE topic = ?2 ORDER BY number",
        (_OFFSET_BITS, topic),
    ).fetchall()
    return [Partition(found, TopicPartition(topic, number), start, end) for found, number, start, end in rows]


def create_topic(connection: sqlite3.Connection, topic: Topic) -> list[Partition]:
    connection.execute(
        "INSERT INTO topics VALUES (?, ?, ?)", (topic.name, topic.partitions, json.dumps(dict(topic.config)))
    )
    numbers = [(topic.name, number) for number in range(topic.partitions)]
    connection.executemany("INSERT INTO partitions (topic, number) VALUES (?, ?)", numbers)
    return load_partitions(connection, topic.name)


# --- records


def new_row(
    partition: int, offset: int, timestamp: int, key: bytes | None, value: bytes | None, headers: Headers
) -> Row:
    """TypeError for what is not bytes."""
    if not (isinstance(key, bytes | None) and isinstance(value, bytes | None)):
        raise TypeError(f"a record's key and value are bytes, not {type(key).__name__} and {type(value).__name__}")
    try:
        pairs = [(name, None if content is None else content.decode("latin-1")) for name, content in headers]
    except AttributeError:
        raise TypeError("the value of a header is bytes") from None
    encoded = orjson.dumps(pairs)
    return partition << _OFFSET_BITS | offset, timestamp, _checksum(key, encoded, value), key, encoded, value


def insert_records(connection: sqlite3.Connection, rows: Sequence[Row]) -> None:
    """Many rows in a statement, because Python may lose the interpreter to a busy event loop at each statement.

    A partition's rows go one behind another, so that SQLite seldom seeks.
    """
    rows = sorted(rows)
    for first in range(0, len(rows), _ROWS_A_STATEMENT):
        portion = rows[first : first + _ROWS_A_STATEMENT]
        marks = ", ".join(["(?, ?, ?, ?, ?, ?)"] * len(portion))
        values = list(chain.from_iterable(portion))
        connection.execute(f"INSERT INTO records VALUES {marks}", values)  # noqa: S608 only marks are put in


def read_records(
    connection: sqlite3.Connection, wanted: Iterable[tuple[Partition, int, int]], limit: int | None
) -> list[Fetched]:
    """For each (partition, from, before) its records, all together at most ``limit``; a partition may get none.

    CorruptRecordException when a record is not what was written.
    """
    fetched = []
    left, size = -1 if limit is None else limit, 0
    for partition, begin, end in wanted:
        if not left or size >= _FETCH_BYTES:
            fetched.append(Fetched([], begin))
            continue
        (topic, number), first = partition.name, partition.id << _OFFSET_BITS
        records: list[ConsumerRecord] = []
        for record_id, timestamp, checksum, key, headers, value in connection.execute(
            "SELECT id, timestamp, checksum, key, headers, value FROM records WHERE id >= ? AND id < ? ORDER BY id "
            "LIMIT ?",
            (first + begin, first + end, left),
        ):
            if checksum != _checksum(key, headers, value):
                raise CorruptRecordException(
                    f"{topic}-{number}: the record at offset {record_id - first} is damaged on disk"
                )
            place = (topic, number, record_id - first, timestamp, 0, key, value, None)
            sizes = (-1 if key is None else len(key), -1 if value is None else len(value))
            decoded = [(name, None if text is None else text.encode("latin-1")) for name, text in orjson.loads(headers)]
            records.append(ConsumerRecord(*place, *sizes, tuple(decoded)))
            size += len(value or b"")
            if size >= _FETCH_BYTES:
                break
        more = size >= _FETCH_BYTES or len(records) == left
        fetched.append(Fetched(records, records[-1].offset + 1 if more else end))
        left -= len(records) if limit is not None else 0
    return fetched


# --- committed offsets


def commit_offsets(connection: sqlite3.Connection, group: str, offsets: Mapping[int, int]) -> None:
    """Store where the group continues, by partition id."""
    rows = [(group, partition, offset) for partition, offset in offsets.items()]
    connection.executemany("INSERT OR REPLACE INTO commits VALUES (?, ?, ?)", rows)


# --- retention and compaction


def first_since(connection: sqlite3.Connection, partition: int, begin: int, end: int, since: int) -> int:
    """The offset of the first record from ``begin`` to before ``end`` of that time (ms) or later; else ``end``."""
    first = partition << _OFFSET_BITS
    found = connection.execute(
        "SELECT id FROM records WHERE id >= ? AND id < ? AND timestamp >= ? ORDER BY id LIMIT 1",
        (first + begin, first + end, since),
    ).fetchone()
    return end if found is None else found[0] - first


def delete_expired(connection: sqlite3.Connection, partition: Partition, since: int, limit: int) -> int:
    """Delete the oldest records, at most ``limit``, up to the first one of that time (ms) or later.

    Returns the partition's new first offset.
    """
    first = partition.id << _OFFSET_BITS
    rows = connection.execute(
        "SELECT id, timestamp FROM records WHERE id >= ? AND id < ? ORDER BY id LIMIT ?",
        (first, first + partition.end, limit),
    )
    expired: list[int] = [record for record, _ in takewhile(lambda row: row[1] < since, rows)]
    if not expired:
        return partition.start
    reached = expired[-1] + 1 - first
    connection.execute("DELETE FROM records WHERE id >= ? AND id < ?", (first, first + reached))
    connection.execute(
        "UPDATE partitions SET first_offset = ?1, next_offset = max(next_offset, ?1) WHERE id = ?2",
        (reached, partition.id),
    )
    return reached


def superseded(connection: sqlite3.Connection, partition: int, before: int) -> tuple[list[int], int]:
    """Of the records before an offset the ids of those that have a newer record with their key there.

    And how many others there are. The newest record is always one of them, so that ``next_offset`` is not needed.
    """
    first = partition << _OFFSET_BITS
    rows = connection.execute(
        "SELECT id, id IN (SELECT max(id) FROM records WHERE id >= ?1 AND id < ?2 GROUP BY key) FROM records "
        "WHERE id >= ?1 AND id < ?2",
        (first, first + before),
    ).fetchall()
    ids = [record for record, is_newest in rows if not is_newest]
    return ids, len(rows) - len(ids)


def delete_records(connection: sqlite3.Connection, ids: Sequence[int]) -> None:
    connection.executemany("DELETE FROM records WHERE id = ?", [(record,) for record in ids])


def _checksum(key: bytes | None, headers: bytes, value: bytes | None) -> int:
    return zlib.crc32(value or b"", zlib.crc32(headers, zlib.crc32(key or b"")))
