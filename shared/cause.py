"""Why a write happens: who asks, for what reason, when, under which id, and on which condition."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, TypeAlias, TypeVar

import orjson

from shared.conditions import Condition
from shared.errors import Conflict, Refused
from shared.trace import Trace

AUTOMATION: Final = "EPICAutomation"


def digest_of(content: bytes) -> str:
    """Tells two contents under one idempotency id apart."""
    return hashlib.blake2b(content, digest_size=16).hexdigest()


def digest_of_request(body: Mapping[str, Any], condition: str | None, kind: str = "") -> str:
    """Tells two requests under one idempotency id apart: by the body as JSON, whatever the order of its members, and by
    the condition, as If-Match or ce_ifmatch gives it (rules 3.35, 3.35a). ``kind`` is a command's type."""
    value = orjson.dumps(body, default=str, option=orjson.OPT_SORT_KEYS)  # str: of a Decimal, see ``exact_json``
    named = "" if condition is None else f"={condition}"  # an empty condition is one, and is refused
    return digest_of(b"\n".join((kind.encode(), named.encode(), value)))


@dataclass(frozen=True, slots=True)
class Cause:
    """The cause of one write.

    ``id`` names the request across redeliveries (rules 3.33, 3.34, 3.36): user, ce_source and ce_id of a command, a
    line each; ``{user} {method} {path} {key}`` of an HTTP write with an Idempotency-Key; ``{ce_source}/{ce_id}`` of an
    event; None: no idempotency record is kept. ``digest`` tells requests apart: the same id with another digest is
    refused (409). ``message`` is the reason that the asker gave. ``condition`` is what must hold of the resource; the
    function that decides the write checks it, so that it holds at the write itself.
    """

    now: datetime
    user: str
    trace: Trace
    id: str | None = None
    digest: str = ""
    message: str | None = None
    condition: Condition | None = None

    def check_digest(self, first: str) -> None:
        """Conflict ``id-reused`` when this id came with another body or condition at first (rule 3.40)."""
        if self.digest != first:
            detail = "this Idempotency-Key, or command id, was used before with another body or If-Match; use a new one"
            raise Conflict(detail, slug="id-reused")


C = TypeVar("C")
R = TypeVar("R")
UseCase: TypeAlias = Callable[[C, Cause], Awaitable[R]]
"""A use case bound to its stores: HTTP and commands call the same one."""
KeepRefusal: TypeAlias = Callable[[Cause, Refused], Awaitable[None]]
"""Keeps a refusal as the idempotency record of its cause; raises the first refusal if the cause had another before."""
