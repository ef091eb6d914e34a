"""Parts: bytes that are too many for one record, kept in numbered pieces under a name."""

from __future__ import annotations

import sys
from typing import Final, Protocol

MAX_PART_BYTES: Final = 4_194_304
"""The most bytes of one part. A MongoDB document holds 16 MiB, and a SQLite transaction holds up all other writers."""

NAMES_AT_ONCE: Final = 100
"""The most names that one call gives."""


class Parts(Protocol):
    """What a service keeps beside its documents for some time, such as the body of a bulk job.

    A part is stored whole or not at all, and is durable when ``put`` returns. Nothing is published and nothing is kept
    of what was there before. Every call raises Unavailable while the store is away.
    """

    async def put(self, name: str, number: int, data: bytes) -> None:
        """Stores part ``number`` of ``name``, in place of the one that is there.

        ValueError over MAX_PART_BYTES, and for a name with ``@``.
        """

    async def get(self, name: str, number: int) -> bytes | None:
        """One part; None when there is none."""

    async def delete(self, name: str, number: int | None = None) -> None:
        """Deletes one part of ``name``, every part unless a number is given; does nothing when there is none."""

    async def names(self, prefix: str, after: str = "") -> list[str]:
        """The next names that begin with ``prefix``, behind ``after`` in the store's order.

        NAMES_AT_ONCE at most; none when no more are left.
        """


def end_of(prefix: str) -> str:
    """What comes behind every name that begins with ``prefix``."""
    return f"{prefix}{chr(sys.maxunicode)}"


def check_part(name: str, number: int, data: bytes) -> None:
    """ValueError for a part that no store takes."""
    if "@" in name:
        raise ValueError(f"{name!r} cannot name parts: leave @ out, which divides name and number in a store")
    if number < 0 or len(data) > MAX_PART_BYTES:
        raise ValueError(f"part {number} of {len(data)} bytes: number parts from 0, of at most {MAX_PART_BYTES} bytes")
