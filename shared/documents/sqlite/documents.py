"""One resource type's versioned documents in SQLite.

A transaction writes head, old version, events and idempotency record, or none of them. The methods that are given a
connection run within it, on the writer's thread.
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections import deque
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import Any, Final

import orjson

from shared.cause import Cause
from shared.clock import iso
from shared.documents.contract import (
    AmendFn,
    Change,
    Document,
    Documents,
    HistoryPage,
    ListPage,
    Place,
    SortedPage,
    UpdateFn,
    Written,
)
from shared.documents.filters import Filters
from shared.documents.sorting import Stretch, sorted_page
from shared.documents.sqlite import idempotency
from shared.documents.sqlite.file import SqliteFile
from shared.documents.sqlite.outbox import SqliteOutbox
from shared.documents.sqlite.tables import DocumentStatements, Sorted, decode, encode, page_of
from shared.documents.versions import (
    Decide,
    Decision,
    Outcome,
    StoredOutcome,
    amended,
    as_old,
    batches_of,
    first_version,
    updated,
)
from shared.durability.outbox import OutboxFull, OutgoingEvent
from shared.durability.read_model import State
from shared.durability.relay import Relay

_BATCH: Final = 500  # documents created or purged in one transaction, which holds up all other writers
_BATCHES_UNDER_WAY: Final = 3
_ROWS_PER_STATEMENT: Final = 250
"""After each statement this thread waits until another lets go of the interpreter, so few statements are faster."""

_INSTANT: Final = """INSERT INTO last_instant (id, instant) VALUES (1, ?)
    ON CONFLICT (id) DO UPDATE SET instant = excluded.instant WHERE excluded.instant > instant"""


@dataclass(frozen=True, slots=True)
class SqliteDocuments(Documents):
    """See ``Documents``."""

    sql: DocumentStatements
    filters: Filters
    schema_version: int
    file: SqliteFile
    outbox: SqliteOutbox
    relay: Relay

    def tables(self) -> list[str]:
        return self.sql.tables(self.filters)

    async def latest(self, key: str) -> Document | None:
        row = self.file.one(self.sql.head, (key,))
        document = None if row is None else decode(row)
        return None if document is None or document.deleted else document

    async def latest_many(self, keys: Sequence[str]) -> dict[str, Document]:
        names = orjson.dumps(list(keys)).decode()
        found = {row[0]: decode(row) for row in await self.file.rows(self.sql.heads, (names,))}
        return {key: found[key] for key in dict.fromkeys(keys) if key in found}

    async def versions(self, wanted: Collection[tuple[str, int]]) -> dict[tuple[str, int], Document]:
        pairs = orjson.dumps(list(wanted)).decode()
        rows = [row for query in self.sql.wanted for row in await self.file.rows(query, (pairs,))]
        found = [as_old(document, document.version) for document in map(decode, rows)]
        return {(document.key, document.version): document for document in found}

    async def history(self, key: str, *, before: int | None = None, limit: int = 100) -> HistoryPage:
        row = self.file.one(self.sql.head, (key,))
        if row is None:
            return HistoryPage([], None)
        head = decode(row)
        newest = head.version if before is None else min(head.version, before - 1)
        items = [head] if newest == head.version else []
        rows = await self.file.rows(self.sql.versions, (key, newest - limit + 1, newest - len(items)))
        found = [as_old(document, head.version) for document in (*items, *map(decode, rows))]
        return HistoryPage(found, found[-1].version if found and found[-1].version > 1 else None)

    async def list(
        self, where: Mapping[str, Any] | None = None, *, after: str | None = None, limit: int = 100
    ) -> ListPage:
        rows = await self.file.rows(*page_of(self.sql.page, self.filters, where, after, limit + 1))
        found = [decode(row) for row in rows[:limit]]
        return ListPage(found, found[-1].key if len(rows) > limit else None)

    async def list_sorted(
        self,
        by: str,
        where: Mapping[str, Any] | None = None,
        *,
        descending: bool = False,
        after: Place | None = None,
        limit: int = 100,
    ) -> SortedPage:
        async def read(stretch: Stretch | None, count: int) -> list[Document]:
            after_key = None if stretch is None else stretch.after
            order = Sorted(by, stretch, descending)
            rows = await self.file.rows(*page_of(self.sql.page, self.filters, where, after_key, count, order))
            return [decode(row) for row in rows]

        return await sorted_page(read, by, after, limit, descending=descending)

    async def update(self, key: str, fn: UpdateFn, cause: Cause, *, expected: int | None = None) -> Written:
        return await self._write(key, cause, lambda head: updated(head, key, fn, cause, expected, self.schema_version))

    async def amend(self, key: str, fn: AmendFn, cause: Cause) -> Written:
        return await self._write(key, cause, lambda head: amended(head, key, fn, cause))

    async def create_many(self, states: Iterable[tuple[str, State]], event_type: str, cause: Cause) -> Sequence[str]:
        created: list[str] = []
        under_way: deque[asyncio.Future[Sequence[str]]] = deque()
        try:
            for batch in batches_of(states, _BATCH):  # the next is made while the last ones are written
                create = partial(self._create, states=batch, event_type=event_type, cause=cause)
                under_way.append(self.file.run(create))
                if len(under_way) == _BATCHES_UNDER_WAY:
                    created += await under_way.popleft()
                    self.relay.wake()
            while under_way:
                created += await under_way.popleft()
                self.relay.wake()
        except Exception:
            await asyncio.gather(*under_way, return_exceptions=True)
            raise
        return created

    async def purge(self, where: Mapping[str, Any]) -> int:
        purged, after = 0, None
        while keys := await self.file.rows(*page_of(self.sql.purgeable, self.filters, where, after, _BATCH)):
            after = keys[-1][0]
            purged += await self.file.run(partial(self._purge, keys=[key for (key,) in keys]))
        return purged

    async def _write(self, key: str, cause: Cause, decide: Decide) -> Written:
        asked_at = time.monotonic()
        while True:
            try:
                decision = await self.file.run(partial(self._decide, key=key, cause=cause, decide=decide))
                break
            except OutboxFull as full:
                await self.relay.wait_for_room(full, asked_at)
        if decision.events:
            self.relay.wake()
        return decision.result()

    def _decide(self, connection: sqlite3.Connection, key: str, cause: Cause, decide: Decide) -> Decision:
        """What was decided on the head and stored; or the first outcome of the same cause again."""
        row = connection.execute(self.sql.head, (key,)).fetchone()
        head = None if row is None else decode(row)
        first = idempotency.find(connection, cause, self.sql.name, key)
        if first is not None:
            return first.again(self._version(connection, head, first.version))
        decision = decide(head)
        if decision.document is not None and decision.outcome in (Outcome.VERSION, Outcome.AMENDED):
            self._store(connection, decision.document, decision, cause)
        if cause.id is not None and decision.must_be_stored(cause):
            idempotency.keep(connection, StoredOutcome.of_decision(decision, cause, self.sql.name, key))
        return decision

    def _create(
        self, connection: sqlite3.Connection, states: Mapping[str, State], event_type: str, cause: Cause
    ) -> Sequence[str]:
        """Creates the documents that do not exist, and anew those that were deleted; the keys created."""
        keys = orjson.dumps(list(states)).decode()
        existing: dict[str, int] = dict(connection.execute(self.sql.existing, (keys,)).fetchall())
        new = {key: state for key, state in states.items() if key not in existing}
        if new:
            common = first_version("", {}, cause, self.schema_version)
            _, version, _, *managed = encode(common)
            rows = [(key, orjson.dumps(state).decode()) for key, state in new.items()]
            for first in range(0, len(rows), _ROWS_PER_STATEMENT):
                some = rows[first : first + _ROWS_PER_STATEMENT]
                connection.execute(self.sql.create(len(some)), (version, *managed, *chain.from_iterable(some)))
            connection.execute(_INSTANT, (iso(cause.now),))
            created = [common._replace(key=key, state=state) for key, state in new.items()]
            self.outbox.add_created(connection, self.sql.name, created, event_type, cause)
        deleted = [key for key, is_deleted in existing.items() if is_deleted]
        for key in deleted:
            self._create_again(connection, key, Change(states[key], (OutgoingEvent(event_type),)), cause)
        return [*new, *deleted]

    def _purge(self, connection: sqlite3.Connection, keys: Sequence[str]) -> int:
        purged = connection.execute(self.sql.purge_heads, (orjson.dumps(keys).decode(),)).fetchall()
        connection.execute(self.sql.purge_items, (orjson.dumps([key for (key,) in purged]).decode(),))
        return len(purged)

    def _create_again(self, connection: sqlite3.Connection, key: str, change: Change, cause: Cause) -> None:
        head = decode(connection.execute(self.sql.head, (key,)).fetchone())
        decision = updated(head, key, lambda _: change, cause, None, self.schema_version)
        self._store(connection, decision.result().document, decision, cause)

    def _store(self, connection: sqlite3.Connection, document: Document, decision: Decision, cause: Cause) -> None:
        row = encode(document)
        if decision.outcome is Outcome.AMENDED:
            connection.execute(self.sql.amend, (row[-1], document.key))
        else:
            if document.version > 1:
                connection.execute(self.sql.keep_version, (document.key,))
            connection.execute(self.sql.write, row)
        connection.execute(_INSTANT, (iso(cause.now),))
        if decision.events:
            self.outbox.add(connection, self.sql.name, document.key, document.version, decision.events, cause)

    def _version(self, connection: sqlite3.Connection, head: Document | None, version: int) -> Document | None:
        if head is None or head.version == version:
            return head
        row = connection.execute(self.sql.version, (head.key, version)).fetchone()
        return None if row is None else decode(row)._replace(side=head.side)
