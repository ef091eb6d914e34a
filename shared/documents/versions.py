"""How a write of a document is decided: from the present head and a pure function to the next version and its events.

Every store decides by these functions; the stores differ only in how they make the outcome durable.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

import orjson

from shared.cause import Cause
from shared.clock import iso
from shared.documents.contract import MAX_STATE_BYTES, AmendFn, Document, UpdateFn, Written
from shared.durability.idempotency import is_final
from shared.durability.outbox import OutgoingEvent
from shared.durability.read_model import State
from shared.envelope import Message
from shared.errors import NotFound, Refused, Stale, TooLarge, refusal_of
from shared.trace import Trace


class Outcome(StrEnum):
    """What a write came to. All four are final outcomes; the first two also change the document."""

    VERSION = "Version"
    AMENDED = "Amended"
    SAME = "Same"
    REFUSED = "Refused"


@dataclass(frozen=True, slots=True)
class Decision:
    """What one attempt at a write comes to; ``document`` is None where there has never been one."""

    outcome: Outcome
    document: Document | None
    events: tuple[OutgoingEvent, ...] = ()
    refusal: Refused | None = None
    replayed: bool = False

    def must_be_stored(self, cause: Cause) -> bool:
        """Whether it changes the document, or is the outcome of a cause that may come again."""
        if self.outcome in (Outcome.VERSION, Outcome.AMENDED):
            return True
        return cause.id is not None and (self.refusal is None or is_final(self.refusal))

    def result(self) -> Written:
        """The caller's outcome; raises the refusal where it is one."""
        if self.refusal is not None:
            raise self.refusal
        if self.document is None:
            raise ValueError("a write that was not refused has a document")
        return Written(self.document, self.outcome is not Outcome.SAME, self.replayed)


Decide = Callable[[Document | None], Decision]
"""Decides on the latest version, which may be a tombstone."""


@dataclass(frozen=True, slots=True)
class StoredOutcome:
    """The idempotency record of one cause for one document; a record of no document has resource and key ""."""

    cause_id: str
    digest: str
    resource: str
    key: str
    outcome: Outcome
    version: int
    problem: dict[str, Any] | None = None

    @classmethod
    def of_decision(cls, decision: Decision, cause: Cause, resource: str, key: str) -> StoredOutcome:
        version = decision.document.version if decision.document else 0
        problem = decision.refusal.problem() if decision.refusal else None
        return cls(cause.id or "", cause.digest, resource, key, decision.outcome, version, problem)

    @classmethod
    def decode(cls, data: bytes) -> StoredOutcome:
        """What ``encode`` gave."""
        fields = orjson.loads(data)
        return cls(**{**fields, "outcome": Outcome(fields["outcome"])})

    def encode(self) -> bytes:
        return orjson.dumps(self)

    def again(self, document: Document | None) -> Decision:
        """What was decided the first time; ``document`` is the version it made."""
        refusal = None if self.problem is None else refusal_of(self.problem)
        return Decision(self.outcome, document, refusal=refusal, replayed=True)


def record_ids(cause_id: str, resource: str, key: str) -> tuple[str, str]:
    """The ids a record may have: the cause's own for the first document it writes, one each for the others.

    The first shows another body under the same id, whichever document that body is about.
    """
    return cause_id, f"{cause_id}\n{resource}/{key}"


def updated(head: Document | None, key: str, fn: UpdateFn, cause: Cause, expected: int | None, schema: int) -> Decision:
    """Decides ``update``: the next version, the present one again, or a refusal."""
    present = None if head is None or head.deleted else head
    try:
        if expected is not None and present is not None and present.version != expected:
            raise Stale(f"{key} is at version {present.version}, not {expected}; read it again")
        change = fn(present)
        if expected is not None and present is None:
            raise Stale(f"there is no version {expected} of {key}")
        if change is None or (change.state is None and present is None):
            if present is None:
                raise NotFound(f"there is no {key}")
            return Decision(Outcome.SAME, present)
        size = 0 if change.state is None else len(orjson.dumps(change.state))
        if size > MAX_STATE_BYTES:
            raise TooLarge(
                f"{key} would be {size} bytes of JSON, and {MAX_STATE_BYTES} are the most: "
                "take out what is not needed, or divide it among several",
                title="Document too large",
            )
    except Refused as refusal:
        return Decision(Outcome.REFUSED, head, refusal=refusal)
    version = head.version + 1 if head else 1
    changed, user = iso(cause.now), change.user or cause.user
    document = Document(
        key=key,
        version=version,
        latest_version=version,
        state=change.state if change.state is not None else present.state if present else {},
        message=change.message or cause.message,
        user=user,
        changed=changed,
        schema_version=schema,
        created=head.created if head else changed,
        created_by=head.created_by if head else user,
        deleted=change.state is None,
        side=present.side if present and change.state is not None else {},
    )
    return Decision(Outcome.VERSION, document, change.events)


def amended(head: Document | None, key: str, fn: AmendFn, cause: Cause) -> Decision:
    """Decides ``amend``: another ``side``, the present one, or a refusal."""
    try:
        if head is None or head.deleted:
            raise NotFound(f"there is no {key}")
        change = fn(head)
    except Refused as refusal:
        return Decision(Outcome.REFUSED, head, refusal=refusal)
    if change is None:
        return Decision(Outcome.SAME, head)
    return Decision(Outcome.AMENDED, head._replace(side=change[0]), change[1])


def first_version(key: str, state: State, cause: Cause, schema: int) -> Document:
    """Version 1 of a document that is made in bulk."""
    at = iso(cause.now)
    return Document(key, 1, 1, state, cause.message, cause.user, at, schema, at, cause.user, False, {})


def as_old(document: Document, latest_version: int) -> Document:
    """A version as history shows it: without what the latest one alone carries."""
    return document._replace(latest_version=latest_version, created=None, created_by=None, side={})


def snapshot_of(document: Document) -> bytes:
    """What an event without data of its own publishes of a version."""
    return orjson.dumps((document._replace(side={}) if document.side else document).wire())


def message_of(
    event: OutgoingEvent, key: str, version: int, data: bytes, *, source: str, at: datetime, trace: Trace
) -> Message:
    """The message of an event of one version, the same each time."""
    return Message(
        topic=event.type,
        type=event.type,
        key=event.key or key,
        data=data,
        source=source,
        time=at,
        trace=trace,
        id=event.id or f"{key}:{version}:{event.type}",
    )


def batches_of(states: Iterable[tuple[str, State]], size: int) -> Iterator[dict[str, State]]:
    """Batches of distinct keys; of one key twice in a batch the first counts."""
    batch: dict[str, State] = {}
    for key, state in states:
        batch.setdefault(key, state)
        if len(batch) >= size:
            yield batch
            batch = {}
    if batch:
        yield batch
