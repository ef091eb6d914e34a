"""Owns kept answers: under which name, and how a first answer is told again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from shared.errors import Refused

__all__ = ["IdempotencyRecord", "is_final", "record_ids"]

_AGAIN: Final = frozenset({401, 429, 503})


@dataclass(frozen=True, slots=True)
class IdempotencyRecord:
    """What a write that is no document update was answered: a body, or a refusal."""

    body: dict[str, Any] | None = None
    refusal: Refused | None = None

    def result(self) -> dict[str, Any]:
        """The body again, or the refusal raised again as it was."""
        if self.refusal is not None:
            raise self.refusal
        return self.body or {}


def is_final(refusal: Refused) -> bool:
    """Whether a refusal is the answer, or only says to come again."""
    return refusal.status not in _AGAIN and refusal.slug not in ("under-way", "id-reused")


def record_ids(cause_id: str, resource: str, key: str) -> tuple[str, str]:
    """The names an answer may be kept under: the cause's own for the first document it writes, one each for the rest.

    The first makes another body under the same id known, whichever document that body is about.
    """
    return cause_id, f"{cause_id}\n{resource}/{key}"
