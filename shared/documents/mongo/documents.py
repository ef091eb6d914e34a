"""One resource type's versioned documents in MongoDB.

A write reads the head, decides, and updates the head once under a condition; again when another writer was faster.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final
from weakref import WeakValueDictionary

import structlog
from pymongo.errors import DuplicateKeyError

from shared.cause import Cause
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
from shared.documents.mongo.bulk import BulkCreations
from shared.documents.mongo.codec import SHOWN, Form, decode_latest, encode_item, encode_state, item_id
from shared.documents.mongo.errors import attempts, away
from shared.documents.mongo.heads import Collections, MongoHead, OpenWrite, decode_head, encode_open_write
from shared.documents.mongo.idempotency import MongoIdempotencyRecords
from shared.documents.mongo.reads import CoalescedReads, page_of, query_of, stretch_of
from shared.documents.mongo.relay import MongoRelay
from shared.documents.mongo.steps import PreparedWrite
from shared.documents.sorting import Stretch, sorted_page
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
from shared.durability.outbox import OutboxFull, OutgoingEvent, check_room_of_lane
from shared.durability.read_model import State
from shared.durability.turns import Turns
from shared.errors import Unavailable

log = structlog.get_logger(__name__)

_BATCH: Final = 1000  # documents created by one command, whose keys lie in one intent; documents purged together
_BATCHES_TO_PUBLISH: Final = 2  # while the next is written; this bounds the memory
_MAX_OPEN_BYTES: Final = 4_000_000  # of events with their data; of a document's 16 MiB a state may take 12
_STATE: Final = "Item.State."
_PRESENT: Final = {"Item.Deleted": False}
_DELETED: Final = {"Item.Deleted": True}
_PURGED: Final = {"Item.VersionId": 1, "Number": 1, "Outbox": 1}


@dataclass(slots=True)
class MongoDocuments(Documents):
    """See ``Documents``. The collections are ``{name}.heads`` and ``{name}.items``."""

    name: str
    schema_version: int
    collections: Collections
    filters: Filters
    records: MongoIdempotencyRecords
    relay: MongoRelay
    bulk: BulkCreations
    source: str
    _shown: CoalescedReads = field(init=False)
    _heads: CoalescedReads = field(init=False)
    _turns: WeakValueDictionary[str, Turns] = field(default_factory=WeakValueDictionary)  # while somebody is in them

    def __post_init__(self) -> None:
        self._shown = CoalescedReads(self.collections.heads, SHOWN)
        self._heads = CoalescedReads(self.collections.heads)

    async def prepare(self) -> None:
        """Makes the indexes. The unique one serves servers that use an index only for exactly the keys of a query."""
        collection = self.collections.heads
        with away():
            await collection.create_index([("_id", 1), ("Number", 1)], unique=True)
            await collection.create_index("Outbox.Since", sparse=True)
            for path in self.filters.fields:
                await collection.create_index([(_STATE + path, 1), ("_id", 1)])

    async def latest(self, key: str) -> Document | None:
        form = await self._shown.get(key)
        return None if form is None or form["Item"]["Deleted"] else decode_latest(form)

    async def latest_many(self, keys: Sequence[str]) -> dict[str, Document]:
        forms = await self._shown.get_many(keys)
        return {key: decode_latest(form) for key, form in forms.items() if not form["Item"]["Deleted"]}

    async def versions(self, wanted: Collection[tuple[str, int]]) -> dict[tuple[str, int], Document]:
        forms = await self._shown.get_many(key for key, _ in wanted)  # the latest may lie in the head alone
        found = {(key, form["Item"]["VersionId"]): decode_latest(form) for key, form in forms.items()}
        items = {item_id(*one): one for one in wanted if one not in found}
        stored = await self.collections.items.read(list(items))
        found.update((items[name], document) for name, document in stored.items())
        return {one: as_old(found[one], one[1]) for one in wanted if one in found}

    async def history(self, key: str, *, before: int | None = None, limit: int = 100) -> HistoryPage:
        form = await self._shown.get(key)
        if form is None:
            return HistoryPage([], None)
        head = decode_latest(form)
        newest = head.version if before is None else min(head.version, before - 1)
        versions = range(newest, max(0, newest - limit), -1)
        items = await self.collections.items.read([item_id(key, n) for n in versions if n != head.version])
        found = {item.version: item for item in items.values()} | {head.version: head}
        missing = [version for version in versions if version not in found]
        if missing:
            log.error("versions are missing", resource=self.name, key=key, versions=missing)
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
        query = query_of(self.filters, where, _STATE, after)
        forms = await page_of(self.collections.heads, query, SHOWN, limit)
        present = [form for form in forms if not form["Item"]["Deleted"]]
        if len(present) < len(forms) == limit:
            rest = {**_PRESENT, **query_of(self.filters, where, _STATE, forms[-1]["_id"])}
            present += await page_of(self.collections.heads, rest, SHOWN, limit - len(present))
        return present

    async def list_sorted(
        self,
        by: str,
        where: Mapping[str, Any] | None = None,
        *,
        descending: bool = False,
        after: Place | None = None,
        limit: int = 100,
    ) -> SortedPage:
        self.filters.check([by])
        matching, field, way = query_of(self.filters, where, _STATE), _STATE + by, -1 if descending else 1

        async def read(stretch: Stretch | None, count: int) -> list[Document]:
            query = {"$and": [matching, stretch_of(field, stretch, descending=descending)]}
            sort = [(field, way), ("_id", way)]
            forms = await page_of(self.collections.heads, query, SHOWN, count, sort)
            if any(form["Item"]["Deleted"] for form in forms):  # as in ``_present``
                forms = await page_of(self.collections.heads, {**_PRESENT, **query}, SHOWN, count, sort)
            return [decode_latest(form) for form in forms]

        return await sorted_page(read, by, after, limit, descending=descending)

    async def update(self, key: str, fn: UpdateFn, cause: Cause, *, expected: int | None = None) -> Written:
        schema = self.schema_version
        return await self._write(key, cause, lambda head: updated(head, key, fn, cause, expected, schema))

    async def amend(self, key: str, fn: AmendFn, cause: Cause) -> Written:
        return await self._write(key, cause, lambda head: amended(head, key, fn, cause))

    async def create_many(self, states: Iterable[tuple[str, State]], event_type: str, cause: Cause) -> Sequence[str]:
        cause, created = replace(cause, id=None), list[str]()
        outcome = StoredOutcome("", "", self.name, "", Outcome.VERSION, 1)
        write = OpenWrite.of(1, outcome, [OutgoingEvent(event_type)], cause)
        publishing: list[asyncio.Task[None]] = []
        try:
            for batch in batches_of(states, _BATCH):
                documents = [first_version(key, state, cause, self.schema_version) for key, state in batch.items()]
                self.relay.check_room()
                new, task = await self.bulk.create(documents, write)
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

    async def purge(self, where: Mapping[str, Any]) -> int:
        purged, after = 0, None
        while True:
            query = {**_DELETED, **query_of(self.filters, where, _STATE, after)}
            forms = await page_of(self.collections.heads, query, _PURGED, _BATCH)
            if not forms:
                return purged
            after = forms[-1]["_id"]
            purged += await self._purge([form for form in forms if not form.get("Outbox")])

    async def _purge(self, forms: Sequence[Form]) -> int:
        """The versions first, and then the heads, which are found again where this is broken off."""
        ids = [item_id(form["_id"], n) for form in forms for n in range(1, form["Item"]["VersionId"] + 1)]
        for first in range(0, len(ids), _BATCH):
            await self.collections.items.delete(ids[first : first + _BATCH])
        purged = 0
        with away():
            for form in forms:
                written = {"_id": form["_id"], "Number": form["Number"]}
                purged += (await self.collections.heads.delete_one(written)).deleted_count
        return purged

    async def _write(self, key: str, cause: Cause, decide: Decide) -> Written:
        """Decides on the newest head until what was decided is written, or nothing has to be.

        The order matters: head, then idempotency records, then the conditional update. An outcome leaves the head's
        outbox only once its record is stored, so an earlier one is seen in either place; one that is written after
        both reads fails the condition.
        """
        self.relay.check_room()
        asked_at = time.monotonic()
        async with self._turns.setdefault(key, Turns(f"{self.name} {key}")):
            async for _ in attempts():
                head = await self._read(key)
                first = await self.records.find(self.name, key, head, cause)
                if first is not None:
                    return await self._replayed(first, head)
                decision = decide(None if head is None else head.document)
                if not decision.must_be_stored(cause):
                    return decision.result()
                if decision.document is None:
                    return await self._refused(key, cause, decision)
                try:
                    if await self._store(head, decision.document, decision, cause):
                        return decision.result()
                except OutboxFull as full:
                    await self.relay.wait_for_room(full, asked_at)
        raise Unavailable(f"other processes write {self.name} {key} all the time; try again", slug="busy", title="Busy")

    async def _read(self, key: str) -> MongoHead | None:
        form = await self._heads.get(key)
        return None if form is None else decode_head(form)

    async def _store(self, before: MongoHead | None, document: Document, decision: Decision, cause: Cause) -> bool:
        """False when another writer wrote the head meanwhile."""
        key = document.key
        number, open_writes, item = 1, tuple[OpenWrite, ...](), None
        if before is not None:
            number, open_writes, item = before.number + 1, before.open_writes, before.item
            intent = None if before.intent is None else await self.bulk.find(before.intent)
            if intent is not None:  # its creation is not published yet, and goes before what follows it
                write = replace(intent.write, number=number)
                await self._write_head(before, replace(before, number=number, open_writes=(*open_writes, write)))
                return False
            if decision.outcome is Outcome.VERSION and before.latest_may_be_here_only:
                await self.collections.items.store({item_id(key, before.document.version): before.item})
        check_room_of_lane((self.name, key), len(open_writes))
        outcome = StoredOutcome.of_decision(decision, cause, self.name, key)
        open_writes = (*open_writes, OpenWrite.of(number, outcome, decision.events, cause))
        if sum(write.event_bytes for write in open_writes) > _MAX_OPEN_BYTES:
            raise OutboxFull((self.name, key), len(open_writes))
        if item is None or decision.outcome is Outcome.VERSION:
            item = encode_item(document)
        return await self._write_head(before, MongoHead(document, number, item, open_writes))

    async def _write_head(self, before: MongoHead | None, head: MongoHead) -> bool:
        """The one atomic write; False when another writer was first.

        The relay gets what it has to finish, prepared while the state is at hand and not yet the caller's.
        """
        key, write = head.document.key, head.open_writes[-1]
        try:
            with away():
                if before is None:
                    first = {"_id": key, "Number": head.number, "LatestVersionId": head.document.version}
                    outbox = [encode_open_write(write, datetime.now(UTC))]
                    await self.collections.heads.insert_one({**first, "Item": head.item, "Outbox": outbox})
                else:
                    condition = {"_id": key, "Number": before.number}
                    result = await self.collections.heads.update_one(condition, _change(before, head))
                    if result.matched_count == 0:
                        return False
        except DuplicateKeyError:
            return False
        self.records.written(write)
        item = head.item if write.made_version else None
        messages = write.messages(key, head.document, self.source)
        self.relay.written((self.name, key), head, PreparedWrite(write, messages, item))
        return True

    async def _replayed(self, first: StoredOutcome, head: MongoHead | None) -> Written:
        if first.problem is not None:
            return first.again(None).result()
        if head is None or head.document.version < first.version:
            head = await self._read(first.key)  # it was read before the first outcome was written
        document = None if head is None else head.document
        if document is not None and document.version != first.version:  # overwritten since, and stored before that
            name = item_id(first.key, first.version)
            old = (await self.collections.items.read([name])).get(name)
            document = None if old is None else old._replace(side=document.side)
        if document is None:
            raise Unavailable(f"version {first.version} of {self.name} {first.key} is not there yet; try again")
        return first.again(document).result()

    async def _refused(self, key: str, cause: Cause, decision: Decision) -> Written:
        """Stores a refusal where there is no head to hold it."""
        mine = StoredOutcome.of_decision(decision, cause, self.name, key)
        first = await self.records.store_first(cause, mine)
        return await self._replayed(first, None) if first.problem != mine.problem else decision.result()


def _unless_present(change: Change, present: Document | None) -> Change | None:
    return None if present else change


def _change(before: MongoHead, head: MongoHead) -> Form:
    """``Number`` is written last: where a server shows a write in parts, whoever sees it sees all of it."""
    change: Form = {"$push": {"Outbox": encode_open_write(head.open_writes[-1], datetime.now(UTC))}}
    fields: Form = {}
    if head.document.side != before.document.side:
        fields["Side"] = encode_state(head.document.side)
    if head.item is not before.item:
        fields["Item"] = head.item
        fields["LatestVersionId"] = head.document.version
    if before.intent is not None:
        change["$unset"] = {"Intent": ""}
    change["$set"] = {**fields, "Number": head.number}
    return change
