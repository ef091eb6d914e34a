"""Owns the steps that finish writes to MongoDB: publish, store versions and answers, take the entries off the head.

A write is one update of a head, with an entry in its outbox. Each step may be done twice, by any replica; what is taken
off is published and stored.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

import structlog
from bson.raw_bson import RawBSONDocument
from motor.motor_asyncio import AsyncIOMotorCollection, AsyncIOMotorDatabase
from pymongo import UpdateOne

from shared.documents.contract import Publish
from shared.documents.mongo.faults import away
from shared.documents.mongo.forms import Wire, decode_head, encode_item, item_id
from shared.documents.mongo.idempotency import Kept, MongoIdempotencyRecords
from shared.documents.mongo.items import Items
from shared.documents.mongo.reads import find_by_id
from shared.documents.mongo.recent import Recent
from shared.documents.versions import Entry, Item, messages_of
from shared.envelope import Message
from shared.errors import MessageTooLarge

__all__ = ["Finisher", "Heads", "Ref", "Work"]

log = structlog.get_logger(__name__)

Ref = tuple[str, str]
"""A resource type's name and a key."""

_REMEMBERED: Final = 50_000
_MISSES_OF_A_RACE: Final = 2  # another replica's insert may be refused to all others before it is shown to them


@dataclass(frozen=True, slots=True)
class Heads:
    """One resource type's collections."""

    collection: AsyncIOMotorCollection[Wire]
    items: Items


@dataclass(slots=True)
class Work:
    """The open writes of one head, by number, with what is known of them already."""

    entries: dict[int, Entry] = field(default_factory=dict)
    messages: dict[int, list[Message]] = field(default_factory=dict)
    items: dict[str, RawBSONDocument] = field(default_factory=dict)
    latest: Item | None = None

    def part(self, numbers: Collection[int]) -> Work:
        """What is known of these writes alone."""
        entries = {number: entry for number, entry in self.entries.items() if number in numbers}
        versions = {entry.version for entry in entries.values()}
        items = {name: item for name, item in self.items.items() if _version_of(name) in versions}
        messages = {number: made for number, made in self.messages.items() if number in entries}
        return Work(entries, messages, items, self.latest)

    def forget(self, numbers: Collection[int]) -> None:
        """Drops these writes and their versions."""
        versions = {self.entries[number].version for number in numbers if number in self.entries}
        for number in numbers:
            self.entries.pop(number, None)
            self.messages.pop(number, None)
        for name in [name for name in self.items if _version_of(name) in versions]:
            del self.items[name]


class Finisher:
    """Finishes batches of heads. No head may be told of by two batches at once: its events go in order."""

    def __init__(
        self,
        database: AsyncIOMotorDatabase[Wire],
        heads: Mapping[str, Heads],
        answers: MongoIdempotencyRecords,
        publish: Publish,
        source: str,
    ) -> None:
        self._meta = database["meta"]
        self._heads = heads
        self._answers = answers
        self._publish = publish
        self._source = source
        self._told: Recent[Ref, int] = Recent(_REMEMBERED)  # up to which number this process has published a head
        self._missed: Recent[tuple[Ref, int], int] = Recent(_REMEMBERED)  # how often a write's version was not there

    def told(self, ref: Ref) -> int:
        """Up to which number this process has published a head, as far as it remembers."""
        return self._told.get(ref, 0)

    async def load(self, refs: Sequence[Ref]) -> dict[Ref, Work]:
        """The open writes of heads as they are stored; a head without any is left out."""
        works: dict[Ref, Work] = {}
        for resource, keys in _by_resource(refs).items():
            for form in await find_by_id(self._heads[resource].collection, keys):
                head = decode_head(form)
                if not head.outbox:
                    continue
                work = Work({entry.number: entry for entry in head.outbox}, latest=head.item)
                if head.latest_is_open:
                    work.items[item_id(head.key, head.item.version)] = encode_item(head.item)
                works[resource, head.key] = work
        return works

    async def tell(self, works: Mapping[Ref, Work]) -> dict[Ref, set[int]]:
        """Publishes; the numbers of each head's writes that are told of now: the oldest, up to the first not sent.

        Nobody who hears of a version needs its item, which the head still holds, so this goes first.
        """
        messages: list[Message] = []
        places: dict[Ref, list[tuple[int, int]]] = {}  # each write's number and how many messages it has
        old = await self._old_versions(works)
        for ref, work in works.items():
            told, places[ref] = self._told.get(ref, 0), []
            for number in sorted(work.entries):
                built = [] if number <= told else self._messages(ref, work, number, old)
                if built is None:
                    break
                messages += built
                places[ref].append((number, len(built)))
        outcomes = iter(await self._publish(messages) if messages else ())
        return {ref: self._sent(ref, works[ref], [(n, [next(outcomes) for _ in range(c)]) for n, c in places[ref]])
                for ref in works}  # fmt: skip

    def _sent(self, ref: Ref, work: Work, outcomes: list[tuple[int, list[Exception | None]]]) -> set[int]:
        done, going = set(), True
        for number, errors in outcomes:
            failed = next((error for error in errors if error is not None), None)
            if failed is not None and going and not isinstance(failed, MessageTooLarge):  # which the publisher says
                log.warning("an event waits: it could not be published", resource=ref[0], key=ref[1], error=str(failed))
            going = going and failed is None
            if going:
                self._told.put(ref, max(number, self._told.get(ref, 0)))
            if going or not work.entries[number].events:
                done.add(number)
        return done

    def _messages(self, ref: Ref, work: Work, number: int, old: Mapping[str, Item]) -> list[Message] | None:
        if number in work.messages:
            return work.messages[number]
        entry = work.entries[number]
        latest = work.latest
        item = latest if latest is not None and latest.version == entry.version else None
        try:
            return messages_of(entry, ref[1], item or old.get(item_id(ref[1], entry.version)), self._source)
        except ValueError as error:
            misses = self._missed.get((ref, number), 0) + 1
            self._missed.put((ref, number), misses)
            tell = log.critical if misses > _MISSES_OF_A_RACE else log.warning
            tell(
                "an event waits: its version is not there",
                resource=ref[0],
                key=ref[1],
                number=number,
                reason=str(error),
            )
            return None

    async def _old_versions(self, works: Mapping[Ref, Work]) -> dict[str, Item]:
        """The versions to be told of that are neither at hand nor the latest."""
        wanted: dict[str, list[str]] = {}
        for (resource, key), work in works.items():
            for number, entry in work.entries.items():
                at_hand = number in work.messages or all(event.data is not None for event in entry.events)
                if not at_hand and (work.latest is None or work.latest.version != entry.version):
                    wanted.setdefault(resource, []).append(item_id(key, entry.version))
        found: dict[str, Item] = {}
        for resource, ids in wanted.items():
            found |= await self._heads[resource].items.read_all(ids)
        return found

    async def close(self, told: Mapping[Ref, Work]) -> None:
        """Stores the versions and answers of writes that are told of, then takes them off their heads' outboxes."""
        items: dict[str, dict[str, RawBSONDocument]] = {}
        pulls: dict[str, list[UpdateOne]] = {}
        answers, instants = [], []
        for (resource, key), work in told.items():
            if work.entries:
                items.setdefault(resource, {}).update(work.items)
                pull = {"$pull": {"Outbox": {"Number": {"$in": sorted(work.entries)}}}}
                pulls.setdefault(resource, []).append(UpdateOne({"_id": key}, pull))
            for entry in work.entries.values():
                instants.append(entry.at)
                if entry.cause_id is not None:
                    answers.append(Kept.of(entry, resource, key))
        if not instants:
            return
        await asyncio.gather(
            self._note(max(instants)),
            self._answers.keep(answers),
            *(self._heads[resource].items.store(new) for resource, new in items.items()),
        )
        with away():
            for resource, updates in pulls.items():
                await self._heads[resource].collection.bulk_write(updates, ordered=False)

    async def _note(self, instant: datetime) -> None:
        with away():
            await self._meta.update_one({"_id": "instant"}, {"$max": {"At": instant}}, upsert=True)


def _version_of(item: str) -> int:
    return int(item[-10:])


def _by_resource(refs: Sequence[Ref]) -> dict[str, list[str]]:
    keys: dict[str, list[str]] = {}
    for resource, key in refs:
        keys.setdefault(resource, []).append(key)
    return keys
