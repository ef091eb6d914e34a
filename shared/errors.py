"""Every error that a caller can get: one root, and a slug and an HTTP status for each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class FieldError:
    """One bad field: a JSON pointer into the body (``/FleetConfiguration/Region``) and what to do about it."""

    pointer: str
    detail: str

    def wire(self) -> dict[str, str]:
        return {"pointer": self.pointer, "detail": self.detail}


class EpicError(Exception):
    """The root of all of EPIC's own errors."""


@dataclass
class Refused(EpicError):
    """A rule or a check said no. Final: the same request is refused again until the state changes.

    ``problem()`` is the RFC 9457 body of HTTP and the ``Problem`` of ``command.results`` alike.
    """

    detail: str
    slug: str = "refused"
    status: int = 409
    title: str = "Refused"
    errors: Sequence[FieldError] = field(default_factory=tuple)
    retry_after: int | None = None

    def __post_init__(self) -> None:
        super().__init__(self.detail)

    def problem(self) -> dict[str, Any]:
        body: dict[str, Any] = {
            "type": f"urn:epic:problem:{self.slug}",
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
        }
        if self.errors:
            body["errors"] = [error.wire() for error in self.errors]
        return body


class BadInput(Refused):
    """400: the request itself is wrong; ``errors`` names each field and the remedy."""

    def __init__(self, detail: str, errors: Sequence[FieldError] = (), slug: str = "bad-input") -> None:
        super().__init__(detail, slug=slug, status=400, title="Bad input", errors=tuple(errors))


class NotFound(Refused):
    """404: no such resource, or a deleted one."""

    def __init__(self, detail: str, slug: str = "not-found") -> None:
        super().__init__(detail, slug=slug, status=404, title="Not found")


class Conflict(Refused):
    """409: refused by a rule, or already there."""

    def __init__(self, detail: str, slug: str = "conflict", errors: Sequence[FieldError] = ()) -> None:
        super().__init__(detail, slug=slug, status=409, title="Conflict", errors=tuple(errors))


class UnderWay(Refused):
    """409 with Retry-After: the same request is being worked on; a command waits instead."""

    def __init__(self, detail: str, retry_after: int = 1) -> None:
        super().__init__(detail, slug="under-way", status=409, title="Still under way", retry_after=retry_after)


class Stale(Refused):
    """412: If-Match names a version that is no longer the latest."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail, slug="stale", status=412, title="Stale version")


class TooLarge(Refused):
    """413: the body, or the document that it would make, is over the limit."""

    def __init__(self, detail: str, title: str = "Body too large") -> None:
        super().__init__(detail, slug="too-large", status=413, title=title)


class Unavailable(EpicError):
    """503, or wait and retry: a store or the broker is away. Never final, never dead-lettered."""

    def __init__(self, detail: str, retry_after: int = 2) -> None:
        super().__init__(detail)
        self.detail = detail
        self.retry_after = retry_after


class MessageTooLarge(EpicError):
    """A message larger than the broker takes. It stays unsent until somebody raises the limit or takes it away."""


class Poison(EpicError):
    """A message that can never be handled: undecodable, or failing unexpectedly every time."""


def refusal_of(problem: dict[str, Any]) -> Refused:
    """The refusal that a stored problem describes, to be raised again as it was."""
    errors = tuple(FieldError(error["pointer"], error["detail"]) for error in problem.get("errors", ()))
    return Refused(
        problem["detail"],
        slug=problem["type"].rpartition(":")[2],
        status=problem["status"],
        title=problem["title"],
        errors=errors,
    )
