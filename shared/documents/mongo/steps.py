"""The steps that finish open writes in MongoDB: publish, store versions and idempotency records, remove.

Each step works on many heads at once and may be repeated by any replica. What is removed has been published and stored.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Final

import structlog
from cachetools import LRUCache
from motor.motor_asyncio import AsyncIOMotorCollection
from pymongo import UpdateOne

from shared.documents.contract import Document
from shared.documents.mongo.codec import Form, item_id
from shared.documents.mongo.errors import away
from shared.documents.mongo.heads import Collections, MongoHead, OpenWrite, decode_head
from shared.documents.mongo.idempotency import MongoIdempotencyRecords
from shared.documents.mongo.reads import find_by_id
from shared.durability.outbox import Publish
from shared.envelope import Message
from shared.errors import MessageTooLarge

log = structlog.get_logger(__name__)

Ref = tuple[str, str]
"""A resource type's name and a key."""

_REMEMBERED: Final = 50_000  # heads; what is forgotten may be published once more
_MISSES_OF_A_RACE: Final = 2  # another replica's insert may be refused to all others before it is shown to them


@dataclass(frozen=True, slots=True)
class PreparedWrite:
    """An open write with its messages, and the version it made where that may be stored nowhere else."""

    write: OpenWrite
    messages: Sequence[Message]
    item: Form | None = None


@dataclass(frozen=True, slots=True)
class LoadedHead:
    """The open writes of a head as stored, in order, without the ``missing`` last ones, whose version is not there."""

    writes: list[PreparedWrite] = field(default_factory=list)
    missing: int = 0


@dataclass(frozen=True, slots=True)
class Steps:
    """No head may be in two batches of ``publish`` at once, because its events go in order."""

    meta: AsyncIOMotorCollection[Form]
    collections: Mapping[str, Collections]
    records: MongoIdempotencyRecords
    send: Publish
    source: str
    _published_to: LRUCache[Ref, int] = field(default_factory=partial(LRUCache, _REMEMBERED))
    _misses: LRUCache[tuple[Ref, int], int] = field(default_factory=partial(LRUCache, _REMEMBERED))
    """How often a version was not there."""

    def published_to(self, ref: Ref) -> int:
        """Up to which number this process has published a head, as far as it remembers."""
        return self._published_to.get(ref, 0)

    async def load(self, refs: Sequence[Ref]) -> dict[Ref, LoadedHead]:
        """The open writes of heads as they are stored; a head without any is left out."""
        loaded: dict[Ref, LoadedHead] = {}
        for resource, keys in _by_resource(refs).items():
            forms = await find_by_id(self.collections[resource].heads, keys)
            heads = [decode_head(form) for form in forms if form.get("Outbox")]
            old = [
                item_id(head.document.key, write.version)
                for head in heads
                for write in head.open_writes
                if write.version != head.document.version and write.needs_snapshot
            ]
            versions = await self.collections[resource].items.read(old)
            loaded |= {(resource, head.document.key): self._prepared(resource, head, versions) for head in heads}
        return loaded

    async def publish(self, batch: Mapping[Ref, Sequence[PreparedWrite]]) -> dict[Ref, set[int]]:
        """The numbers of each head's writes that are published now: the oldest, up to the first that failed.

        Nobody who consumes a version needs its item, which the head still holds, so this is the first step.
        """
        messages = [message for writes in batch.values() for prepared in writes for message in prepared.messages]
        outcomes = iter(await self.send(messages) if messages else ())
        published: dict[Ref, set[int]] = {}
        for ref, writes in batch.items():
            done, failed = set[int](), False
            for prepared in writes:
                number = prepared.write.number
                error = next((error for error in [next(outcomes) for _ in prepared.messages] if error), None)
                if error is not None and not failed and not isinstance(error, MessageTooLarge):  # the publisher logs it
                    resource, key = ref
                    log.warning("an event waits: it was not published", resource=resource, key=key, error=str(error))
                failed = failed or error is not None
                if not failed:
                    self._published_to[ref] = max(number, self.published_to(ref))
                if not failed or not prepared.write.events:
                    done.add(number)
            published[ref] = done
        return published

    async def store_and_remove(self, batch: Mapping[Ref, Sequence[PreparedWrite]]) -> None:
        """Stores the versions and idempotency records of published writes, then removes the writes."""
        items: dict[str, dict[str, Form]] = {}
        removals: dict[str, list[UpdateOne]] = {}
        outcomes, instants = [], []
        for (resource, key), writes in batch.items():
            numbers = [prepared.write.number for prepared in writes]
            removals.setdefault(resource, []).append(
                UpdateOne({"_id": key}, {"$pull": {"Outbox": {"Number": {"$in": numbers}}}})
            )
            for prepared in writes:
                write = prepared.write
                instants.append(write.at)
                if prepared.item is not None and write.version > 1:  # the first is stored when it is overwritten
                    items.setdefault(resource, {})[item_id(key, write.version)] = prepared.item
                if write.outcome.cause_id:
                    outcomes.append(write.outcome)
        await asyncio.gather(
            note_instant(self.meta, max(instants)),
            self.records.store(outcomes),
            *(self.collections[resource].items.store(new) for resource, new in items.items()),
        )
        with away():
            for resource, updates in removals.items():
                await self.collections[resource].heads.bulk_write(updates, ordered=False)

    def _prepared(self, resource: str, head: MongoHead, versions: Mapping[str, Document]) -> LoadedHead:
        key, latest = head.document.key, head.document.version
        loaded: list[PreparedWrite] = []
        for write in head.open_writes:
            messages: list[Message] = []
            is_latest = write.version == latest
            if write.number > self.published_to((resource, key)):
                document = head.document if is_latest else versions.get(item_id(key, write.version))
                if document is None and write.needs_snapshot:
                    self._log_missing(resource, key, write)
                    return LoadedHead(loaded, missing=len(head.open_writes) - len(loaded))
                messages = write.messages(key, document, self.source)
            item = head.item if is_latest and write.made_version else None
            loaded.append(PreparedWrite(write, messages, item))
        return LoadedHead(loaded)

    def _log_missing(self, resource: str, key: str, write: OpenWrite) -> None:
        misses = self._misses.get(((resource, key), write.number), 0) + 1
        self._misses[(resource, key), write.number] = misses
        emit = log.critical if misses > _MISSES_OF_A_RACE else log.warning
        emit("an event waits: its version is not there", resource=resource, key=key, version=write.version)


async def note_instant(meta: AsyncIOMotorCollection[Form], instant: datetime) -> None:
    """Notes the instant of a write, which no later start of the service's clock may be before."""
    with away():
        await meta.update_one({"_id": "instant"}, {"$max": {"At": instant}}, upsert=True)


def _by_resource(refs: Sequence[Ref]) -> dict[str, list[str]]:
    keys: dict[str, list[str]] = {}
    for resource, key in refs:
        keys.setdefault(resource, []).append(key)
    return keys
