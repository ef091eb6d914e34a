"""Why a write happens: who asks, for what reason, when, under which id, and for which version."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final, TypeAlias, TypeVar

from shared.errors import BadInput, Conflict, FieldError, Stale
from shared.trace import Trace

AUTOMATION: Final = "EPICAutomation"
_TAG: Final = re.compile(r'(?:W/)?"(base-)?([1-9][0-9]{0,9})"|(base-)?([1-9][0-9]{0,9})')


def digest_of(body: bytes) -> str:
    """Tells two bodies under one idempotency id apart."""
    return hashlib.blake2b(body, digest_size=16).hexdigest()


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

    ``id`` names the request across redeliveries: ``{ce_source}/{ce_id}`` of a command, ``{user} {method} {path} {key}``
    of an HTTP write with an Idempotency-Key, ``{topic type}/{event id}`` of an event; None: no idempotency record is
    kept. ``digest`` is the digest of the request's body: the same id with another digest is refused (409). ``message``
    is the reason that the asker gave. ``if_match`` is the version that the write is meant for.
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
        """Conflict ``id-reused`` when this id came with another body at first."""
        if self.digest != first:
            detail = "this Idempotency-Key, or command id, was used before with another body; use a new one"
            raise Conflict(detail, slug="id-reused")


C = TypeVar("C")
R = TypeVar("R")
UseCase: TypeAlias = Callable[[C, Cause], Awaitable[R]]
"""A use case bound to its stores: HTTP and commands call the same one."""
