"""The idempotency records in MongoDB, and how the first outcome of a cause is found again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

import structlog
from cachetools import LRUCache
from motor.motor_asyncio import AsyncIOMotorDatabase
from pymongo.errors import BulkWriteError

from shared.cause import Cause
from shared.documents.mongo.codec import Form
from shared.documents.mongo.errors import away, duplicates
from shared.documents.mongo.heads import MongoHead, OpenWrite
from shared.documents.mongo.reads import CoalescedReads, find_by_id
from shared.documents.versions import Decision, Outcome, StoredOutcome, record_ids
from shared.durability.idempotency import retention_of
from shared.errors import Refused

log = structlog.get_logger(__name__)

_REMEMBERED: Final = 10_000  # what is forgotten costs one more insert that clashes


class MongoIdempotencyRecords:
    """The collection ``idempotency_records`` of one service's database."""

    def __init__(self, database: AsyncIOMotorDatabase[Form]) -> None:
        self._collection = database["idempotency_records"]
        self._reads = CoalescedReads(self._collection)
        self._open: dict[str, str] = {}  # digests of causes whose outcome lies in a head's outbox only
        self._shared: LRUCache[str, bool] = LRUCache(_REMEMBERED)  # causes whose own id another document has

    async def prepare(self) -> None:
        with away():
            await self._collection.create_index("ExpiresAt", expireAfterSeconds=0)

    def written(self, write: OpenWrite) -> None:
        """Notes an outcome that is in a head's outbox and not stored here yet."""
        if write.outcome.cause_id:
            self._open[write.outcome.cause_id] = write.outcome.digest

    async def find(self, resource: str, key: str, head: MongoHead | None, cause: Cause) -> StoredOutcome | None:
        """The first outcome of this cause for this document, or its refusal before it came to one (rule 3.39).

        Conflict ``id-reused`` when its body was another. ``head`` must have been read before this is called: an outcome
        leaves the head's outbox only once it is here.
        """
        if cause.id is None:
            return None
        if cause.id in self._open:
            cause.check_digest(self._open[cause.id])
        for write in head.open_writes if head else ():
            if write.outcome.cause_id == cause.id:
                cause.check_digest(write.outcome.digest)
                return write.outcome
        return await self._read(resource, key, cause, cause.id)

    async def store(self, outcomes: Sequence[StoredOutcome]) -> None:
        """Stores outcomes, each once: what is stored already stays."""
        named: dict[str, StoredOutcome] = {}
        for outcome in outcomes:
            own, one_of_several = record_ids(outcome.cause_id, outcome.resource, outcome.key)
            named[one_of_several if own in named or own in self._shared else own] = outcome
        if named:
            await self._insert(named)
        for outcome in outcomes:
            self._open.pop(outcome.cause_id, None)

    async def store_first(self, cause: Cause, outcome: StoredOutcome) -> StoredOutcome:
        """Stores an outcome that lies in no outbox, and returns the one that was first."""
        await self.store([outcome])
        return await self._read(outcome.resource, outcome.key, cause, outcome.cause_id) or outcome

    async def keep_refusal(self, cause: Cause, refusal: Refused) -> None:
        decision = Decision(Outcome.REFUSED, None, refusal=refusal)
        if decision.must_be_stored(cause):
            first = await self.store_first(cause, StoredOutcome.of_decision(decision, cause, "", ""))
            first.again(None).result()

    async def _read(self, resource: str, key: str, cause: Cause, cause_id: str) -> StoredOutcome | None:
        now, found = datetime.now(UTC), None
        ids = {*record_ids(cause_id, resource, key), *record_ids(cause_id, "", "")}
        for form in (await self._reads.get_many(ids)).values():
            if form["ExpiresAt"] > now:
                outcome = StoredOutcome.decode(form["Outcome"])
                cause.check_digest(outcome.digest)
                if (outcome.resource, outcome.key) == (resource, key):
                    return outcome
                if not outcome.resource:
                    found = outcome
        return found

    async def _insert(self, named: Mapping[str, StoredOutcome]) -> None:
        try:
            with away():
                await self._collection.insert_many([_encode(*one) for one in named.items()], ordered=False)
        except BulkWriteError as error:
            names = list(named)
            await self._resolve({names[place]: named[names[place]] for place in duplicates(error)})

    async def _resolve(self, clashes: Mapping[str, StoredOutcome]) -> None:
        """Their ids are taken: by the same record, by one that has expired, or by another document of the cause."""
        now, again = datetime.now(UTC), dict[str, StoredOutcome]()
        stored = {form["_id"]: form for form in await find_by_id(self._collection, list(clashes))}
        for name, outcome in clashes.items():
            if name not in stored or stored[name]["ExpiresAt"] <= now:
                with away():
                    await self._collection.replace_one({"_id": name}, _encode(name, outcome), upsert=True)
                continue
            first = StoredOutcome.decode(stored[name]["Outcome"])
            if (first.resource, first.key) != (outcome.resource, outcome.key):
                self._shared[name] = True
                again[record_ids(name, outcome.resource, outcome.key)[1]] = outcome
            elif (first.outcome, first.version) != (outcome.outcome, outcome.version):
                log.error("one cause has two outcomes; the first stays", cause=name, first=first, other=outcome)
        if again:
            await self._insert(again)


def _encode(name: str, outcome: StoredOutcome) -> Form:
    expires_at = datetime.now(UTC) + retention_of(outcome.cause_id)
    return {"_id": name, "Outcome": outcome.encode(), "ExpiresAt": expires_at}
