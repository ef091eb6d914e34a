"""Why a write happens: who asks, for what reason, when, under which id, and on which condition."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, TypeAlias, TypeVar

from shared import exact_json
from shared.conditions import Condition
from shared.errors import Conflict, Refused
from shared.trace import Trace

AUTOMATION: Final = "EPICAutomation"


def digest_of(content: bytes) -> str:
    """Tells two contents under one idempotency id apart."""
    return hashlib.blake2b(content, digest_size=16).hexdigest()


def digest_of_request(
    kind: str, body: Mapping[str, Any], *, if_match: str | None, if_none_match: str | None = None
) -> str:
    """Tells two requests under one idempotency id apart (rules 3.35, 3.35a, 3.40): by their kind, which is an HTTP
    method or a command's type; by their conditions as they were sent; and by the body as a JSON value."""
    # An empty condition is one, and is refused.
    conditions = ("" if condition is None else f"={condition}" for condition in (if_match, if_none_match))
    return digest_of(b"\n".join((*(text.encode() for text in (kind, *conditions)), exact_json.canonical(body))))


@dataclass(frozen=True, slots=True)
class Cause:
    """The cause of one write.

    ``id`` names the request across redeliveries (rules 3.33, 3.34, 3.36): user, ce_source and ce_id of a command, a
    line each; of an HTTP write with an Idempotency-Key an empty line, then user, path and key; ``{ce_source}/{ce_id}``
    of an event; None: no idempotency record is kept. ``digest`` tells requests apart: the same id with another digest
    is refused (409). ``message`` is the reason that the asker gave. ``condition`` is what must hold of the resource;
    the function that decides the write checks it, so that it holds at the write itself.
    """

    now: datetime
    user: str
    trace: Trace
    id: str | None = None
    digest: str = ""
    message: str | None = None
    condition: Condition | None = None

    def check_digest(self, first: str) -> None:
        """Conflict ``id-reused`` when this id was another request at first (rule 3.40)."""
        if self.digest != first:
            raise Conflict(
                "this Idempotency-Key, or command id, was used before for another request (its method or ce_type, "
                "its body, If-Match or If-None-Match differ); use a new one",
                slug="id-reused",
            )


C = TypeVar("C")
R = TypeVar("R")
UseCase: TypeAlias = Callable[[C, Cause], Awaitable[R]]
"""A use case bound to its stores: HTTP and commands call the same one."""
KeepRefusal: TypeAlias = Callable[[Cause, Refused], Awaitable[None]]
"""Keeps a refusal as the idempotency record of its cause; raises the first refusal if the cause had another before."""
