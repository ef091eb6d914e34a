"""The write of one head in MongoDB: read, decide, one conditional update; again when another writer was faster."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Final
from weakref import WeakValueDictionary

import orjson
from pymongo.errors import DuplicateKeyError

from shared.cause import Cause
from shared.documents.contract import Written
from shared.documents.mongo.bulk import BulkCreations
from shared.documents.mongo.codec import Form, encode_item, item_id
from shared.documents.mongo.errors import attempts, away
from shared.documents.mongo.heads import Collections, MongoHead, OpenWrite, decode_head, encode_head, encode_open_write
from shared.documents.mongo.idempotency import MongoIdempotencyRecords
from shared.documents.mongo.reads import CoalescedReads
from shared.documents.mongo.relay import MongoRelay
from shared.documents.mongo.steps import PreparedWrite
from shared.documents.versions import Decide, Decision, Outcome, StoredOutcome
from shared.durability.outbox import check_room_of_key
from shared.errors import Unavailable

_MAX_OPEN_BYTES: Final = 4_000_000  # of events with data of their own; a document may have 16 MB


@dataclass(slots=True)
class DocumentWrites:
    """The writes of one resource type."""

    name: str
    collections: Collections
    records: MongoIdempotencyRecords
    relay: MongoRelay
    bulk: BulkCreations
    source: str
    _reads: CoalescedReads = field(init=False)
    _locks: WeakValueDictionary[str, asyncio.Lock] = field(default_factory=WeakValueDictionary)

    def __post_init__(self) -> None:
        self._reads = CoalescedReads(self.collections.heads)

    async def write(self, key: str, cause: Cause, decide: Decide) -> Written:
        """Decides on the newest head until what was decided is written, or nothing has to be.

        The order matters: head, then idempotency records, then the conditional update. An outcome leaves the head's
        outbox only once its record is stored, so an earlier one is seen in either place; one that is written after
        both reads fails the condition.
        """
        self.relay.check_room()
        async with self._locks.setdefault(key, asyncio.Lock()):  # in memory while somebody holds or awaits it
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
                if await self._store(key, head, decision, cause):
                    return decision.result()
        raise Unavailable(f"{self.name} {key} is being written by too many at once; try again")

    async def _read(self, key: str) -> MongoHead | None:
        form = await self._reads.get(key)
        return None if form is None else decode_head(form)

    async def _store(self, key: str, before: MongoHead | None, decision: Decision, cause: Cause) -> bool:
        """False when another writer wrote the head meanwhile."""
        document = decision.document
        if document is None:
            raise ValueError("a head holds a version")
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
        check_room_of_key(f"{self.name} {key}", len(open_writes))
        outcome = StoredOutcome.of_decision(decision, cause, self.name, key)
        open_writes = (*open_writes, OpenWrite.of(number, outcome, decision.events, cause))
        if sum(write.event_bytes for write in open_writes) > _MAX_OPEN_BYTES:
            raise Unavailable(f"{len(open_writes)} events of {self.name} {key} wait for the broker; try again later")
        if item is None or decision.outcome is Outcome.VERSION:
            item = encode_item(document, self.collections.filters)
        return await self._write_head(before, MongoHead(document, number, item, open_writes))

    async def _write_head(self, before: MongoHead | None, head: MongoHead) -> bool:
        """The one atomic write; False when another writer was first.

        The relay gets what it has to finish, prepared while the state is at hand and not yet the caller's.
        """
        key, write = head.document.key, head.open_writes[-1]
        try:
            with away():
                if before is None:
                    await self.collections.heads.insert_one(encode_head(head, datetime.now(UTC)))
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


def _change(before: MongoHead, head: MongoHead) -> Form:
    """``Number`` is written last: where a server shows a write in parts, whoever sees it sees all of it."""
    change: Form = {"$push": {"Outbox": encode_open_write(head.open_writes[-1], datetime.now(UTC))}}
    fields: Form = {}
    if head.document.side != before.document.side:
        fields["Side"] = orjson.dumps(head.document.side).decode()
    if head.item is not before.item:
        fields["Item"] = head.item
        fields["LatestVersionId"] = head.document.version
    if before.intent is not None:
        change["$unset"] = {"Intent": ""}
    change["$set"] = {**fields, "Number": head.number}
    return change
