"""Owns the steps that finish writes to MongoDB: store old versions and answers, publish, take the entries off the head.

A write is one update of a head, with an entry in its outbox. Each step may be done twice, by any replica; what is taken
off is stored and published.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import structlog
from bson.raw_bson import RawBSONDocument
from motor.motor_asyncio import AsyncIOMotorCollection, AsyncIOMotorDatabase
from pymongo import UpdateOne

from shared.documents.contract import Publish
from shared.documents.mongo.answers import Kept, MongoAnswers
from shared.documents.mongo.faults import away
from shared.documents.mongo.forms import Wire, decode_head, encode_item, item_id
from shared.documents.mongo.items import Items
from shared.documents.mongo.reads import find_by_id
from shared.documents.mongo.recent import Recent
from shared.documents.versions import Entry, Item, messages_of
from shared.messaging.envelope import Message

__all__ = ["Finisher", "Heads", "Ref", "Work"]

log = structlog.get_logger(__name__)

Ref = tuple[str, str]
"""A resource type's name and a key."""

_REMEMBERED: Final = 50_000


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

    def forget(self, number: int) -> None:
        entry = self.entries.pop(number, None)
        self.messages.pop(number, None)
        if entry is not None:
            self.items = {name: item for name, item in self.items.items() if int(name[-10:]) != entry.version}


class Finisher:
    """Finishes batches of heads. No head may be in two batches at once."""

    def __init__(
        self,
        database: AsyncIOMotorDatabase[Wire],
        heads: Mapping[str, Heads],
        answers: MongoAnswers,
        publish: Publish,
        source: str,
    ) -> None:
        self._meta = database["meta"]
        self._heads = heads
        self._answers = answers
        self._publish = publish
        self._source = source
        self._told: Recent[Ref, int] = Recent(_REMEMBERED)  # up to which number this process has published a head

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

    async def finish(self, works: Mapping[Ref, Work]) -> dict[Ref, set[int]]:
        """The numbers of each head's writes that are finished now: a head's oldest first, up to the first not sent."""
        await self._store(works)
        told = await self._tell(works)
        await self._take_off(works, told)
        return told

    async def _store(self, works: Mapping[Ref, Work]) -> None:
        items: dict[str, dict[str, RawBSONDocument]] = {}
        answers = []
        for (resource, key), work in works.items():
            items.setdefault(resource, {}).update(work.items)
            answers += [Kept.of(entry, resource, key) for entry in work.entries.values() if entry.cause_id is not None]
        await asyncio.gather(
            self._answers.keep(answers), *(self._heads[resource].items.store(new) for resource, new in items.items())
        )

    async def _tell(self, works: Mapping[Ref, Work]) -> dict[Ref, set[int]]:
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
            if failed is not None and going:
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
            log.critical("an event cannot be told", resource=ref[0], key=ref[1], number=number, error=str(error))
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

    async def _take_off(self, works: Mapping[Ref, Work], done: Mapping[Ref, set[int]]) -> None:
        pulls: dict[str, list[UpdateOne]] = {}
        instants = []
        for ref, numbers in done.items():
            if numbers:
                pull = {"$pull": {"Outbox": {"Number": {"$in": sorted(numbers)}}}}
                pulls.setdefault(ref[0], []).append(UpdateOne({"_id": ref[1]}, pull))
                instants.append(max(works[ref].entries[number].at for number in numbers))
        if not instants:
            return
        with away():
            await self._meta.update_one({"_id": "instant"}, {"$max": {"At": max(instants)}}, upsert=True)
            for resource, updates in pulls.items():
                await self._heads[resource].collection.bulk_write(updates, ordered=False)


def _by_resource(refs: Sequence[Ref]) -> dict[str, list[str]]:
    keys: dict[str, list[str]] = {}
    for resource, key in refs:
        keys.setdefault(resource, []).append(key)
    return keys
