"""Idempotency records: the stored outcome of a request, so that the same request gets it again and changes nothing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from shared.errors import Refused

RETENTION_OF_MESSAGES: Final = timedelta(days=30)
"""Longer than any topic keeps its records, so no message can come again after its record is gone (rule 3.38)."""

_RETENTION_OF_KEYS: Final = timedelta(hours=24)  # what clients may rely on for an Idempotency-Key (rule 3.38a)
_COME_AGAIN: Final = frozenset({401, 403, 429, 503})


@dataclass(frozen=True, slots=True)
class IdempotencyRecord:
    """The outcome of a request: a body, a refusal, or (``under_way``) none yet, with a reference to the work begun."""

    body: dict[str, Any] | None = None
    refusal: Refused | None = None
    under_way: bool = False
    reference: str | None = None

    def result(self) -> dict[str, Any]:
        """The body; raises the refusal where the outcome is one."""
        if self.refusal is not None:
            raise self.refusal
        return self.body or {}


def is_final(refusal: Refused) -> bool:
    """Whether a refusal is the outcome of the request; otherwise it asks the caller to come again, or with another id.

    Not final are 401, 403, 429, 503 and whatever has a Retry-After (rule 3.42), and the refusal of another request
    under a known id.
    """
    return refusal.status not in _COME_AGAIN and refusal.retry_after is None and refusal.slug != "id-reused"


def retention_of(cause_id: str) -> timedelta:
    """How long the record of a cause is kept: 24 hours for an Idempotency-Key, 30 days for a message.

    Only the id of an HTTP write begins with an empty line (``Cause.id``).
    """
    return _RETENTION_OF_KEYS if cause_id.startswith("\n") else RETENTION_OF_MESSAGES
