"""Dead letters: a record that was given up, with its reason; how it is built, read back and stored."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from typing import Final, Protocol

from shared.envelope import Record
from shared.schemas.results import DeadLetter

_REASON_LENGTH: Final = 4_000  # a person reads it, and a Text takes 16,384
_VALUE_BYTES: Final = 500_000  # a page shows a hundred letters, and a store's row or document has its own limit
_KEY_AND_HEADER_BYTES: Final = 100_000  # an escaped byte may become six


class DeadLetterStore(Protocol):
    """Where a service stores its dead letters, one for each id. Every backend has one."""

    async def put(self, letter: DeadLetter) -> None:
        """Store it, in place of one with the same id."""

    async def get(self, letter_id: str) -> DeadLetter | None: ...

    async def list(self, after: str | None = None, limit: int = 100) -> list[DeadLetter]:
        """In the order of their ids, those after ``after``."""

    async def delete(self, letter_id: str) -> bool:
        """Whether it was there."""


def letter_of(record: Record, *, group: str, reason: str, attempts: int, now: datetime) -> DeadLetter:
    """The dead letter of a record: the same one, however often a group gives the record up.

    A value, key or headers too large to copy stay in the topic; replay reads them."""
    value, key, headers, note = record.value, record.key, record.headers, ""
    if value is not None and len(value) > _VALUE_BYTES:
        note = f" (its {len(value)} bytes are left in {record.topic}, not copied here)"
        value = None
    rest = len(key or b"") + sum(len(name.encode()) + len(content or b"") for name, content in headers)
    if rest > _KEY_AND_HEADER_BYTES:
        note += f" (its key and headers, {rest} bytes, are left in {record.topic}, not copied here, nor is its value)"
        value, key, headers = None, None, ()
    return DeadLetter(
        id=f"{group}:{record.topic}:{record.partition}:{record.offset}",
        group=group,
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        timestamp=datetime.fromtimestamp(max(record.timestamp, 0) / 1000, UTC),
        key=_base64(key),
        value=_base64(value),
        headers=[(name, (content or b"").decode("utf-8", "backslashreplace")) for name, content in headers],
        reason=reason[:_REASON_LENGTH].encode("utf-8", "replace").decode() + note,
        attempts=attempts,
        dead_since=now,
    )


def record_of(letter: DeadLetter) -> Record:
    """The record that a dead letter holds."""
    return Record(
        letter.topic,
        letter.partition,
        letter.offset,
        int(letter.timestamp.timestamp() * 1000),
        _bytes(letter.key),
        _bytes(letter.value),
        tuple((name, content.encode()) for name, content in letter.headers),
    )


def _base64(value: bytes | None) -> str | None:
    return None if value is None else base64.b64encode(value).decode()


def _bytes(value: str | None) -> bytes | None:
    return None if value is None else base64.b64decode(value)
