"""Bulk creation in MongoDB: one intent for many heads, in place of an open write in each, until all are published.

The intent is stored first, and every head that it makes names it. Then their events are published, and the intent is
closed. Whoever finds an open intent publishes version 1 of the heads that still name it; an update that would overwrite
a version 1 under an open intent publishes it first.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import structlog
from cachetools import LRUCache
from motor.motor_asyncio import AsyncIOMotorDatabase
from pymongo.errors import BulkWriteError

from shared.cause import Cause
from shared.documents.contract import Document
from shared.documents.mongo.codec import Form, decode, encode_item
from shared.documents.mongo.errors import away, duplicates
from shared.documents.mongo.heads import Collections, OpenWrite
from shared.documents.mongo.reads import find_by_id
from shared.documents.mongo.steps import note_instant
from shared.documents.versions import batches_of, first_version
from shared.durability.outbox import OutboxState, Publish
from shared.durability.read_model import State
from shared.envelope import Message
from shared.errors import Unavailable
from shared.trace import Trace, new_id

log = structlog.get_logger(__name__)

_BATCH: Final = 1000  # heads under one intent; its keys lie in one document
_BATCHES_TO_PUBLISH: Final = 2  # while the next is written; this bounds the memory
_FRESH: Final = 20.0  # seconds for which no process takes an intent's creator to be gone
_REMEMBERED: Final = 10_000  # closed intents; what is forgotten costs a read
_CREATOR_GONE: Final = 6  # sweeps after which the creator is taken to be gone
_SECOND_LOOK: Final = timedelta(minutes=10)  # in case it was not gone, and wrote heads after all


@dataclass(frozen=True, slots=True)
class Intent:
    """A bulk creation under way: the keys it may make, and the event that publishes each."""

    id: str
    resource: str
    keys: tuple[str, ...]
    event_type: str
    at: datetime
    trace: Trace
    recovered: datetime | None = None


class BulkCreations:
    """The bulk creations of one store, and the collection ``intents``. ``sweep_after`` as the relay's."""

    def __init__(
        self,
        database: AsyncIOMotorDatabase[Form],
        collections: Mapping[str, Collections],
        publish: Publish,
        source: str,
        sweep_after: float,
    ) -> None:
        self._intents = database["intents"]
        self._meta = database["meta"]
        self._collections = collections
        self._publish = publish
        self._source = source
        self._patience = timedelta(seconds=sweep_after * _CREATOR_GONE)
        self._creating: dict[str, Intent] = {}  # by this process, while heads are being written
        self._unpublished: dict[str, Intent] = {}  # by this process, with all heads written
        self._others: list[Intent] = []  # by other processes, as the last sweep found them
        self._closed: LRUCache[str, bool] = LRUCache(_REMEMBERED)

    async def prepare(self) -> None:
        with away():
            await self._intents.create_index("Since")

    @property
    def open_documents(self) -> int:
        """How many documents were made in bulk and are not published yet, as far as this process knows."""
        return sum(len(intent.keys) for intent in self._known())

    def state(self) -> OutboxState:
        return OutboxState(self.open_documents, min((intent.at for intent in self._known()), default=None))

    async def create(
        self,
        resource: str,
        states: Iterable[tuple[str, State]],
        event_type: str,
        cause: Cause,
        *,
        schema_version: int,
        check_room: Callable[[], None],
        create_again: Callable[[str, State], Awaitable[bool]],
    ) -> list[str]:
        """The keys created; ``create_again`` creates a document that was deleted.

        Events that cannot be published now are left to the sweeper, with the intent.
        """
        created: list[str] = []
        publishing: list[asyncio.Task[bool]] = []
        broker_is_away = False
        try:
            for batch in batches_of(states, _BATCH):
                check_room()
                documents = [first_version(key, state, cause, schema_version) for key, state in batch.items()]
                intent, existing = await self._write_heads(resource, documents, event_type, cause)
                new = [document for document in documents if document.key not in existing]
                if not broker_is_away:
                    publishing.append(asyncio.create_task(self._publish_and_close(intent, new)))
                created += [document.key for document in new]
                for key in await self._deleted(resource, existing):
                    if await create_again(key, batch[key]):
                        created.append(key)
                while len(publishing) > _BATCHES_TO_PUBLISH:
                    broker_is_away = not await publishing.pop(0) or broker_is_away
            await asyncio.gather(*publishing)
        finally:
            for task in publishing:
                task.cancel()
        return created

    async def find(self, intent_id: str) -> Intent | None:
        """The intent, if it is open."""
        if intent_id in self._closed:
            return None
        with away():
            form = await self._intents.find_one({"_id": intent_id})
        if form is None:
            self._closed[intent_id] = True
            return None
        return _decode(form)

    async def recover(self, before: datetime) -> None:
        """Publishes what creations begun before that instant made, whoever began them."""
        now, left = datetime.now(UTC), list[Intent]()
        with away():
            forms = await self._intents.find({"Since": {"$lt": before}}, sort=[("Since", 1)]).to_list(None)
        for form in forms:
            intent = _decode(form)
            mine = intent.id in self._unpublished
            if intent.id in self._creating or not (mine or self._creator_is_gone(form, before, now)):
                continue
            found = await find_by_id(self._collections[intent.resource].heads, list(intent.keys))
            heads = [decode(head["_id"], head["Item"]) for head in found if head.get("Intent") == intent.id]
            if await self._publish_documents(intent, [document for document in heads if document.version == 1]):
                if mine or intent.recovered is not None:
                    await self._close(intent)
                else:
                    with away():
                        await self._intents.update_one({"_id": intent.id}, {"$set": {"Recovered": now}})
            elif not mine:
                left.append(intent)
        self._others = left

    async def _write_heads(
        self, resource: str, documents: Sequence[Document], event_type: str, cause: Cause
    ) -> tuple[Intent, set[str]]:
        """Stores the intent, then the heads that do not exist; returns also the keys of those that do."""
        began = time.monotonic()
        keys = tuple(document.key for document in documents)
        intent = Intent(new_id(), resource, keys, event_type, cause.now, cause.trace)
        forms: list[Form] = [
            {"_id": key, "Number": 1, "LatestVersionId": 1, "Item": encode_item(document, 1), "Intent": intent.id}
            for key, document in zip(keys, documents, strict=True)
        ]
        existing = set[str]()
        self._creating[intent.id] = intent
        try:
            await note_instant(self._meta, cause.now)
            with away():
                await self._intents.insert_one(_encode(intent))
            if time.monotonic() - began > _FRESH:
                raise Unavailable("MongoDB is too slow for a bulk creation; try again")
            try:
                with away():
                    await self._collections[resource].heads.insert_many(forms, ordered=False)
            except BulkWriteError as error:
                existing = {forms[place]["_id"] for place in duplicates(error)}
            self._unpublished[intent.id] = intent
        finally:
            del self._creating[intent.id]  # what a failed creation wrote is found by the sweeper
        return intent, existing

    async def _deleted(self, resource: str, keys: set[str]) -> list[str]:
        if not keys:
            return []
        found = await find_by_id(self._collections[resource].heads, sorted(keys), {"Item.Deleted": 1})
        return [form["_id"] for form in found if form["Item"]["Deleted"]]

    async def _publish_and_close(self, intent: Intent, documents: Sequence[Document]) -> bool:
        """Whether all were published; otherwise the intent stays open for the sweeper."""
        try:
            if not await self._publish_documents(intent, documents):
                return False
            await self._close(intent)
        except Unavailable:
            return False
        return True

    async def _publish_documents(self, intent: Intent, documents: Sequence[Document]) -> bool:
        messages: list[Message] = []
        write = OpenWrite.of_creation(1, intent.event_type, intent.at, intent.trace)
        for document in documents:
            messages += write.messages(document.key, document, self._source)
        outcomes = await self._publish(messages) if messages else []
        failed = next((error for error in outcomes if error is not None), None)
        if failed is not None:
            log.warning("documents created in bulk wait to be published", resource=intent.resource, error=str(failed))
        return failed is None

    async def _close(self, intent: Intent) -> None:
        with away():
            await self._intents.delete_one({"_id": intent.id})
        self._closed[intent.id] = True
        self._unpublished.pop(intent.id, None)

    def _creator_is_gone(self, form: Form, before: datetime, now: datetime) -> bool:
        """Whether another process's creation is to be finished here: its creator had its time, or all are wanted."""
        recovered = form.get("Recovered")
        if recovered is not None:
            return bool(now - recovered >= _SECOND_LOOK)
        return bool(before > now or form["Since"] <= now - self._patience)

    def _known(self) -> Sequence[Intent]:
        return [*self._creating.values(), *self._unpublished.values(), *self._others]


def _encode(intent: Intent) -> Form:
    return {
        "_id": intent.id,
        "Resource": intent.resource,
        "Keys": list(intent.keys),
        "Type": intent.event_type,
        "At": intent.at,
        "Since": datetime.now(UTC),
        "Trace": list(intent.trace),
    }


def _decode(form: Form) -> Intent:
    return Intent(
        form["_id"],
        form["Resource"],
        tuple(form["Keys"]),
        form["Type"],
        form["At"],
        Trace(*form["Trace"]),
        form.get("Recovered"),
    )
