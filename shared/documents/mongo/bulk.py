"""Owns bulk creation in MongoDB: an intent, the heads that name it, their events, the intent closed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from pymongo.errors import BulkWriteError

from shared.cause import Cause
from shared.documents.contract import State
from shared.documents.mongo.faults import away, duplicates
from shared.documents.mongo.finishing import Heads
from shared.documents.mongo.forms import Wire, encode_item
from shared.documents.mongo.intents import Intent, Intents
from shared.documents.mongo.reads import find_by_id
from shared.documents.versions import Item, first_item
from shared.errors import Unavailable

__all__ = ["BulkCreation"]

_BATCH: Final = 1000
_UNTOLD: Final = 2  # batches being published while the next is written: what bounds the memory
_FRESH: Final = 20.0  # seconds for which nobody takes an intent's creator to be gone


@dataclass(slots=True)
class BulkCreation:
    """One ``create_many``. ``again`` makes a document anew whose key is a tombstone."""

    name: str
    heads: Heads
    schema_version: int
    intents: Intents
    check_room: Callable[[], None]
    again: Callable[[str, State], Awaitable[bool]]
    _telling: list[asyncio.Task[bool]] = field(default_factory=list)
    _broker_away: bool = False

    async def create(self, states: Iterable[tuple[str, State]], event_type: str, cause: Cause) -> list[str]:
        """The keys made. Events that cannot be sent now are left to the sweeper, with the intent."""
        made: list[str] = []
        try:
            for batch in _batches(states):
                self.check_room()
                made += await self._create_batch(batch, event_type, cause)
                while len(self._telling) > _UNTOLD:
                    await self._told()
            while self._telling:
                await self._told()
        finally:
            for task in self._telling:
                task.cancel()
        return made

    async def _told(self) -> None:
        try:
            self._broker_away = not await self._telling.pop(0) or self._broker_away
        except Unavailable:
            self._broker_away = True

    async def _create_batch(self, batch: dict[str, State], event_type: str, cause: Cause) -> list[str]:
        began = time.monotonic()
        intent = await self.intents.begin(self.name, list(batch), event_type, cause)
        items = {key: first_item(state, cause, self.schema_version) for key, state in batch.items()}
        try:
            if time.monotonic() - began > _FRESH:
                raise Unavailable("MongoDB is too slow for a bulk creation; try again")
            taken = await self._insert(intent, items)
        except BaseException:
            self.intents.abandoned(intent)
            raise
        self.intents.written(intent)
        mine = {key: item for key, item in items.items() if key not in taken}
        if not self._broker_away:
            self._telling.append(asyncio.create_task(self.intents.tell(intent, mine)))
        return [*mine, *await self._remade(batch, taken)]

    async def _insert(self, intent: Intent, items: dict[str, Item]) -> set[str]:
        """Writes the heads that are not there; returns the keys that are."""
        forms: list[Wire] = [
            {"_id": key, "Number": 1, "LatestVersionId": 1, "Item": encode_item(item), "Intent": intent.id}
            for key, item in items.items()
        ]
        try:
            with away():
                await self.heads.collection.insert_many(forms, ordered=False)
        except BulkWriteError as error:
            return {forms[place]["_id"] for place in duplicates(error)}
        return set()

    async def _remade(self, batch: dict[str, State], taken: set[str]) -> list[str]:
        if not taken:
            return []
        found = await find_by_id(self.heads.collection, sorted(taken), {"Item.Deleted": 1})
        gone = [form["_id"] for form in found if form["Item"]["Deleted"]]
        return [key for key in gone if await self.again(key, batch[key])]


def _batches(states: Iterable[tuple[str, State]]) -> Iterator[dict[str, State]]:
    """Batches of distinct keys; of one key twice in a batch the first counts."""
    batch: dict[str, State] = {}
    for key, state in states:
        batch.setdefault(key, state)
        if len(batch) >= _BATCH:
            yield batch
            batch = {}
    if batch:
        yield batch
