"""Owns one resource type's versioned documents in SQLite: what is read by key, by version and by field."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import orjson

from shared.cause import Cause
from shared.documents.contract import AmendFn, Document, HistoryPage, ListPage, State, UpdateFn, Written
from shared.documents.filters import Filters
from shared.documents.sqlite.reader import Reader
from shared.documents.sqlite.rows import decode_head, decode_item
from shared.documents.sqlite.writing import Writing
from shared.documents.versions import Decide, Head, amended, shown, shown_old, updated
from shared.durability.sqlite_writer import Writer

__all__ = ["SqliteDocuments"]

_BATCH: Final = 500
_AHEAD: Final = 3


@dataclass(frozen=True, slots=True)
class SqliteDocuments:
    """The tables ``{name}.heads`` and ``{name}.items``, which holds the versions that were overwritten.

    ``wake`` tells the relay that there is something to publish. See ``contract.Documents``.
    """

    writing: Writing
    filters: Filters
    writer: Writer
    reader: Reader
    wake: Callable[[], None]

    async def latest(self, key: str) -> Document | None:
        head = self._head(key)
        return None if head is None else head.present

    async def latest_many(self, keys: Sequence[str]) -> dict[str, Document]:
        names = orjson.dumps(list(keys)).decode()
        heads = {row[0]: decode_head(row) for row in await self.reader.rows(self.writing.sql.heads, (names,))}
        return {key: shown(key, heads[key].item, heads[key].side) for key in dict.fromkeys(keys) if key in heads}

    async def version(self, key: str, version: int) -> Document | None:
        page = await self.history(key, before=version + 1, limit=1)
        return next((document for document in page.items if document.version == version), None)

    async def history(self, key: str, *, before: int | None = None, limit: int = 100) -> HistoryPage:
        head = self._head(key)
        if head is None:
            return HistoryPage([], None)
        latest = head.item.version
        newest = latest if before is None else min(latest, before - 1)
        items = [head.item] if newest == latest else []
        rows = await self.reader.rows(self.writing.sql.versions, (key, newest - limit + 1, newest - len(items)))
        found = [shown_old(key, item, latest) for item in (*items, *map(decode_item, rows))]
        return HistoryPage(found, found[-1].version if found and found[-1].version > 1 else None)

    async def list(
        self, where: Mapping[str, Any] | None = None, *, after: str | None = None, limit: int = 100
    ) -> ListPage:
        rows = await self.reader.rows(*self.writing.sql.page(self.filters, where, after, limit + 1))
        found = [shown(head.key, head.item, head.side) for head in map(decode_head, rows[:limit])]
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
        schema = self.writing.schema_version
        return await self._write(key, cause, lambda head: updated(head, key, fn, cause, expected, schema))

    async def amend(self, key: str, fn: AmendFn, cause: Cause) -> Written:
        return await self._write(key, cause, lambda head: amended(head, key, fn, cause))

    async def create_many(self, states: Iterable[tuple[str, State]], event_type: str, cause: Cause) -> Sequence[str]:
        made: list[str] = []
        under_way: deque[asyncio.Future[list[str]]] = deque()
        try:
            for batch in _batches(states):  # the next is made while the last ones are written
                create = partial(self.writing.create, states=batch, event_type=event_type, cause=cause)
                under_way.append(self.writer.begin(create))
                if len(under_way) == _AHEAD:
                    made += await under_way.popleft()
                    self.wake()
            while under_way:
                made += await under_way.popleft()
                self.wake()
        except Exception:
            await asyncio.gather(*under_way, return_exceptions=True)
            raise
        return made

    async def _write(self, key: str, cause: Cause, decide: Decide) -> Written:
        outcome = await self.writer.run(partial(self.writing.write, key=key, cause=cause, decide=decide))
        if isinstance(outcome, Written):
            return outcome
        if outcome.events:
            self.wake()
        return outcome.result(key)

    def _head(self, key: str) -> Head | None:
        row = self.reader.one(self.writing.sql.head, (key,))
        return None if row is None else decode_head(row)


def _batches(states: Iterable[tuple[str, State]]) -> Iterator[dict[str, State]]:
    """Batches of distinct keys; of one key twice in a batch the first counts."""
    batch: dict[str, State] = {}
    for key, state in states:
        batch.setdefault(key, state)
        if len(batch) >= _BATCH:
            yield batch
            batch = {}
    if batch:
        yield batch
