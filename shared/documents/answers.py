"""Owns kept answers: for how long, under which name, and how a first answer is told again."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from shared.cause import Cause
from shared.errors import Conflict, Refused

__all__ = ["Answer", "check_digest", "is_final", "kept_for", "names_of"]

_COMMANDS: Final = timedelta(days=30)  # longer than any topic keeps its commands
_KEYS: Final = timedelta(hours=24)
_HTTP: Final = re.compile(r" (?:POST|PUT|PATCH|DELETE) /")
_AGAIN: Final = frozenset({401, 429, 503})


@dataclass(frozen=True, slots=True)
class Answer:
    """What a write that is no document update was answered: a body, or a refusal."""

    body: dict[str, Any] | None = None
    refusal: Refused | None = None

    def result(self) -> dict[str, Any]:
        """The body again, or the refusal raised again as it was."""
        if self.refusal is not None:
            raise self.refusal
        return self.body or {}


def kept_for(cause_id: str) -> timedelta:
    """24 hours for the Idempotency-Key of an HTTP write, 30 days for a message."""
    return _KEYS if _HTTP.search(cause_id) else _COMMANDS


def is_final(refusal: Refused) -> bool:
    """Whether a refusal is the answer, or only says to come again."""
    return refusal.status not in _AGAIN and refusal.slug not in ("under-way", "id-reused")


def names_of(cause_id: str, resource: str, key: str) -> tuple[str, str]:
    """The names an answer may be kept under: the cause's own for the first document it writes, one each for the rest.

    The first makes another body under the same id known, whichever document that body is about.
    """
    return cause_id, f"{cause_id}\n{resource}/{key}"


def check_digest(cause: Cause, digest: str) -> None:
    """Conflict ``id-reused`` when the body that came with this id before was another."""
    if cause.digest != digest:
        raise Conflict("this id was used before with another body; use a new one for a new request", slug="id-reused")
