"""Owns the outbox's rows: one for each event, or one for all that were created at once; slim, in commit order."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import orjson

from shared.cause import Cause
from shared.documents.sqlite.created import Created
from shared.documents.sqlite.rows import decode_item, instant, milliseconds
from shared.documents.sqlite.statements import DocumentStatements
from shared.documents.versions import Entry, Item, Outcome, Telling, message_of, messages_of
from shared.durability.outbox import MAX_OPEN_ENTRIES_PER_KEY, OutboxState, check_room, check_room_of_key
from shared.envelope import Message
from shared.trace import Trace, new_id

__all__ = ["Outbox", "Waiting"]

_ADD: Final = """INSERT INTO outbox (resource, key, version, type, event_key, event_id, data, at, correlation,
    causation, traceparent, keys) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"""
_OF_ONE: Final = "SELECT count(*) FROM outbox WHERE resource = ? AND key = ?"
_OPEN: Final = "SELECT coalesce(sum(coalesce(json_array_length(keys), 1)), 0), min(at) FROM outbox"
_PAGE: Final = """SELECT seq, resource, key, version, type, event_key, event_id, data, at, correlation, causation,
    traceparent, keys FROM outbox WHERE seq > ? ORDER BY seq LIMIT ?"""
_MANY: Final = "SELECT key, keys FROM outbox WHERE seq = ?"
_FIRST: Final = 1
_MOST_AT_HAND: Final = 24

_Row = tuple[Any, ...]


class Waiting(NamedTuple):
    """One event: the row it stands in, whether others stand there too, whose it is, and the message."""

    seq: int
    of_many: bool
    document: tuple[str, str]
    message: Message


@dataclass(slots=True)
class Outbox:
    """``open`` is how many events there are; what other processes do to them is learnt at each ``count``.

    What this process has just created at once is told of from memory: ``_at_hand``, by the name of its row.
    """

    source: str
    open: int = 0
    _at_hand: dict[str, Created] = field(default_factory=dict)

    def add(
        self, connection: sqlite3.Connection, resource: str, rows: Sequence[tuple[str, int, Telling]], cause: Cause
    ) -> None:
        """Writes events of (key, version). Unavailable when 100,000 wait already."""
        if rows:
            self._write(
                connection, [(resource, key, version, e.type, e.key, e.id, e.data) for key, version, e in rows], cause
            )
            self.open += len(rows)

    def add_many(
        self, connection: sqlite3.Connection, resource: str, created: Created, event_type: str, cause: Cause
    ) -> None:
        """Writes that each of these has its first version, as one row. Unavailable when 100,000 wait already."""
        name = new_id()
        row = (resource, name, _FIRST, event_type, None, None, None)
        self._write(connection, [row], cause, orjson.dumps(list(created.states)).decode())
        self.open += len(created.states)
        if len(self._at_hand) < _MOST_AT_HAND:
            self._at_hand[name] = created

    def _write(
        self, connection: sqlite3.Connection, rows: Sequence[_Row], cause: Cause, keys: str | None = None
    ) -> None:
        check_room(self.open)
        trace = cause.trace
        tail = (milliseconds(cause.now), trace.correlation_id, trace.causation_id, trace.traceparent, keys)
        connection.executemany(_ADD, [(*row, *tail) for row in rows])

    def check_room(self, connection: sqlite3.Connection, resource: str, key: str) -> None:
        """Unavailable when 200 events of this document wait already."""
        if self.open >= MAX_OPEN_ENTRIES_PER_KEY:
            (waiting,) = connection.execute(_OF_ONE, (resource, key)).fetchone()
            check_room_of_key(f"{resource} {key}", waiting)

    def count(self, connection: sqlite3.Connection) -> None:
        """Learns how many events there are; to be run by the writer, which is what changes ``open`` otherwise."""
        self.open, _ = connection.execute(_OPEN).fetchone()
        if not self.open:
            self._at_hand.clear()

    def state(self, connection: sqlite3.Connection) -> OutboxState:
        waiting, oldest = connection.execute(_OPEN).fetchone()
        return OutboxState(waiting, None if oldest is None else instant(oldest))

    def page(self, connection: sqlite3.Connection, after: int, limit: int) -> list[Waiting]:
        """The next events, oldest first, with their snapshots; somewhat more than ``limit`` where they stand together.

        Those of one row are never torn apart.
        """
        rows: list[tuple[_Row, list[str]]] = []
        events = 0
        for row in connection.execute(_PAGE, (after, limit)):
            keys = [row[2]] if row[-1] is None else orjson.loads(row[-1])
            rows.append((row, keys))
            events += len(keys)
            if events >= limit:
                break
        single = {
            resource: _single(connection, resource, rows[0][0][0], rows[-1][0][0])
            for resource in {row[1] for row, _ in rows if row[-1] is None}
        }
        found: list[Waiting] = []
        for row, keys in rows:
            resource, name, version, many = row[1], row[2], row[3], row[-1]
            if many is None:
                item = single[resource].get((name, version))
                found += self._told(row, keys, {} if item is None else {name: item})
            elif (created := self._at_hand.get(name)) is not None:
                found += self._told_at_hand(row, keys, created)
            else:
                found += self._told(row, keys, _firsts(connection, resource, keys))
        return found

    def _told(self, row: _Row, keys: Sequence[str], items: Mapping[str, Item]) -> Iterator[Waiting]:
        entry, _ = _entry(row)
        for key in keys:
            (message,) = messages_of(entry, key, items.get(key), self.source)
            yield Waiting(row[0], row[-1] is not None, (row[1], key), message)

    def _told_at_hand(self, row: _Row, keys: Sequence[str], created: Created) -> Iterator[Waiting]:
        entry, telling = _entry(row)
        for key in keys:
            message = message_of(entry, telling, key, created.snapshot(key), self.source)
            yield Waiting(row[0], True, (row[1], key), message)

    def remove(self, connection: sqlite3.Connection, sent: Collection[Waiting]) -> None:
        """Takes off what is published."""
        rows, shared = [], dict[int, set[str]]()
        for one in sent:
            if one.of_many:
                shared.setdefault(one.seq, set()).add(one.document[1])
            else:
                rows.append(one.seq)
        for seq, gone in shared.items():
            name, keys = connection.execute(_MANY, (seq,)).fetchone() or ("", "[]")
            left = [key for key in orjson.loads(keys) if key not in gone]
            if left:
                connection.execute("UPDATE outbox SET keys = ? WHERE seq = ?", (orjson.dumps(left).decode(), seq))
            else:
                rows.append(seq)
                self._at_hand.pop(name, None)
        connection.execute(
            "DELETE FROM outbox WHERE seq IN (SELECT value FROM json_each(?))", (orjson.dumps(rows).decode(),)
        )
        self.open = max(0, self.open - len(sent))


def _entry(row: _Row) -> tuple[Entry, Telling]:
    seq, _, _, version, event_type, event_key, event_id, data, at, correlation, causation, parent, _ = row
    telling = Telling(event_type, event_key, event_id, data)
    trace = Trace(correlation, causation, parent)
    return Entry(seq, version, Outcome.VERSION, (telling,), None, "", instant(at), trace), telling


def _single(connection: sqlite3.Connection, resource: str, first: int, last: int) -> Mapping[tuple[str, int], Item]:
    """The versions that rows of single events tell of."""
    found: dict[tuple[str, int], Item] = {}
    for query in DocumentStatements(resource).told_of:
        for row in connection.execute(query, (first, last, resource)):
            found[row[0], row[1]] = decode_item(row)
    return found


def _firsts(connection: sqlite3.Connection, resource: str, keys: Sequence[str]) -> Mapping[str, Item]:
    """The first versions of these documents, which most of them are still at."""
    found: dict[str, Item] = {}
    names = orjson.dumps(keys).decode()
    for query in DocumentStatements(resource).firsts:
        if len(found) < len(keys):
            for row in connection.execute(query, (names, _FIRST)):
                found[row[0]] = decode_item(row)
    return found
