"""The outbox of a SQLite document store: a row for each event, or one for all documents that were created together.

A row is slim: where an event publishes a snapshot, it is made from the stored version. Positions follow the commits.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from functools import partial
from typing import Any, Final

import orjson

from shared.cause import Cause
from shared.clock import iso, parse_instant
from shared.documents.contract import Document
from shared.documents.sqlite import idempotency
from shared.documents.sqlite.file import SqliteFile
from shared.documents.sqlite.tables import decode, document_statements
from shared.documents.versions import message_of, snapshot_of
from shared.durability.outbox import (
    MAX_OPEN_ENTRIES_PER_LANE,
    Lane,
    OutboxState,
    OutgoingEvent,
    check_room,
    check_room_of_lane,
)
from shared.durability.relay import OutboxEntry
from shared.trace import Trace, new_id

_ADD: Final = """INSERT INTO outbox (resource, key, version, type, event_key, event_id, data, at, correlation_id,
    causation_id, traceparent, keys) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"""
_OF_ONE: Final = "SELECT count(*) FROM outbox WHERE resource = ? AND key = ?"
_OPEN: Final = "SELECT coalesce(sum(coalesce(json_array_length(keys), 1)), 0), min(at) FROM outbox"
_PAGE: Final = """SELECT position, resource, key, version, type, event_key, event_id, data, at, correlation_id,
    causation_id, traceparent, keys FROM outbox WHERE position > ? ORDER BY position LIMIT ?"""
_OF_MANY: Final = """SELECT position, key, keys FROM outbox
    WHERE keys IS NOT NULL AND position IN (SELECT value FROM json_each(?))"""
_REMOVE: Final = "DELETE FROM outbox WHERE position IN (SELECT value FROM json_each(?))"
_MAX_IN_MEMORY: Final = 24  # batches of a creation: those of a service that keeps up are published from memory

_Row = tuple[Any, ...]
_Versions = dict[tuple[str, str, int], Document]


class SqliteOutbox:
    """See ``OutboxTable``. ``open`` counts the entries that this process knows of.

    The writer thread keeps the count; ``state`` corrects it by what other processes did.
    """

    def __init__(self, file: SqliteFile, source: str) -> None:
        self._file = file
        self._source = source
        self._created: dict[str, _Versions] = {}  # by the key of their row
        self.open = 0

    def add(
        self,
        connection: sqlite3.Connection,
        resource: str,
        key: str,
        version: int,
        events: Iterable[OutgoingEvent],
        cause: Cause,
    ) -> None:
        """Within a transaction: adds the events of a write.

        Unavailable when too many entries are open, OutboxFull when too many of this document are.
        """
        check_room(self.open)
        if self.open >= MAX_OPEN_ENTRIES_PER_LANE:
            check_room_of_lane((resource, key), connection.execute(_OF_ONE, (resource, key)).fetchone()[0])
        trace = cause.trace
        tail = (iso(cause.now), *trace, None)
        rows = [
            (resource, key, version, e.type, e.key, e.id, None if e.data is None else orjson.dumps(e.data), *tail)
            for e in events
        ]
        connection.executemany(_ADD, rows)
        self.open += len(rows)

    def add_created(
        self, connection: sqlite3.Connection, resource: str, created: Sequence[Document], event_type: str, cause: Cause
    ) -> None:
        """Within a transaction: adds one row for all first versions. Unavailable when too many entries are open."""
        check_room(self.open)
        name, trace, keys = new_id(), cause.trace, orjson.dumps([document.key for document in created]).decode()
        connection.execute(_ADD, (resource, name, 1, event_type, None, None, None, iso(cause.now), *trace, keys))
        self.open += len(created)
        if len(self._created) < _MAX_IN_MEMORY:
            self._created[name] = {(resource, document.key, 1): document for document in created}

    async def is_empty(self) -> bool:
        return self._file.one("SELECT 1 FROM outbox LIMIT 1") is None

    async def page(self, after: int, limit: int, *, without: Collection[Lane]) -> list[OutboxEntry]:
        return await self._file.read(partial(self._page, after=after, limit=limit))

    def remove(self, entries: Sequence[OutboxEntry]) -> asyncio.Future[None]:
        return self._file.run(partial(self._remove, entries=entries))

    async def tidy(self) -> None:
        await self._file.run(idempotency.delete_expired)

    async def state(self) -> OutboxState:
        return await self._file.run(self.count)

    def count(self, connection: sqlite3.Connection) -> OutboxState:
        """Within a transaction: counts what is open, whichever process wrote or removed it."""
        self.open, oldest = connection.execute(_OPEN).fetchone()
        return OutboxState(self.open, None if oldest is None else parse_instant(oldest))

    def _page(self, connection: sqlite3.Connection, after: int, limit: int) -> list[OutboxEntry]:
        """Rows until they hold ``limit`` events; the last one may hold more."""
        rows: list[tuple[_Row, list[str]]] = []
        versions: _Versions = {}
        missing = defaultdict[str, list[tuple[str, int]]](list)
        events = 0
        for row in connection.execute(_PAGE, (after, limit)):
            _, resource, name, version, _, _, _, data, *_, names = row
            keys = [name] if names is None else orjson.loads(names)
            rows.append((row, keys))
            created = self._created.get(name)
            if created is not None:
                versions |= created
            elif data is None:
                missing[resource] += [(key, version) for key in keys]
            events += len(keys)
            if events >= limit:
                break
        for resource, wanted in missing.items():
            for query in document_statements(resource).wanted:
                for found in connection.execute(query, (orjson.dumps(wanted).decode(),)):
                    versions[resource, found[0], found[1]] = decode(found)
        entries: list[OutboxEntry] = []
        for (position, resource, _, version, kind, event_key, event_id, data, at, *trace, _), keys in rows:
            event = OutgoingEvent(kind, event_key, event_id)
            made = partial(message_of, event, source=self._source, at=parse_instant(at), trace=Trace(*trace))
            for key in keys:
                snapshot = data if data is not None else snapshot_of(versions[resource, key, version])
                entries.append(OutboxEntry(position, (resource, key), made(key, version, snapshot)))
        return entries

    def _remove(self, connection: sqlite3.Connection, entries: Sequence[OutboxEntry]) -> None:
        published: dict[int, set[str]] = {}
        for position, lane, _ in entries:
            published.setdefault(position, set()).add(lane[1])  # a lane here is (resource, key)
        self.open = max(0, self.open - len(entries))
        for position, name, keys in connection.execute(_OF_MANY, (orjson.dumps(list(published)).decode(),)).fetchall():
            left = [key for key in orjson.loads(keys) if key not in published[position]]
            if left:
                connection.execute(
                    "UPDATE outbox SET keys = ? WHERE position = ?", (orjson.dumps(left).decode(), position)
                )
                del published[position]
            else:
                self._created.pop(name, None)
        connection.execute(_REMOVE, (orjson.dumps(list(published)).decode(),))
