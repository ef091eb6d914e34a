"""The head of a document in MongoDB: its latest version, with the writes of it that are not finished yet.

A write is one atomic update of the head, which adds an open write to its outbox. An open write is slim: where an event
publishes a snapshot, it is made from the stored version. It leaves the outbox once its events are published and its
version and idempotency record are stored.

A head: ``{_id: key, Number, LatestVersionId, Item, Side, Outbox, Intent?}``. An item: ``{_id: key@0000000007, Item}``.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from bson.raw_bson import RawBSONDocument
from motor.motor_asyncio import AsyncIOMotorCollection

from shared.cause import Cause
from shared.documents.contract import Document
from shared.documents.mongo.codec import Form, decode
from shared.documents.mongo.items import Items
from shared.documents.versions import Decision, Outcome, StoredOutcome, message_of, snapshot_of, without_microseconds
from shared.durability.outbox import OutgoingEvent
from shared.envelope import Message
from shared.trace import Trace


@dataclass(frozen=True, slots=True)
class Collections:
    """Where one resource type lies: its heads, and the versions that were overwritten."""

    heads: AsyncIOMotorCollection[Form]
    items: Items


@dataclass(frozen=True, slots=True)
class OpenWrite:
    """What a write has still to publish and to store. ``number`` orders the writes of a head and identifies each.

    ``events`` are with their data encoded; None: the snapshot of the version.
    """

    number: int
    version: int
    outcome: Outcome
    events: tuple[tuple[OutgoingEvent, bytes | None], ...]
    cause_id: str | None
    digest: str
    at: datetime
    trace: Trace
    problem: dict[str, Any] | None = None

    @classmethod
    def of(cls, number: int, version: int, decision: Decision, cause: Cause) -> OpenWrite:
        return cls(
            number=number,
            version=version,
            outcome=decision.outcome,
            events=tuple((e, None if e.data is None else orjson.dumps(e.data)) for e in decision.events),
            cause_id=cause.id,
            digest=cause.digest,
            at=without_microseconds(cause.now),
            trace=cause.trace,
            problem=decision.refusal.problem() if decision.refusal else None,
        )

    @classmethod
    def of_creation(cls, number: int, event_type: str, at: datetime, trace: Trace) -> OpenWrite:
        """What a bulk creation left to its intent, for a version 1 that is not published yet."""
        return cls(
            number, 1, Outcome.VERSION, ((OutgoingEvent(event_type), None),), None, "", without_microseconds(at), trace
        )

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

    def stored_outcome(self, resource: str, key: str) -> StoredOutcome:
        """The idempotency record it holds until that is stored by itself."""
        return StoredOutcome(self.cause_id or "", self.digest, resource, key, self.outcome, self.version, self.problem)


@dataclass(frozen=True, slots=True)
class MongoHead:
    """The latest version and the open writes. ``number`` counts every write of the head, versions or not.

    ``item`` is the version as it is stored. ``intent`` names the bulk creation that made this head, as long as its
    first version is stored nowhere else.
    """

    document: Document
    number: int
    item: Form | RawBSONDocument
    open_writes: tuple[OpenWrite, ...] = ()
    intent: str | None = None

    @property
    def latest_is_open(self) -> bool:
        """Whether the write that made the latest version is open: the version may be stored nowhere else."""
        version = self.document.version
        return any(w.outcome is Outcome.VERSION and w.version == version for w in self.open_writes)


def encode_open_write(write: OpenWrite, since: datetime) -> Form:
    """``since`` is real time: the sweeper takes what has been open too long, whatever the service's clock says."""
    form: Form = {
        "Number": write.number,
        "VersionId": write.version,
        "Outcome": write.outcome.value,
        "At": write.at,
        "Since": since,
        "Trace": list(write.trace),
    }
    if write.events:
        form["Events"] = [[event.type, event.key, event.id, data] for event, data in write.events]
    if write.cause_id is not None:
        form["Cause"] = write.cause_id
        form["Digest"] = write.digest
    if write.problem is not None:
        form["Problem"] = orjson.dumps(write.problem)
    return form


def _decode_open_write(form: Form) -> OpenWrite:
    problem = form.get("Problem")
    return OpenWrite(
        number=form["Number"],
        version=form["VersionId"],
        outcome=Outcome(form["Outcome"]),
        events=tuple((OutgoingEvent(*event), data) for *event, data in form.get("Events", ())),
        cause_id=form.get("Cause"),
        digest=form.get("Digest", ""),
        at=form["At"],
        trace=Trace(*form["Trace"]),
        problem=None if problem is None else orjson.loads(problem),
    )


def encode_head(head: MongoHead, since: datetime) -> Form:
    """A head that is written for the first time."""
    return {
        "_id": head.document.key,
        "Number": head.number,
        "LatestVersionId": head.document.version,
        "Item": head.item,
        "Outbox": [encode_open_write(write, since) for write in head.open_writes],
    }


def decode_head(form: Form) -> MongoHead:
    return MongoHead(
        document=decode(form["_id"], form["Item"], form.get("Side")),
        number=form["Number"],
        item=form["Item"],
        open_writes=tuple(_decode_open_write(write) for write in form.get("Outbox", ())),
        intent=form.get("Intent"),
    )
