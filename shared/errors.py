"""Every error that a caller can get: one root, and a slug and an HTTP status for each."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class FieldError:
    """One bad field: a JSON pointer into the body (``/FleetConfiguration/Region``) and what to do about it."""

    pointer: str
    detail: str


class EpicError(Exception):
    """The root of all of EPIC's own errors."""


class Problem(EpicError):
    """An error that a caller is answered with.

    ``problem()`` is the RFC 9457 body of HTTP and the ``Problem`` of ``command.results`` alike.
    """

    slug = "internal"
    status = 500
    title = "Internal error"
    retry_after: int | None = None

    def __init__(
        self,
        detail: str,
        errors: Iterable[FieldError] = (),
        *,
        slug: str | None = None,
        status: int | None = None,
        title: str | None = None,
        retry_after: int | None = None,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.errors = tuple(errors)
        self.slug = slug or self.slug
        self.status = status or self.status
        self.title = title or self.title
        self.retry_after = retry_after or self.retry_after

    def problem(self) -> dict[str, Any]:
        body: dict[str, Any] = {
            "type": f"urn:epic:problem:{self.slug}",
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
        }
        if self.errors:
            body["errors"] = [asdict(error) for error in self.errors]
        return body


class Refused(Problem):
    """A rule or a check said no. Final: the same request is refused again until the state changes."""

    slug, status, title = "refused", 409, "Refused"


class BadInput(Refused):
    """400: the request itself is wrong; ``errors`` names each field and the remedy."""

    slug, status, title = "bad-input", 400, "Bad input"


class Forbidden(Refused):
    """403: the caller may not do this."""

    slug, status, title = "forbidden", 403, "Forbidden"


class NotFound(Refused):
    """404: no such resource, or a deleted one."""

    slug, status, title = "not-found", 404, "Not found"


class Conflict(Refused):
    """409: refused by a rule, or already there."""

    slug, title = "conflict", "Conflict"


class UnderWay(Refused):
    """409 with Retry-After: the same request is being worked on; a command waits instead."""

    slug, title, retry_after = "under-way", "Still under way", 1


class Stale(Refused):
    """412: If-Match names a version that is no longer the latest."""

    slug, status, title = "stale", 412, "Stale version"


class TooLarge(Refused):
    """413: the body, or the document that it would make, is over the limit."""

    slug, status, title = "too-large", 413, "Body too large"


class Unavailable(Problem):
    """503, or wait and retry: a store or the broker is away. Never final, never dead-lettered."""

    slug, status, title = "unavailable", 503, "Unavailable"
    retry_after = 2  # seconds; a store that is back is found within five


class MessageTooLarge(EpicError):
    """A message larger than the broker takes. It stays unsent until somebody raises the limit or takes it away."""


class Poison(EpicError):
    """A message that can never be handled: it is no CloudEvent, or its data does not fit the contract."""


def refusal_of(problem: dict[str, Any]) -> Refused:
    """The refusal that a stored problem describes, to be raised again as it was."""
    return Refused(
        problem["detail"],
        [FieldError(error["pointer"], error["detail"]) for error in problem.get("errors", ())],
        slug=problem["type"].rpartition(":")[2],
        status=problem["status"],
        title=problem["title"],
    )
