"""Owns the outbox's rows: one for each event, slim, in the order of the commits."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson

from shared.cause import Cause
from shared.documents.contract import MOST_OPEN, MOST_OPEN_PER_DOCUMENT, OutboxState
from shared.documents.sqlite.rows import decode_item, instant, milliseconds
from shared.documents.sqlite.statements import DocumentStatements
from shared.documents.versions import Entry, Item, Outcome, Telling, messages_of
from shared.errors import Unavailable
from shared.messaging.envelope import Message
from shared.trace import Trace

__all__ = ["Outbox", "Waiting"]

_ADD: Final = """INSERT INTO outbox (resource, key, version, type, event_key, event_id, data, at, correlation,
    causation, traceparent) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"""
_OF_ONE: Final = "SELECT count(*) FROM outbox WHERE resource = ? AND key = ?"
_PAGE: Final = """SELECT seq, resource, key, version, type, event_key, event_id, data, at, correlation, causation,
    traceparent FROM outbox WHERE seq > ? ORDER BY seq LIMIT ?"""


@dataclass(frozen=True, slots=True)
class Waiting:
    """One row: where it stands, whose event it is, and the event."""

    seq: int
    document: tuple[str, str]
    message: Message


@dataclass(slots=True)
class Outbox:
    """``open`` is how many rows there are; what other processes do to them is learnt at each ``count``."""

    source: str
    open: int = 0

    def add(
        self, connection: sqlite3.Connection, resource: str, rows: Sequence[tuple[str, int, Telling]], cause: Cause
    ) -> None:
        """Writes events of (key, version). Unavailable when 100,000 wait already."""
        if not rows:
            return
        if self.open >= MOST_OPEN:
            raise Unavailable(f"{self.open} events wait for the broker; write again when it is back")
        at, trace = milliseconds(cause.now), cause.trace
        tail = (at, trace.correlation_id, trace.causation_id, trace.traceparent)
        connection.executemany(
            _ADD,
            [(resource, key, version, e.type, e.key, e.id, e.data, *tail) for key, version, e in rows],
        )
        self.open += len(rows)

    def check_room(self, connection: sqlite3.Connection, resource: str, key: str) -> None:
        """Unavailable when 200 events of this document wait already."""
        if self.open >= MOST_OPEN_PER_DOCUMENT:
            (waiting,) = connection.execute(_OF_ONE, (resource, key)).fetchone()
            if waiting >= MOST_OPEN_PER_DOCUMENT:
                raise Unavailable(f"{waiting} events of {resource} {key} wait for the broker; try again later")

    def count(self, connection: sqlite3.Connection) -> None:
        """Learns how many rows there are; to be run by the writer, which is what changes ``open`` otherwise."""
        (self.open,) = connection.execute("SELECT count(*) FROM outbox").fetchone()

    def state(self, connection: sqlite3.Connection) -> OutboxState:
        waiting, oldest = connection.execute("SELECT count(*), min(at) FROM outbox").fetchone()
        return OutboxState(waiting, None if oldest is None else instant(oldest))

    def page(self, connection: sqlite3.Connection, after: int, limit: int) -> list[Waiting]:
        """The next events, oldest first, with their snapshots."""
        rows = connection.execute(_PAGE, (after, limit)).fetchall()
        items: dict[tuple[str, str, int], Item] = {}
        for resource in {row[1] for row in rows}:
            items |= _items(connection, resource, rows[0][0], rows[-1][0])
        return [self._waiting(row, items) for row in rows]

    def _waiting(self, row: tuple[Any, ...], items: dict[tuple[str, str, int], Item]) -> Waiting:
        seq, resource, key, version, event_type, event_key, event_id, data, at, correlation, causation, parent = row
        telling = Telling(event_type, event_key, event_id, data)
        trace = Trace(correlation, causation, parent)
        entry = Entry(seq, version, Outcome.VERSION, (telling,), None, "", instant(at), trace)
        message = messages_of(entry, key, items.get((resource, key, version)), self.source)[0]
        return Waiting(seq, (resource, key), message)

    def remove(self, connection: sqlite3.Connection, rows: Collection[int]) -> None:
        """Takes off what is published."""
        removed = connection.execute(
            "DELETE FROM outbox WHERE seq IN (SELECT value FROM json_each(?))", (orjson.dumps(list(rows)).decode(),)
        )
        self.open = max(0, self.open - removed.rowcount)


def _items(
    connection: sqlite3.Connection, resource: str, first: int, last: int
) -> Iterable[tuple[tuple[str, str, int], Item]]:
    found = {}
    for query in DocumentStatements(resource).told_of:
        for row in connection.execute(query, (first, last, resource)):
            found[resource, row[0], row[1]] = decode_item(row)
    return found.items()
