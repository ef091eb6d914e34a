"""Owns the answers MongoDB keeps, and how the first answer of a cause is found again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import orjson
import structlog
from motor.motor_asyncio import AsyncIOMotorDatabase
from pymongo.errors import BulkWriteError

from shared.cause import Cause
from shared.documents.mongo.faults import away, duplicates
from shared.documents.mongo.forms import Wire
from shared.documents.mongo.reads import Reads, find_by_id
from shared.documents.mongo.recent import Recent
from shared.documents.versions import Entry, Head, Outcome, record_ids
from shared.durability.idempotency import IdempotencyRecord, retention_of
from shared.errors import refusal_of

__all__ = ["Kept", "MongoIdempotencyRecords"]

log = structlog.get_logger(__name__)

_REMEMBERED: Final = 10_000


@dataclass(frozen=True, slots=True)
class Kept:
    """The answer of one cause about one document; an answer about none has the document ("", "")."""

    cause_id: str
    digest: str
    resource: str
    key: str
    outcome: Outcome
    version: int
    problem: dict[str, Any] | None = None
    body: dict[str, Any] | None = None

    @staticmethod
    def of(entry: Entry, resource: str, key: str) -> Kept:
        """The answer an outbox entry holds until it is kept here."""
        return Kept(
            entry.cause_id or "", entry.digest, resource, key, entry.outcome, entry.version, problem=entry.problem
        )


class MongoIdempotencyRecords:
    """The collection ``answers`` of one service's database."""

    def __init__(self, database: AsyncIOMotorDatabase[Wire]) -> None:
        self._collection = database["answers"]
        self._reads = Reads(self._collection)
        self._unkept: dict[str, str] = {}  # digests of causes whose answers still lie in a head's outbox only
        self._others: Recent[str, bool] = Recent(_REMEMBERED)  # causes whose own name another document has

    async def prepare(self) -> None:
        with away():
            await self._collection.create_index("ExpiresAt", expireAfterSeconds=0)

    def given(self, entries: Sequence[Entry]) -> None:
        """Notes answers that were given and are not kept here yet."""
        for entry in entries:
            if entry.cause_id is not None:
                self._unkept[entry.cause_id] = entry.digest

    async def find(self, resource: str, key: str, head: Head | None, cause: Cause) -> Kept | None:
        """The first answer of this cause about this document. Conflict ``id-reused`` when its body was another.

        ``head`` must have been read before this is called: an answer leaves the head's outbox only once it is here.
        """
        if cause.id is None:
            return None
        if cause.id in self._unkept:
            cause.check_digest(self._unkept[cause.id])
        for entry in head.outbox if head else ():
            if entry.cause_id == cause.id:
                cause.check_digest(entry.digest)
                return Kept.of(entry, resource, key)
        return await self._look(resource, key, cause, cause.id)

    async def _look(self, resource: str, key: str, cause: Cause, cause_id: str) -> Kept | None:
        now = datetime.now(UTC)
        for form in (await self._reads.get_many(record_ids(cause_id, resource, key))).values():
            if form["ExpiresAt"] <= now:
                continue
            cause.check_digest(form["Digest"])
            if (form["Resource"], form["Key"]) == (resource, key):
                return _decode(cause_id, form)
        return None

    async def keep(self, answers: Sequence[Kept]) -> None:
        """Keeps answers, each once: what is kept already stays."""
        if not answers:
            return
        forms: dict[str, Wire] = {}
        for answer in answers:
            own, one_of_several = record_ids(answer.cause_id, answer.resource, answer.key)
            name = one_of_several if own in forms or own in self._others else own
            forms[name] = _encode(name, answer)
        clashes = await self._insert(list(forms.values()))
        if clashes:
            await self._settle(clashes)
        for answer in answers:
            self._unkept.pop(answer.cause_id, None)

    async def first(self, cause: Cause, answer: Kept) -> Kept:
        """Keeps an answer that lies in no outbox, and returns the one that was first."""
        await self.keep([answer])
        kept = await self._look(answer.resource, answer.key, cause, answer.cause_id)
        return kept or answer

    async def record_of(self, cause: Cause) -> IdempotencyRecord | None:
        kept = await self.find("", "", None, cause)
        return None if kept is None else _answer(kept)

    async def keep_record(self, cause: Cause, answer: IdempotencyRecord) -> IdempotencyRecord:
        if cause.id is None:
            return answer
        refusal = answer.refusal
        outcome = Outcome.SAME if refusal is None else Outcome.REFUSED
        problem = None if refusal is None else refusal.problem()
        given = Kept(cause.id, cause.digest, "", "", outcome, 0, problem, answer.body)
        return _answer(await self.first(cause, given))

    async def _insert(self, forms: list[Wire]) -> list[Wire]:
        """Inserts what is new; returns those whose name was taken."""
        try:
            with away():
                await self._collection.insert_many(forms, ordered=False)
        except BulkWriteError as error:
            return [forms[place] for place in duplicates(error)]
        return []

    async def _settle(self, clashes: list[Wire]) -> None:
        """What had its name taken: kept already, expired since, or the cause's own name is another document's."""
        now, again = datetime.now(UTC), []
        there = {form["_id"]: form for form in await find_by_id(self._collection, [form["_id"] for form in clashes])}
        for form in clashes:
            before = there.get(form["_id"])
            if before is None or before["ExpiresAt"] <= now:
                with away():
                    await self._collection.replace_one({"_id": form["_id"]}, form, upsert=True)
            elif (before["Resource"], before["Key"]) != (form["Resource"], form["Key"]):
                self._others.put(form["_id"], True)
                again.append({**form, "_id": record_ids(form["_id"], form["Resource"], form["Key"])[1]})
            elif (before["Outcome"], before["VersionId"]) != (form["Outcome"], form["VersionId"]):
                log.error("one cause has two answers; the first stays", cause=form["_id"], kept=before, other=form)
        if again:
            taken = await self._insert(again)
            if taken:
                await self._settle(taken)


def _encode(name: str, answer: Kept) -> Wire:
    return {
        "_id": name,
        "Digest": answer.digest,
        "Resource": answer.resource,
        "Key": answer.key,
        "Outcome": answer.outcome.value,
        "VersionId": answer.version,
        "Problem": None if answer.problem is None else orjson.dumps(answer.problem),
        "Body": None if answer.body is None else orjson.dumps(answer.body),
        "ExpiresAt": datetime.now(UTC) + retention_of(answer.cause_id),
    }


def _decode(cause_id: str, form: Wire) -> Kept:
    return Kept(
        cause_id,
        form["Digest"],
        form["Resource"],
        form["Key"],
        Outcome(form["Outcome"]),
        form["VersionId"],
        None if form["Problem"] is None else orjson.loads(form["Problem"]),
        None if form["Body"] is None else orjson.loads(form["Body"]),
    )


def _answer(kept: Kept) -> IdempotencyRecord:
    return IdempotencyRecord(kept.body, None if kept.problem is None else refusal_of(kept.problem))
