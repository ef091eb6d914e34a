"""Why a write happens: who asks, for what reason, when, under which id, and for which version."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, TypeAlias, TypeVar

import orjson

from shared.errors import BadInput, Conflict, FieldError, Refused, Stale
from shared.trace import Trace

AUTOMATION: Final = "EPICAutomation"
_TAG: Final = re.compile(r'(?:W/)?"(base-)?([1-9][0-9]{0,9})"|(base-)?([1-9][0-9]{0,9})')


def digest_of(content: bytes) -> str:
    """Tells two contents under one idempotency id apart."""
    return hashlib.blake2b(content, digest_size=16).hexdigest()


def digest_of_request(body: Mapping[str, Any], condition: str | None, kind: str = "") -> str:
    """Tells two requests under one idempotency id apart: by the body as JSON, whatever the order of its members, and by
    the condition, as If-Match or ce_ifmatch gives it (rules 3.35, 3.35a). ``kind`` is a command's type."""
    value = orjson.dumps(body, default=str, option=orjson.OPT_SORT_KEYS)  # str: of a Decimal, see ``exact_json``
    return digest_of(b"\n".join((kind.encode(), (condition or "").encode(), value)))


@dataclass(frozen=True, slots=True)
class IfMatch:
    """The version that a write is meant for; ``base``: the version of the base line, where there is no own line yet."""

    version: int
    base: bool = False


def parse_if_match(text: str | None) -> IfMatch | None:
    """``"3"``, ``"base-3"``, or bare as in ``ce_ifmatch``; ``*`` and nothing are no condition. BadInput otherwise."""
    if text is None or text.strip() == "*":
        return None
    found = _TAG.fullmatch(text.strip())
    if found is None:
        error = FieldError("/If-Match", 'give one ETag as it was read, such as "3"')
        raise BadInput(f"If-Match {text!r} is no entity tag of EPIC", [error], slug="bad-if-match")
    return IfMatch(int(found[2] or found[4]), base=bool(found[1] or found[3]))


def refuse_condition(condition: IfMatch | None, name: str) -> None:
    """BadInput for a condition on a write that has no version: if it were ignored, it would seem to have held."""
    if condition is not None:
        error = FieldError("/If-Match", "leave it out: this write has no version")
        raise BadInput(f"this write has no version; leave {name} out", [error], slug="bad-if-match")


@dataclass(frozen=True, slots=True)
class Cause:
    """The cause of one write.

    ``id`` names the request across redeliveries (rules 3.33, 3.34, 3.36): user, ce_source and ce_id of a command, a
    line each; ``{user} {method} {path} {key}`` of an HTTP write with an Idempotency-Key; ``{ce_source}/{ce_id}`` of an
    event; None: no idempotency record is kept. ``digest`` tells requests apart: the same id with another digest is
    refused (409). ``message`` is the reason that the asker gave. ``if_match`` is the version that the write is for.
    """

    now: datetime
    user: str
    trace: Trace
    id: str | None = None
    digest: str = ""
    message: str | None = None
    if_match: IfMatch | None = None

    @property
    def expected_version(self) -> int | None:
        """The version that the resource must have; None: any. Stale when ``if_match`` is a base line's version."""
        if self.if_match is None:
            return None
        if self.if_match.base:
            raise Stale(f'If-Match "base-{self.if_match.version}" is no version of this resource; read it again')
        return self.if_match.version

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
