"""The write of one head in MongoDB: read, decide, one conditional update; again when another writer was faster."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Final

from pymongo.errors import DuplicateKeyError

from shared.cause import Cause
from shared.documents.contract import Document, Written
from shared.documents.key_locks import KeyLocks, attempts
from shared.documents.mongo.bulk import BulkCreations
from shared.documents.mongo.codec import Form, encode_item, encode_state, item_id
from shared.documents.mongo.errors import away
from shared.documents.mongo.heads import Collections, MongoHead, OpenWrite, decode_head, encode_head, encode_open_write
from shared.documents.mongo.idempotency import MongoIdempotencyRecords
from shared.documents.mongo.reads import CoalescedReads
from shared.documents.mongo.relay import MongoRelay
from shared.documents.mongo.steps import PreparedWrite
from shared.documents.versions import Decide, Decision, Outcome, StoredOutcome
from shared.durability.outbox import OutgoingEvent, check_room_of_key
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
    _locks: KeyLocks = field(default_factory=KeyLocks)

    def __post_init__(self) -> None:
        self._reads = CoalescedReads(self.collections.heads)

    async def write(self, key: str, cause: Cause, decide: Decide) -> Written:
        """Decides on the newest head until what was decided is written, or nothing has to be.

        The order matters: head, then idempotency records, then the conditional update. An outcome leaves the head's
        outbox only once its record is stored, so an earlier one is seen in either place; one that is written after
        both reads fails the condition.
        """
        self.relay.check_room()
        async with self._locks.hold(key):
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

    async def create(
        self, documents: Sequence[Document], event_type: str, cause: Cause
    ) -> tuple[list[Document], asyncio.Task[None]]:
        """Bulk creation: writes those of these first versions that have no head yet; see ``BulkCreations.create``."""
        self.relay.check_room()
        outcome = StoredOutcome("", "", self.name, "", Outcome.VERSION, 1)
        return await self.bulk.create(documents, OpenWrite.of(1, outcome, [OutgoingEvent(event_type)], cause))

    async def _read(self, key: str) -> MongoHead | None:
        form = await self._reads.get(key)
        return None if form is None else decode_head(form)

    async def _store(self, key: str, before: MongoHead | None, decision: Decision, cause: Cause) -> bool:
        """The one atomic write; False when another writer wrote the head meanwhile."""
        document = decision.document
        if document is None:
            raise ValueError("a head holds a version")
        if before is not None and before.intent is not None:
            intent = await self.bulk.find(before.intent)
            if intent is not None:
                await self._take_over(before, intent.write)
                return False
        is_version = decision.outcome is Outcome.VERSION
        if is_version and before is not None and before.latest_may_be_here_only:
            await self.collections.items.store({item_id(key, before.document.version): before.item})
        number = before.number + 1 if before else 1
        added = OpenWrite.of(number, StoredOutcome.of_decision(decision, cause, self.name, key), decision.events, cause)
        open_writes = (*(before.open_writes if before else ()), added)
        check_room_of_key(f"{self.name} {key}", len(open_writes) - 1)
        if sum(write.event_bytes for write in open_writes) > _MAX_OPEN_BYTES:
            raise Unavailable(f"{len(open_writes)} events of {self.name} {key} wait for the broker; try again later")
        item = encode_item(document, number) if is_version or before is None else before.item
        head = MongoHead(document, number, item, open_writes)
        if before is None:
            try:
                with away():
                    await self.collections.heads.insert_one(encode_head(head, datetime.now(UTC)))
            except DuplicateKeyError:
                return False
        else:
            return await self._update(before, head)
        self._hand_over(head)
        return True

    async def _update(self, before: MongoHead, head: MongoHead) -> bool:
        condition = {"_id": head.document.key, "Number": before.number}
        with away():
            result = await self.collections.heads.update_one(condition, _change(before, head))
        if result.matched_count:
            self._hand_over(head)
        return bool(result.matched_count)

    async def _take_over(self, head: MongoHead, creation: OpenWrite) -> None:
        """Moves a creation that is not published yet from its intent into the head's outbox, before what follows it."""
        write = replace(creation, number=head.number + 1)
        await self._update(
            head, replace(head, number=write.number, open_writes=(*head.open_writes, write), intent=None)
        )

    def _hand_over(self, head: MongoHead) -> None:
        """Gives the relay the latest write, prepared while the state is at hand and not yet the caller's."""
        key, write = head.document.key, head.open_writes[-1]
        self.records.written(write)
        item = head.item if write.made_version else None
        self.relay.written(
            (self.name, key), head, PreparedWrite(write, write.messages(key, head.document, self.source), item)
        )

    async def _replayed(self, first: StoredOutcome, head: MongoHead | None) -> Written:
        if first.problem is not None:
            return first.result(None)
        if head is None or head.document.version < first.version:
            head = await self._read(first.key)  # it was read before the first outcome was written
        document = None if head is None else head.document
        if document is not None and document.version != first.version:  # overwritten since, and stored before that
            name = item_id(first.key, first.version)
            old = (await self.collections.items.read([name])).get(name)
            document = None if old is None else old._replace(side=document.side)
        if document is None:
            raise Unavailable(f"version {first.version} of {self.name} {first.key} is not there yet; try again")
        return first.result(document)

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
        fields["Side"] = encode_state(head.document.side)
    if head.item is not before.item:
        fields["Item"] = head.item
        fields["LatestVersionId"] = head.document.version
    if before.intent is not None:
        change["$unset"] = {"Intent": ""}
    change["$set"] = {**fields, "Number": head.number}
    return change
