"""One resource type's versioned documents in MongoDB."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Final

import structlog

from shared.cause import Cause
from shared.documents.contract import AmendFn, Change, Document, Documents, HistoryPage, ListPage, UpdateFn, Written
from shared.documents.mongo.codec import SHOWN, Form, decode_latest, field_name, item_id
from shared.documents.mongo.errors import away
from shared.documents.mongo.heads import OpenWrite
from shared.documents.mongo.reads import CoalescedReads, page_of, query_of
from shared.documents.mongo.writes import DocumentWrites
from shared.documents.versions import Outcome, StoredOutcome, amended, as_old, batches_of, first_version, updated
from shared.durability.outbox import OutgoingEvent
from shared.durability.read_model import State

log = structlog.get_logger(__name__)

_BATCH: Final = 1000  # documents created by one command; the keys of so many lie in one intent
_BATCHES_TO_PUBLISH: Final = 2  # while the next is written; this bounds the memory
_FIELDS: Final = "Item.Fields."
_PRESENT: Final = {"Item.Deleted": False}


@dataclass(slots=True)
class MongoDocuments(Documents):
    """See ``Documents``. The collections are ``{name}.heads`` and ``{name}.items``."""

    writes: DocumentWrites
    schema_version: int
    _reads: CoalescedReads = field(init=False)

    def __post_init__(self) -> None:
        self._reads = CoalescedReads(self.writes.collections.heads, SHOWN)

    async def prepare(self) -> None:
        """Makes the indexes. The unique one serves servers that use an index only for exactly the keys of a query."""
        collection = self.writes.collections.heads
        with away():
            await collection.create_index([("_id", 1), ("Number", 1)], unique=True)
            await collection.create_index("Outbox.Since", sparse=True)
            for field_ in self.writes.collections.filters.fields:
                await collection.create_index([(_FIELDS + field_name(field_), 1), ("_id", 1)])

    async def latest(self, key: str) -> Document | None:
        form = await self._reads.get(key)
        return None if form is None or form["Item"]["Deleted"] else decode_latest(form)

    async def latest_many(self, keys: Sequence[str]) -> dict[str, Document]:
        forms = await self._reads.get_many(keys)
        return {key: decode_latest(form) for key, form in forms.items() if not form["Item"]["Deleted"]}

    async def history(self, key: str, *, before: int | None = None, limit: int = 100) -> HistoryPage:
        form = await self._reads.get(key)
        if form is None:
            return HistoryPage([], None)
        head = decode_latest(form)
        newest = head.version if before is None else min(head.version, before - 1)
        versions = range(newest, max(0, newest - limit), -1)
        items = await self.writes.collections.items.read([item_id(key, n) for n in versions if n != head.version])
        found = {item.version: item for item in items.values()} | {head.version: head}
        missing = [version for version in versions if version not in found]
        if missing:
            log.error("versions are missing", resource=self.writes.name, key=key, versions=missing)
        oldest = versions[-1] if versions else 1
        page = [as_old(found[version], head.version) for version in versions if version in found]
        return HistoryPage(page, oldest if oldest > 1 else None)

    async def list(
        self, where: Mapping[str, Any] | None = None, *, after: str | None = None, limit: int = 100
    ) -> ListPage:
        forms = await self._present(where, after, limit + 1)
        found = [decode_latest(form) for form in forms[:limit]]
        return ListPage(found, found[-1].key if len(forms) > limit else None)

    async def _present(self, where: Mapping[str, Any] | None, after: str | None, limit: int) -> Sequence[Form]:
        """The first ones without tombstones. These are rare, so only a page that has some is filled up without them.

        No index separates them from the others: a server that is asked to leave them out reads every document.
        """
        query = query_of(self.writes.collections.filters, where, _FIELDS, after)
        forms = await page_of(self.writes.collections.heads, query, SHOWN, limit)
        present = [form for form in forms if not form["Item"]["Deleted"]]
        if len(present) < len(forms) == limit:
            rest = {**_PRESENT, **query_of(self.writes.collections.filters, where, _FIELDS, forms[-1]["_id"])}
            present += await page_of(self.writes.collections.heads, rest, SHOWN, limit - len(present))
        return present

    async def update(self, key: str, fn: UpdateFn, cause: Cause, *, expected: int | None = None) -> Written:
        schema = self.schema_version
        return await self.writes.write(key, cause, lambda head: updated(head, key, fn, cause, expected, schema))

    async def amend(self, key: str, fn: AmendFn, cause: Cause) -> Written:
        return await self.writes.write(key, cause, lambda head: amended(head, key, fn, cause))

    async def create_many(self, states: Iterable[tuple[str, State]], event_type: str, cause: Cause) -> Sequence[str]:
        cause, created = replace(cause, id=None), list[str]()
        outcome = StoredOutcome("", "", self.writes.name, "", Outcome.VERSION, 1)
        write = OpenWrite.of(1, outcome, [OutgoingEvent(event_type)], cause)
        publishing: list[asyncio.Task[None]] = []
        try:
            for batch in batches_of(states, _BATCH):
                documents = [first_version(key, state, cause, self.schema_version) for key, state in batch.items()]
                self.writes.relay.check_room()
                new, task = await self.writes.bulk.create(documents, write)
                publishing.append(task)
                created += [document.key for document in new]
                existing = list(batch.keys() - created)
                for key in existing - (await self.latest_many(existing)).keys():
                    change = Change(batch[key], (OutgoingEvent(event_type),))
                    if (await self.update(key, partial(_unless_present, change), cause)).changed:
                        created.append(key)
                while len(publishing) > _BATCHES_TO_PUBLISH:
                    await publishing.pop(0)
            await asyncio.gather(*publishing)
        finally:
            for task in publishing:
                task.cancel()
        return created


def _unless_present(change: Change, present: Document | None) -> Change | None:
    return None if present else change
