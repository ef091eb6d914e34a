"""Where a service keeps what it gave up: the contract of every backend's dead letter store."""

from __future__ import annotations

from typing import Protocol

from shared.schemas.results import DeadLetter

__all__ = ["DeadLetterStore"]


class DeadLetterStore(Protocol):
    """Where a service keeps its dead letters, one for an id."""

    async def put(self, letter: DeadLetter) -> None:
        """Keep it, in place of one with the same id."""

    async def get(self, letter_id: str) -> DeadLetter | None: ...

    async def list(self, after: str | None = None, limit: int = 100) -> list[DeadLetter]:
        """In the order of their ids, those after ``after``."""

    async def delete(self, letter_id: str) -> bool:
        """Whether it was there."""
