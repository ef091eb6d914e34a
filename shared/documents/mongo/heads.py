"""The head of a document in MongoDB: its latest version, with the writes of it that are not finished yet.

A write is one atomic update of the head, which adds an open write to its outbox. An open write is slim: where an event
publishes a snapshot, it is made from the stored version. It leaves the outbox once its events are published and its
version and idempotency record are stored.

A head: ``{_id: key, Number, LatestVersionId, Item, Side, Outbox, Intent?}``. An item: ``{_id: key@0000000007, Item}``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import orjson
from cachetools import LRUCache
from motor.motor_asyncio import AsyncIOMotorCollection, AsyncIOMotorDatabase
from pymongo.errors import BulkWriteError

from shared.cause import Cause
from shared.documents.contract import Document
from shared.documents.mongo.codec import Form, decode, decode_latest
from shared.documents.mongo.errors import away, duplicates
from shared.documents.mongo.reads import find_by_id
from shared.documents.versions import Outcome, StoredOutcome, message_of, snapshot_of
from shared.durability.outbox import OutgoingEvent
from shared.envelope import Message
from shared.trace import Trace

_REMEMBERED: Final = 50_000  # items, some MB; what is forgotten is only stored once more


class Items:
    """The collection ``{resource}.items``; an item is stored before its version is overwritten in the head."""

    def __init__(self, database: AsyncIOMotorDatabase[Form], resource: str) -> None:
        self._collection = database[f"{resource}.items"]
        self._stored: LRUCache[str, bool] = LRUCache(_REMEMBERED)

    async def store(self, items: Mapping[str, Form]) -> None:
        """Stores versions by their ids. One that exists was stored by the same write."""
        forms = [{"_id": name, "Item": item} for name, item in items.items() if name not in self._stored]
        if forms:
            try:
                with away():
                    await self._collection.insert_many(forms, ordered=False)
            except BulkWriteError as error:
                duplicates(error)
            for form in forms:
                self._stored[str(form["_id"])] = True

    async def delete(self, ids: list[str]) -> None:
        """Deletes these for good."""
        with away():
            await self._collection.delete_many({"_id": {"$in": ids}})

    async def read(self, ids: list[str]) -> dict[str, Document]:
        """Those of the ids that are stored."""
        forms = await find_by_id(self._collection, ids) if ids else []
        return {form["_id"]: decode(form["_id"].rpartition("@")[0], form["Item"]) for form in forms}


@dataclass(frozen=True, slots=True)
class Collections:
    """Where one resource type lies: its heads, and the versions that were overwritten."""

    heads: AsyncIOMotorCollection[Form]
    items: Items


@dataclass(frozen=True, slots=True)
class OpenWrite:
    """What a write has still to publish and to store. ``number`` orders the writes of a head and identifies each.

    ``events`` are with their data encoded; None: the snapshot of the version. ``outcome`` is its idempotency record,
    where its cause has an id.
    """

    number: int
    outcome: StoredOutcome
    events: tuple[tuple[OutgoingEvent, bytes | None], ...]
    at: datetime
    trace: Trace

    @classmethod
    def of(cls, number: int, outcome: StoredOutcome, events: Iterable[OutgoingEvent], cause: Cause) -> OpenWrite:
        encoded = tuple((event, None if event.data is None else orjson.dumps(event.data)) for event in events)
        at = cause.now.replace(microsecond=cause.now.microsecond // 1000 * 1000)  # to the millisecond, as it is stored
        return cls(number, outcome, encoded, at, cause.trace)

    @property
    def version(self) -> int:
        return self.outcome.version

    @property
    def made_version(self) -> bool:
        return self.outcome.outcome is Outcome.VERSION

    @property
    def event_bytes(self) -> int:
        return sum(len(data) for _, data in self.events if data is not None)

    @property
    def needs_snapshot(self) -> bool:
        """Whether an event publishes the snapshot of the version."""
        return any(data is None for _, data in self.events)

    def messages(self, key: str, document: Document | None, source: str) -> list[Message]:
        """Its messages, the same each time. ``document`` is its version; ValueError when a snapshot needs it."""
        snapshot = b""
        if self.needs_snapshot:
            if document is None:
                raise ValueError(f"version {self.version} of {key} is not stored, so it cannot be published")
            snapshot = snapshot_of(document)
        return [
            message_of(
                event,
                key,
                self.version,
                snapshot if data is None else data,
                source=source,
                at=self.at,
                trace=self.trace,
            )
            for event, data in self.events
        ]


@dataclass(frozen=True, slots=True)
class MongoHead:
    """The latest version and the open writes. ``number`` counts every write of the head, versions or not.

    ``item`` is the version as it is stored. ``intent`` names the bulk creation that made this head.
    """

    document: Document
    number: int
    item: Form
    open_writes: tuple[OpenWrite, ...] = ()
    intent: str | None = None

    @property
    def latest_may_be_here_only(self) -> bool:
        """Whether the latest version may be stored nowhere else: it is the first, or the write that made it is open."""
        version = self.document.version
        return version == 1 or any(write.made_version and write.version == version for write in self.open_writes)


def encode_open_write(write: OpenWrite, since: datetime) -> Form:
    """``since`` is real time: the sweeper takes what has been open too long, whatever the service's clock says."""
    return {
        "Number": write.number,
        "Outcome": write.outcome.encode(),
        "Events": [[event.type, event.key, event.id, data] for event, data in write.events],
        "At": write.at,
        "Since": since,
        "Trace": list(write.trace),
    }


def decode_open_write(form: Form) -> OpenWrite:
    events = tuple((OutgoingEvent(*event), data) for *event, data in form["Events"])
    return OpenWrite(form["Number"], StoredOutcome.decode(form["Outcome"]), events, form["At"], Trace(*form["Trace"]))


def decode_head(form: Form) -> MongoHead:
    return MongoHead(
        document=decode_latest(form),
        number=form["Number"],
        item=form["Item"],
        open_writes=tuple(decode_open_write(write) for write in form.get("Outbox", ())),
        intent=form.get("Intent"),
    )
