"""Owns bulk creation's intents: one note for many heads, in place of an outbox entry in each, until all are told of.

An intent is stored before its heads, and every head it makes names it. Whoever finds one open publishes version 1 of
the heads that still name it; an update that would overwrite a version 1 under an open intent publishes it first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import structlog
from motor.motor_asyncio import AsyncIOMotorDatabase

from shared.cause import Cause
from shared.documents.contract import OutboxState, Publish
from shared.documents.mongo.faults import away
from shared.documents.mongo.finishing import Heads
from shared.documents.mongo.forms import Wire, decode_head
from shared.documents.mongo.reads import find_by_id
from shared.documents.mongo.recent import Recent
from shared.documents.versions import Item, created_entry, messages_of
from shared.envelope import Message
from shared.trace import Trace, new_id

__all__ = ["Intent", "Intents"]

log = structlog.get_logger(__name__)

_REMEMBERED: Final = 10_000
_CREATOR_GONE: Final = 6  # sweeps after which a creator of another process is taken to be gone
_SECOND_LOOK: Final = timedelta(minutes=10)  # in case it was not, and wrote heads after all


@dataclass(frozen=True, slots=True)
class Intent:
    """A bulk creation under way: the keys it may make and the event that tells of each."""

    id: str
    resource: str
    keys: tuple[str, ...]
    event_type: str
    at: datetime
    trace: Trace
    recovered: datetime | None = None


class Intents:
    """The collection ``intents`` of one service's database. ``sweep_after`` as the relay's."""

    def __init__(
        self,
        database: AsyncIOMotorDatabase[Wire],
        heads: Mapping[str, Heads],
        publish: Publish,
        source: str,
        sweep_after: float,
    ) -> None:
        self._collection = database["intents"]
        self._meta = database["meta"]
        self._heads = heads
        self._publish = publish
        self._source = source
        self._patience = timedelta(seconds=sweep_after * _CREATOR_GONE)
        self._creating: dict[str, Intent] = {}  # by this process, heads not all written
        self._untold: dict[str, Intent] = {}  # by this process, all heads written
        self._others: list[Intent] = []  # by other processes, as the last look found them
        self._closed: Recent[str, bool] = Recent(_REMEMBERED)

    def state(self) -> OutboxState:
        """How many documents were made in bulk and are not told of yet, as far as this process knows."""
        known = [*self._creating.values(), *self._untold.values(), *self._others]
        return OutboxState(sum(len(intent.keys) for intent in known), min((i.at for i in known), default=None))

    async def begin(self, resource: str, keys: Sequence[str], event_type: str, cause: Cause) -> Intent:
        """Stores the intent; the heads may be written once this returns."""
        intent = Intent(new_id(), resource, tuple(keys), event_type, cause.now, cause.trace)
        self._creating[intent.id] = intent
        try:
            with away():
                await self._meta.update_one({"_id": "instant"}, {"$max": {"At": cause.now}}, upsert=True)
                await self._collection.insert_one(_encode(intent))
        except BaseException:
            self.abandoned(intent)
            raise
        return intent

    def written(self, intent: Intent) -> None:
        """Every head of the intent that will be is written."""
        self._creating.pop(intent.id, None)
        self._untold[intent.id] = intent

    def abandoned(self, intent: Intent) -> None:
        """The creation failed half way: what it wrote is found by the sweeper."""
        self._creating.pop(intent.id, None)

    async def find(self, intent_id: str) -> Intent | None:
        """The intent, if it is open."""
        if intent_id in self._closed:
            return None
        with away():
            form = await self._collection.find_one({"_id": intent_id})
        if form is None:
            self._closed.put(intent_id, True)
            return None
        return _decode(form)

    async def tell(self, intent: Intent, items: Mapping[str, Item]) -> bool:
        """Publishes version 1 of each and closes the intent; whether all were sent."""
        if not await self._send(intent, items):
            return False
        with away():
            await self._collection.delete_one({"_id": intent.id})
        self._closed.put(intent.id, True)
        self._untold.pop(intent.id, None)
        return True

    async def recover(self, before: datetime) -> None:
        """Tells of what creations begun before that instant made, whoever began them."""
        now, left = datetime.now(UTC), list[Intent]()
        with away():
            forms = await self._collection.find({"Since": {"$lt": before}}, sort=[("Since", 1)]).to_list(None)
        for form in forms:
            intent = _decode(form)
            mine = intent.id in self._untold
            if intent.id in self._creating or not (mine or self._is_left_alone(form, before, now)):
                continue
            if not await self._finish(intent, keep=not mine and intent.recovered is None) and not mine:
                left.append(intent)
        self._others = left

    def _is_left_alone(self, form: Wire, before: datetime, now: datetime) -> bool:
        """Whether another process's creation is for us to finish: its creator had its time, or all are to be done."""
        recovered = form.get("Recovered")
        if recovered is not None:
            return bool(now - recovered >= _SECOND_LOOK)
        return bool(before > now or form["Since"] <= now - self._patience)

    async def _finish(self, intent: Intent, *, keep: bool) -> bool:
        found = await find_by_id(self._heads[intent.resource].collection, list(intent.keys))
        heads = [decode_head(form) for form in found if form.get("Intent") == intent.id]
        items = {head.key: head.item for head in heads if head.item.version == 1}
        if not keep:
            return await self.tell(intent, items)
        if not await self._send(intent, items):
            return False
        with away():
            await self._collection.update_one({"_id": intent.id}, {"$set": {"Recovered": datetime.now(UTC)}})
        return True

    async def _send(self, intent: Intent, items: Mapping[str, Item]) -> bool:
        messages: list[Message] = []
        for key, item in items.items():
            messages += messages_of(created_entry(1, item, intent.event_type, intent.trace), key, item, self._source)
        outcomes = await self._publish(messages) if messages else []
        failed = next((error for error in outcomes if error is not None), None)
        if failed is not None:
            log.warning("documents made in bulk wait to be told of", resource=intent.resource, error=str(failed))
        return failed is None


def _encode(intent: Intent) -> Wire:
    return {
        "_id": intent.id,
        "Resource": intent.resource,
        "Keys": list(intent.keys),
        "Type": intent.event_type,
        "At": intent.at,
        "Since": datetime.now(UTC),
        "Trace": [intent.trace.correlation_id, intent.trace.causation_id, intent.trace.traceparent],
    }


def _decode(form: Wire) -> Intent:
    correlation, causation, traceparent = form["Trace"]
    return Intent(
        form["_id"],
        form["Resource"],
        tuple(form["Keys"]),
        form["Type"],
        form["At"],
        Trace(correlation, causation, traceparent),
        form.get("Recovered"),
    )
