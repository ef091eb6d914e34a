"""Owns the write of one head in MongoDB: read, decide, one conditional update, tried again when somebody was faster."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Final

from bson.raw_bson import RawBSONDocument
from pymongo.errors import DuplicateKeyError

from shared.cause import Cause
from shared.documents.contract import Written
from shared.documents.mongo.faults import away
from shared.documents.mongo.finishing import Heads
from shared.documents.mongo.forms import Wire, decode_head, encode_entry, encode_head, encode_item, encode_side, item_id
from shared.documents.mongo.idempotency import Kept, MongoIdempotencyRecords
from shared.documents.mongo.intents import Intents
from shared.documents.mongo.reads import Reads
from shared.documents.mongo.relay import Relay
from shared.documents.turns import Turns, attempts
from shared.documents.versions import (
    Decide,
    Decision,
    Entry,
    Head,
    Item,
    Outcome,
    created_entry,
    entry_of,
    messages_of,
    shown,
)
from shared.durability.outbox import check_room_of_key
from shared.errors import Unavailable, refusal_of

__all__ = ["Writing"]

_MAX_OPEN_BYTES: Final = 4_000_000  # of events with data of their own; a document may have 16 MB


@dataclass(frozen=True, slots=True)
class _Next:
    """The head as it will be, with the entries that this write adds to its outbox."""

    head: Head
    added: list[Entry]
    new_version: RawBSONDocument | None


@dataclass(slots=True)
class Writing:
    """Writes to the heads of one resource type."""

    name: str
    heads: Heads
    records: MongoIdempotencyRecords
    relay: Relay
    intents: Intents
    source: str
    _reads: Reads = field(init=False)
    _turns: Turns = field(default_factory=Turns)

    def __post_init__(self) -> None:
        self._reads = Reads(self.heads.collection)

    async def write(self, key: str, cause: Cause, decide: Decide) -> Written:
        """Decides on the newest head until what was decided is written, or nothing had to be.

        The order matters: head, then answers, then the conditional update. An answer leaves the head's outbox only
        once it is kept, so one that was given is seen in either; one given after both reads fails the condition.
        """
        self.relay.check_room()
        async with self._turns.hold(key):
            async for _ in attempts():
                head = await self._read(key)
                kept = await self.records.find(self.name, key, head, cause)
                if kept is not None:
                    return await self._told_again(kept, key, head)
                decision = decide(head)
                if not decision.leaves_a_trace(cause):
                    return decision.result(key)
                if decision.item is None:
                    return await self._refused(key, cause, decision)
                if await self._store(head, await self._next(key, head, decision, cause)):
                    return decision.result(key)
        raise Unavailable(f"{self.name} {key} is being written by too many at once; try again")

    async def _read(self, key: str) -> Head | None:
        form = await self._reads.get(key)
        return None if form is None else decode_head(form)

    async def _next(self, key: str, head: Head | None, decision: Decision, cause: Cause) -> _Next:
        item = decision.item
        if item is None:
            raise ValueError("a head holds a version")
        added: list[Entry] = []
        raw = None
        if decision.outcome is Outcome.VERSION:
            if head is not None:
                added += await self._saved(head)
            item = replace(item, number=(head.number if head else 0) + len(added) + 1)
            raw = encode_item(item)
        number = (head.number if head else 0) + len(added) + 1
        added.append(entry_of(number, item.version, decision, cause))
        outbox = (*(head.outbox if head else ()), *added)
        check_room_of_key(f"{self.name} {key}", len(outbox) - 1)
        if sum(_size(entry) for entry in outbox) > _MAX_OPEN_BYTES:
            raise Unavailable(f"{len(outbox)} events of {self.name} {key} wait for the broker; try again later")
        intent = None if raw is not None or head is None else head.intent
        return _Next(Head(key, number, item, decision.side, outbox, intent), added, raw)

    async def _saved(self, head: Head) -> list[Entry]:
        """Stores the version that is about to be overwritten, where nobody has yet.

        What it returns must go into the outbox before the new version: the creation nobody was told of.
        """
        if not head.latest_is_open and head.intent is None:
            return []
        await self.heads.items.ensure(head.key, head.item)
        intent = None if head.intent is None else await self.intents.find(head.intent)
        if intent is None:
            return []
        return [created_entry(head.number + 1, head.item, intent.event_type, intent.trace)]

    async def _store(self, before: Head | None, after: _Next) -> bool:
        """The one atomic write; False when somebody else wrote the head meanwhile."""
        head, since = after.head, datetime.now(UTC)
        if before is None:
            if after.new_version is None:
                raise ValueError("a head begins with a version")
            try:
                with away():
                    await self.heads.collection.insert_one(encode_head(head, after.new_version, since))
            except DuplicateKeyError:
                return False
        else:
            condition = {"_id": head.key, "Number": before.number}
            with away():
                result = await self.heads.collection.update_one(condition, _change(before, after, since))
            if result.matched_count == 0:
                return False
        self._hand_over(before, after)
        return True

    def _hand_over(self, before: Head | None, after: _Next) -> None:
        """Gives the relay what it has to finish, built while it is at hand and not yet the caller's."""
        head = after.head
        self.records.given(after.added)
        made = {}
        for entry in after.added:
            item = before.item if before is not None and entry.version == before.item.version else head.item
            made[entry.number] = messages_of(entry, head.key, item, self.source)
        items = {} if after.new_version is None else {item_id(head.key, head.item.version): after.new_version}
        self.relay.written((self.name, head.key), head.outbox, made, items)

    async def _told_again(self, kept: Kept, key: str, head: Head | None) -> Written:
        if kept.problem is not None:
            raise refusal_of(kept.problem)
        if head is None or head.item.version < kept.version:
            head = await self._read(key)  # it was read before the answer was given
        if head is None:
            raise Unavailable(f"the head of {self.name} {key} is not there yet; try again")
        item: Item | None = head.item
        if head.item.version != kept.version:  # overwritten since, and stored before that
            item = (await self.heads.items.read(key, [kept.version])).get(kept.version)
        if item is None:
            raise Unavailable(f"version {kept.version} of {self.name} {key} is not there yet; try again")
        return Written(shown(key, item, head.side), kept.outcome is not Outcome.SAME, replayed=True)

    async def _refused(self, key: str, cause: Cause, decision: Decision) -> Written:
        """Keeps a refusal where there is no head to keep it in."""
        if cause.id is None or decision.refusal is None:
            return decision.result(key)
        problem = decision.refusal.problem()
        mine = Kept(cause.id, cause.digest, self.name, key, Outcome.REFUSED, 0, problem)
        first = await self.records.first(cause, mine)
        if first.problem != problem:
            return await self._told_again(first, key, None)
        raise decision.refusal


def _size(entry: Entry) -> int:
    return sum(len(event.data) for event in entry.events if event.data is not None)


def _change(before: Head, after: _Next, since: datetime) -> Wire:
    """``Number`` is written last: where a server shows a write in parts, who sees it sees all of it."""
    head = after.head
    change: Wire = {"$push": {"Outbox": {"$each": [encode_entry(entry, since) for entry in after.added]}}}
    fields: Wire = {}
    gone: Wire = {}
    if head.side != before.side:
        fields["Side"] = encode_side(head.side)
    if after.new_version is not None:
        fields["Item"] = after.new_version
        fields["LatestVersionId"] = head.item.version
        if before.intent is not None:
            gone["Intent"] = ""
    if gone:
        change["$unset"] = gone
    change["$set"] = {**fields, "Number": head.number}
    return change
