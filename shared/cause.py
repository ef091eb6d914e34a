"""Owns why a write happens: who asked, for what reason, under which id it may be asked again, and when."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime

from shared.errors import Conflict
from shared.trace import Trace

__all__ = ["AUTOMATION", "Cause", "digest_of", "id_of_http"]

AUTOMATION = "EPICAutomation"


def digest_of(body: bytes) -> str:
    """What tells two bodies under one idempotency id apart."""
    return hashlib.blake2b(body, digest_size=16).hexdigest()


def id_of_http(user: str, method: str, path: str, key: str) -> str:
    """The id of an HTTP write with an Idempotency-Key; the path with its query."""
    return f"{user} {method} {path} {key}"


@dataclass(frozen=True, slots=True)
class Cause:
    """The cause of one write.

    ``id`` names the request across redeliveries: ``{ce_source}/{ce_id}`` of a command, ``{user} {method} {path} {key}``
    of an HTTP write with an Idempotency-Key, ``{topic type}/{event id}`` of an event; None: nothing is kept.
    ``digest`` is of the request's body: the same id with another digest is refused (409).
    """

    now: datetime
    user: str
    trace: Trace
    id: str | None = None
    digest: str = ""
    message: str | None = None

    def check_digest(self, first: str) -> None:
        """Conflict ``id-reused`` when the body that came with this id at first was another."""
        if self.digest != first:
            said = "this Idempotency-Key, or command id, was used before with another body; use a new one"
            raise Conflict(said, slug="id-reused")
