"""Owns one resource type's versioned documents in MongoDB: what is read by key, by version and by field."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

import structlog

from shared.cause import Cause
from shared.documents.contract import (
    AmendFn,
    Change,
    Document,
    Emission,
    HistoryPage,
    ListPage,
    State,
    UpdateFn,
    Written,
)
from shared.documents.filters import Filters
from shared.documents.mongo.bulk import BulkCreation
from shared.documents.mongo.faults import away
from shared.documents.mongo.forms import Wire, decode_head
from shared.documents.mongo.queries import page_of, pages_of, query_of
from shared.documents.mongo.reads import Reads
from shared.documents.mongo.writing import Writing
from shared.documents.versions import Head, amended, shown, shown_old, updated

__all__ = ["MongoDocuments"]

log = structlog.get_logger(__name__)

_STATE: Final = "Item.State."
_WITHOUT_OUTBOX: Final = {"Outbox": 0}


@dataclass(slots=True)
class MongoDocuments:
    """The collections ``{name}`` (heads) and ``{name}.items``; see ``contract.Documents``."""

    writing: Writing
    filters: Filters
    schema_version: int
    _reads: Reads = field(init=False)

    def __post_init__(self) -> None:
        self._reads = Reads(self.writing.heads.collection, _WITHOUT_OUTBOX)

    async def prepare(self) -> None:
        """Makes the indexes. The unique one serves servers that use an index only for exactly a query's keys."""
        collection = self.writing.heads.collection
        with away():
            await collection.create_index([("_id", 1), ("Number", 1)], unique=True)
            await collection.create_index("Outbox.Since", sparse=True)
            for path in self.filters.fields:
                await collection.create_index([(_STATE + path, 1), ("_id", 1)])

    async def latest(self, key: str) -> Document | None:
        head = await self._head(key)
        return None if head is None else head.present

    async def latest_many(self, keys: Sequence[str]) -> dict[str, Document]:
        forms = await self._reads.get_many(keys)
        found = {key: decode_head(forms[key]).present for key in dict.fromkeys(keys) if key in forms}
        return {key: document for key, document in found.items() if document is not None}

    async def version(self, key: str, version: int) -> Document | None:
        page = await self.history(key, before=version + 1, limit=1)
        return next((document for document in page.items if document.version == version), None)

    async def history(self, key: str, *, before: int | None = None, limit: int = 100) -> HistoryPage:
        head = await self._head(key)
        if head is None:
            return HistoryPage([], None)
        latest = head.item.version
        newest = latest if before is None else min(latest, before - 1)
        wanted = list(range(newest, max(0, newest - limit), -1))
        items = {latest: head.item} | await self.writing.heads.items.read(key, [n for n in wanted if n != latest])
        missing = [version for version in wanted if version not in items]
        if missing:
            log.error("versions are missing", resource=self.writing.name, key=key, versions=missing)
        found = [shown_old(key, items[version], latest) for version in wanted if version in items]
        return HistoryPage(found, wanted[-1] if wanted and wanted[-1] > 1 else None)

    async def list(
        self, where: Mapping[str, Any] | None = None, *, after: str | None = None, limit: int = 100
    ) -> ListPage:
        query = {"Item.Deleted": False, **query_of(self.filters, where, _STATE, after)}
        forms = await page_of(self.writing.heads.collection, query, _WITHOUT_OUTBOX, limit + 1)
        found = [_document(form) for form in forms[:limit]]
        return ListPage(found, found[-1].key if len(forms) > limit else None)

    async def scan(
        self, where: Mapping[str, Any] | None = None, *, page: int = 1000
    ) -> AsyncIterator[Sequence[Document]]:
        query = {"Item.Deleted": False, **query_of(self.filters, where, _STATE)}
        async for forms in pages_of(self.writing.heads.collection, query, _WITHOUT_OUTBOX, page):
            yield [_document(form) for form in forms]

    async def update(self, key: str, fn: UpdateFn, cause: Cause, *, expected: int | None = None) -> Written:
        schema = self.schema_version
        return await self.writing.write(key, cause, lambda head: updated(head, key, fn, cause, expected, schema))

    async def amend(self, key: str, fn: AmendFn, cause: Cause) -> Written:
        return await self.writing.write(key, cause, lambda head: amended(head, key, fn, cause))

    async def create_many(self, states: Iterable[tuple[str, State]], event_type: str, cause: Cause) -> Sequence[str]:
        async def again(key: str, state: State) -> bool:
            made = Change(state, (Emission(event_type),))
            written = await self.update(key, lambda present: None if present else made, replace(cause, id=None))
            return written.changed

        writing = self.writing
        bulk = BulkCreation(
            writing.name, writing.heads, self.schema_version, writing.intents, writing.relay.check_room, again
        )
        return await bulk.create(states, event_type, cause)

    async def _head(self, key: str) -> Head | None:
        form = await self._reads.get(key)
        return None if form is None else decode_head(form)


def _document(form: Wire) -> Document:
    head = decode_head(form)
    return shown(head.key, head.item, head.side)
