"""Bulk creation in MongoDB: one intent for many heads, in place of an open write in each, until all are published.

The intent is stored first, and every head that it makes names it. Then their events are published, and the intent is
deleted. The sweeper publishes version 1 of the heads that still name an intent that was left behind. A write of a head
under an open intent first moves the creation into the head's own outbox.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final

import structlog
from cachetools import LRUCache
from motor.motor_asyncio import AsyncIOMotorCollection
from pymongo.errors import BulkWriteError

from shared.documents.contract import Document
from shared.documents.mongo.codec import Form, decode, encode_item
from shared.documents.mongo.errors import away, duplicates
from shared.documents.mongo.heads import Collections, OpenWrite, decode_open_write, encode_open_write
from shared.documents.mongo.reads import find_by_id
from shared.documents.mongo.steps import note_instant
from shared.durability.outbox import OutboxState, Publish
from shared.errors import Unavailable
from shared.trace import new_id

log = structlog.get_logger(__name__)

_FRESH: Final = 20.0  # seconds for which no process takes an intent's creator to be gone
_REMEMBERED: Final = 10_000  # closed intents; what is forgotten costs a read
_SECOND_LOOK: Final = timedelta(minutes=10)  # in case it was not gone, and wrote heads after all


@dataclass(frozen=True, slots=True)
class Intent:
    """The open write of many heads: the keys of those that it may make. ``complete``: it makes no more of them."""

    id: str
    keys: list[str]
    write: OpenWrite
    complete: bool = False

    @property
    def resource(self) -> str:
        return self.write.outcome.resource


@dataclass(frozen=True, slots=True)
class BulkCreations:
    """The bulk creations of one store. ``patience``: after it, the creator of an intent is taken to be gone.

    ``Since`` of a stored intent is the real time from which a sweeper takes it.
    """

    intents: AsyncIOMotorCollection[Form]
    meta: AsyncIOMotorCollection[Form]
    collections: Mapping[str, Collections]
    send: Publish
    source: str
    patience: timedelta
    _under_way: dict[str, Intent] = field(default_factory=dict)  # by this process
    _waiting: dict[str, Intent] = field(default_factory=dict)  # for a sweeper that finds the broker back
    _closed: LRUCache[str, bool] = field(default_factory=partial(LRUCache, _REMEMBERED))

    async def prepare(self) -> None:
        with away():
            await self.intents.create_index("Since")

    def state(self) -> OutboxState:
        """How many documents were made in bulk and are not published yet, as far as this process knows."""
        known = (self._under_way | self._waiting).values()
        oldest = min((intent.write.at for intent in known), default=None)
        return OutboxState(sum(len(intent.keys) for intent in known), oldest)

    async def create(
        self, documents: Sequence[Document], write: OpenWrite
    ) -> tuple[list[Document], asyncio.Task[None]]:
        """Stores an intent, then the heads of these first versions that have none yet.

        Returns those, and the task that publishes them; it leaves to a sweeper what cannot be published now.
        """
        began, new = time.monotonic(), list(documents)
        intent = Intent(new_id(), [document.key for document in documents], write)
        of_type, common = self.collections[intent.resource], {"Number": 1, "LatestVersionId": 1, "Intent": intent.id}
        forms: list[Form] = [{"_id": d.key, **common, "Item": encode_item(d)} for d in documents]
        self._under_way[intent.id] = intent
        try:
            await note_instant(self.meta, write.at)
            with away():
                since = datetime.now(UTC) + self.patience
                await self.intents.insert_one(
                    {"_id": intent.id, "Keys": intent.keys, **encode_open_write(write, since)}
                )
            if time.monotonic() - began > _FRESH:
                raise Unavailable("MongoDB is too slow for a bulk creation; try again")
            try:
                with away():
                    await of_type.heads.insert_many(forms, ordered=False)
            except BulkWriteError as error:
                existing = set(duplicates(error))
                new = [document for place, document in enumerate(documents) if place not in existing]
        except BaseException:
            del self._under_way[intent.id]  # what was written is found by a sweeper
            raise
        publishing = asyncio.create_task(self._publish_and_close(intent, new))
        publishing.add_done_callback(lambda _: self._under_way.pop(intent.id))
        return new, publishing

    async def find(self, intent_id: str) -> Intent | None:
        """The intent, if it is open."""
        if intent_id in self._closed:
            return None
        with away():
            form = await self.intents.find_one({"_id": intent_id})
        if form is None:
            self._closed[intent_id] = True
            return None
        return _decode(form)

    async def recover(self, before: datetime) -> None:
        """Publishes what was left behind, whoever began it; with a ``before`` to come, also what is not due yet."""
        now, known = datetime.now(UTC), set(self._waiting)
        with away():
            forms = await self.intents.find({"Since": {"$lt": max(now, before)}}, sort=[("Since", 1)]).to_list(None)
        for intent_id in known - {form["_id"] for form in forms}:
            self._waiting.pop(intent_id, None)  # another process has closed it
        for form in forms:
            intent = _decode(form)
            if intent.id in self._under_way or (intent.complete and form["Since"] > now):
                continue
            found = await find_by_id(self.collections[intent.resource].heads, intent.keys)
            heads = [decode(head["_id"], head["Item"]) for head in found if head.get("Intent") == intent.id]
            if not await self._published(intent, [document for document in heads if document.version == 1]):
                self._waiting[intent.id] = intent
                continue
            self._waiting.pop(intent.id, None)
            if intent.complete:
                await self._close(intent)
            else:
                await self._complete(intent, now + _SECOND_LOOK)

    async def _publish_and_close(self, intent: Intent, documents: Sequence[Document]) -> None:
        try:
            if not self._waiting and await self._published(intent, documents):
                await self._close(intent)
            else:  # once one waits for the broker, the others do not wait for it too
                await self._complete(intent, datetime.now(UTC))
                self._waiting[intent.id] = intent
        except Unavailable as error:
            log.warning("a bulk creation waits to be closed: the store is away", error=str(error))

    async def _published(self, intent: Intent, documents: Sequence[Document]) -> bool:
        messages = [
            message for document in documents for message in intent.write.messages(document.key, document, self.source)
        ]
        outcomes = await self.send(messages) if messages else []
        failed = next((error for error in outcomes if error is not None), None)
        if failed is not None:
            log.warning("documents created in bulk wait to be published", resource=intent.resource, error=str(failed))
        return failed is None

    async def _complete(self, intent: Intent, since: datetime) -> None:
        """Leaves it to a sweeper from that instant on, which then closes it."""
        with away():
            await self.intents.update_one({"_id": intent.id}, {"$set": {"Complete": True, "Since": since}})

    async def _close(self, intent: Intent) -> None:
        with away():
            await self.intents.delete_one({"_id": intent.id})
        self._closed[intent.id] = True


def _decode(form: Form) -> Intent:
    return Intent(form["_id"], form["Keys"], decode_open_write(form), form.get("Complete", False))
