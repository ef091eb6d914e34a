"""Owns how a write is decided: from the present head and a pure function to the next version and what is told of it.

Pure: both stores decide by these functions and differ only in how they make the outcome durable.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

import orjson

from shared.cause import Cause
from shared.clock import iso
from shared.documents.contract import (
    MOST_STATE_BYTES,
    AmendFn,
    Change,
    Document,
    UpdateFn,
    Written,
)
from shared.durability.idempotency import is_final
from shared.durability.outbox import OutgoingEvent
from shared.durability.read_model import State
from shared.envelope import Message
from shared.errors import NotFound, Refused, Stale, TooLarge
from shared.trace import Trace

__all__ = [
    "Decide",
    "Decision",
    "Entry",
    "Head",
    "Item",
    "Outcome",
    "Telling",
    "amended",
    "created_entry",
    "entry_of",
    "first_item",
    "message_of",
    "messages_of",
    "record_ids",
    "shown",
    "updated",
]


class Outcome(StrEnum):
    """What a write came to. All four are answers; the first two also change the document."""

    VERSION = "Version"
    AMENDED = "Amended"
    SAME = "Same"
    REFUSED = "Refused"


@dataclass(frozen=True, slots=True)
class Item:
    """One version as it is stored. ``number`` tells the write that made it from any other that claims its version."""

    version: int
    number: int
    state: State
    deleted: bool
    message: str | None
    user: str
    timestamp: datetime
    schema_version: int
    created_at: datetime
    created_by: str


@dataclass(frozen=True, slots=True)
class Telling:
    """One event of an outbox entry; slim: without ``data`` the snapshot is made from the stored version."""

    type: str
    key: str | None = None
    id: str | None = None
    data: bytes | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """What a write left to be finished: its events to publish, and the answer of its cause to keep.

    ``number`` is the head's write this was; it orders the entries of a head and names each.
    """

    number: int
    version: int
    outcome: Outcome
    events: tuple[Telling, ...]
    cause_id: str | None
    digest: str
    at: datetime
    trace: Trace
    problem: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Head:
    """Item 0 with what is beside its state. ``number`` counts every write of the head, versions or not.

    ``intent`` names the bulk creation that made this head, while its first version is stored nowhere else.
    """

    key: str
    number: int
    item: Item
    side: State
    outbox: tuple[Entry, ...] = ()
    intent: str | None = None

    @property
    def latest_is_open(self) -> bool:
        """Whether the write that made the latest version is not finished: it may be stored nowhere else."""
        return any(e.outcome is Outcome.VERSION and e.version == self.item.version for e in self.outbox)

    @property
    def present(self) -> Document | None:
        """What a caller is shown: nothing once it is deleted."""
        return None if self.item.deleted else shown(self.key, self.item, self.side)


@dataclass(frozen=True, slots=True)
class Decision:
    """What one attempt at a write comes to; ``item`` is None where there is no document to speak of."""

    outcome: Outcome
    item: Item | None
    side: State
    events: tuple[Telling, ...] = ()
    refusal: Refused | None = None

    def leaves_a_trace(self, cause: Cause) -> bool:
        """Whether anything has to be stored: a change, or the answer of a cause that may come again."""
        if self.outcome in (Outcome.VERSION, Outcome.AMENDED):
            return True
        return cause.id is not None and (self.refusal is None or is_final(self.refusal))

    def result(self, key: str) -> Written:
        """The caller's answer; raises the refusal where it is one."""
        if self.refusal is not None:
            raise self.refusal
        if self.item is None:
            raise ValueError("a write that was not refused has a document")
        return Written(shown(key, self.item, self.side), self.outcome is not Outcome.SAME)


Decide = Callable[[Head | None], Decision]


def shown(key: str, item: Item, side: State) -> Document:
    """A version as item 0 shows it."""
    return Document(
        key,
        item.version,
        item.version,
        item.state,
        item.message,
        item.user,
        iso(item.timestamp),
        item.schema_version,
        iso(item.created_at),
        item.created_by,
        item.deleted,
        side,
    )


def shown_old(key: str, item: Item, latest_version: int) -> Document:
    """A version as history shows it: without what item 0 alone carries."""
    return shown(key, item, {})._replace(latest_version=latest_version, created=None, created_by=None)


def updated(head: Head | None, key: str, fn: UpdateFn, cause: Cause, expected: int | None, schema: int) -> Decision:
    """Decides ``update``: the next version, the present one again, or a refusal."""
    present = head.present if head else None
    item, side = (head.item, head.side) if head else (None, {})
    try:
        if expected is not None and present is not None and present.version != expected:
            raise Stale(f"{key} is at version {present.version}, not {expected}; read it again")
        change = fn(present)
        if change is None or (change.state is None and present is None):
            if present is None:
                raise NotFound(f"there is no {key}")
            return Decision(Outcome.SAME, item, side)
        if expected is not None and present is None:
            raise Stale(f"there is no version {expected} of {key}")
        if change.state is not None:
            _check_size(key, change.state)
    except Refused as refusal:
        return Decision(Outcome.REFUSED, item, side, refusal=refusal)
    made = _next_item(head, change, cause, schema)
    kept_side = side if present is not None and not made.deleted else {}
    return Decision(Outcome.VERSION, made, kept_side, _tellings(change.events))


def amended(head: Head | None, key: str, fn: AmendFn, cause: Cause) -> Decision:
    """Decides ``amend``: another ``side``, the present one, or a refusal."""
    present = head.present if head else None
    item, side = (head.item, head.side) if head else (None, {})
    try:
        if present is None:
            raise NotFound(f"there is no {key}")
        change = fn(present)
    except Refused as refusal:
        return Decision(Outcome.REFUSED, item, side, refusal=refusal)
    if change is None:
        return Decision(Outcome.SAME, item, side)
    return Decision(Outcome.AMENDED, item, change[0], _tellings(change[1]))


def first_item(state: State, cause: Cause, schema: int) -> Item:
    """Version 1 of a document that is made in bulk."""
    at = _milliseconds(cause.now)
    return Item(1, 1, state, False, cause.message, cause.user, at, schema, at, cause.user)


def created_entry(number: int, item: Item, event_type: str, trace: Trace) -> Entry:
    """The entry a bulk creation left out, for a version 1 that is about to be overwritten untold."""
    return Entry(number, item.version, Outcome.VERSION, (Telling(event_type),), None, "", item.timestamp, trace)


def entry_of(number: int, version: int, decision: Decision, cause: Cause) -> Entry:
    """What a decision leaves to be finished."""
    return Entry(
        number=number,
        version=version,
        outcome=decision.outcome,
        events=decision.events,
        cause_id=cause.id,
        digest=cause.digest,
        at=_milliseconds(cause.now),
        trace=cause.trace,
        problem=decision.refusal.problem() if decision.refusal else None,
    )


def messages_of(entry: Entry, key: str, item: Item | None, source: str) -> list[Message]:
    """The messages of an entry, the same each time; ``item`` is the version it tells of, needed for a snapshot."""
    snapshot: bytes | None = None
    messages = []
    for event in entry.events:
        data = event.data
        if data is None:
            if item is None:
                raise ValueError(f"version {entry.version} of {key} is not stored, so it cannot be told of")
            snapshot = data = snapshot or orjson.dumps(shown(key, item, {}).wire())
        messages.append(message_of(entry, event, key, data, source))
    return messages


def message_of(entry: Entry, event: Telling, key: str, data: bytes, source: str) -> Message:
    """One message of an entry, the same each time."""
    return Message(
        topic=event.type,
        type=event.type,
        key=event.key or key,
        data=data,
        source=source,
        time=entry.at,
        trace=entry.trace,
        id=event.id or f"{key}:{entry.version}:{event.type}",
    )


def record_ids(cause_id: str, resource: str, key: str) -> tuple[str, str]:
    """The ids a record may have: the cause's own for the first document it writes, one each for the others.

    The first shows another body under the same id, whichever document that body is about.
    """
    return cause_id, f"{cause_id}\n{resource}/{key}"


def _next_item(head: Head | None, change: Change, cause: Cause, schema: int) -> Item:
    at, user = _milliseconds(cause.now), change.user or cause.user
    state = change.state
    if state is None:
        state = head.item.state if head else {}
    fresh = head is None or head.item.deleted
    return Item(
        version=head.item.version + 1 if head else 1,
        number=head.number + 1 if head else 1,
        state=state,
        deleted=change.state is None,
        message=change.message or cause.message,
        user=user,
        timestamp=at,
        schema_version=schema,
        created_at=at if head is None or fresh else head.item.created_at,
        created_by=user if head is None or fresh else head.item.created_by,
    )


def _check_size(key: str, state: State) -> None:
    size = len(orjson.dumps(state))
    if size > MOST_STATE_BYTES:
        raise TooLarge(
            f"{key} would be {size} bytes of JSON, and {MOST_STATE_BYTES} are the most: take out what is not needed, "
            "or divide it among several",
            title="Document too large",
        )


def _tellings(events: Sequence[OutgoingEvent]) -> tuple[Telling, ...]:
    return tuple(
        Telling(event.type, event.key, event.id, None if event.data is None else orjson.dumps(event.data))
        for event in events
    )


def _milliseconds(moment: datetime) -> datetime:
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)
