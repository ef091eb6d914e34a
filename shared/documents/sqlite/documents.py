"""One resource type's versioned documents in SQLite."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import orjson

from shared.cause import Cause
from shared.documents.contract import AmendFn, Document, HistoryPage, ListPage, UpdateFn, Written
from shared.documents.filters import Filters
from shared.documents.sqlite.reader import Reader
from shared.documents.sqlite.tables import decode, page_of
from shared.documents.sqlite.writes import DocumentWrites
from shared.documents.versions import Decide, amended, as_old, batches_of, updated
from shared.durability.read_model import State
from shared.durability.sqlite_writer import Writer

_BATCH: Final = 500  # documents created in one transaction, which holds up all other writers
_BATCHES_UNDER_WAY: Final = 3


@dataclass(frozen=True, slots=True)
class SqliteDocuments:
    """See ``Documents``. ``wake`` wakes the relay."""

    writes: DocumentWrites
    filters: Filters
    writer: Writer
    reader: Reader
    wake: Callable[[], None]

    async def latest(self, key: str) -> Document | None:
        row = self.reader.one(self.writes.sql.head, (key,))
        document = None if row is None else decode(row)
        return None if document is None or document.deleted else document

    async def latest_many(self, keys: Sequence[str]) -> dict[str, Document]:
        names = orjson.dumps(list(keys)).decode()
        found = {row[0]: decode(row) for row in await self.reader.rows(self.writes.sql.heads, (names,))}
        return {key: found[key] for key in dict.fromkeys(keys) if key in found}

    async def version(self, key: str, version: int) -> Document | None:
        page = await self.history(key, before=version + 1, limit=1)
        return next((document for document in page.items if document.version == version), None)

    async def history(self, key: str, *, before: int | None = None, limit: int = 100) -> HistoryPage:
        row = self.reader.one(self.writes.sql.head, (key,))
        if row is None:
            return HistoryPage([], None)
        head = decode(row)
        newest = head.version if before is None else min(head.version, before - 1)
        items = [head] if newest == head.version else []
        rows = await self.reader.rows(self.writes.sql.versions, (key, newest - limit + 1, newest - len(items)))
        found = [as_old(document, head.version) for document in (*items, *map(decode, rows))]
        return HistoryPage(found, found[-1].version if found and found[-1].version > 1 else None)

    async def list(
        self, where: Mapping[str, Any] | None = None, *, after: str | None = None, limit: int = 100
    ) -> ListPage:
        rows = await self.reader.rows(*page_of(self.writes.sql.page, self.filters, where, after, limit + 1))
        found = [decode(row) for row in rows[:limit]]
        return ListPage(found, found[-1].key if len(rows) > limit else None)

    async def scan(
        self, where: Mapping[str, Any] | None = None, *, page: int = 1000
    ) -> AsyncIterator[Sequence[Document]]:
        after: str | None = None
        while True:
            found = await self.list(where, after=after, limit=page)
            if found.items:
                yield found.items
            after = found.next_after
            if after is None:
                return

    async def update(self, key: str, fn: UpdateFn, cause: Cause, *, expected: int | None = None) -> Written:
        schema = self.writes.schema_version
        return await self._write(key, cause, lambda head: updated(head, key, fn, cause, expected, schema))

    async def amend(self, key: str, fn: AmendFn, cause: Cause) -> Written:
        return await self._write(key, cause, lambda head: amended(head, key, fn, cause))

    async def create_many(self, states: Iterable[tuple[str, State]], event_type: str, cause: Cause) -> Sequence[str]:
        created: list[str] = []
        under_way: deque[asyncio.Future[list[str]]] = deque()
        try:
            for batch in batches_of(states, _BATCH):  # the next is made while the last ones are written
                create = partial(self.writes.create, states=batch, event_type=event_type, cause=cause)
                under_way.append(self.writer.run(create))
                if len(under_way) == _BATCHES_UNDER_WAY:
                    created += await under_way.popleft()
                    self.wake()
            while under_way:
                created += await under_way.popleft()
                self.wake()
        except Exception:
            await asyncio.gather(*under_way, return_exceptions=True)
            raise
        return created

    async def _write(self, key: str, cause: Cause, decide: Decide) -> Written:
        outcome = await self.writer.run(partial(self.writes.write, key=key, cause=cause, decide=decide))
        if isinstance(outcome, Written):
            return outcome
        if outcome.events:
            self.wake()
        return outcome.result()
