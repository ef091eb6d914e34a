"""What the headers of a request say to every route: one value where there can be only one, a media type that the route
offers, and conditions on a read."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final

from starlette.responses import Response

from shared.conditions import Condition, parse_condition
from shared.errors import BadInput, FieldError, Problem, Stale

Headers = Iterable[tuple[bytes, bytes]]

_SINGLE: Final = frozenset(
    b"authorization content-type idempotency-key origin sec-fetch-site x-correlation-id x-epic-user".split()
)
"""The headers of one value that EPIC reads, without Host, which may not even be repeated, and Content-Length, which the
server checks."""

_WEIGHT: Final = re.compile(r"q=[0-9]{1,3}(\.[0-9]{0,9})?")
"""Of a media range (RFC 9110, 12.4.2). A weight that is none of these counts as 1."""

_KEPT_BY_304: Final = frozenset((b"cache-control", b"content-location", b"etag", b"expires", b"vary"))
"""The headers that 304 repeats of what 200 would have had (RFC 9110, 15.4.5); the server adds Date."""


def header_of(headers: Headers, name: bytes) -> str | None:
    """The value of a header by its name in small letters; of one that is there several times, one list of all."""
    found = [value for key, value in headers if key == name]
    return b", ".join(found).decode("latin-1") if found else None


def check_single(headers: Headers) -> None:
    """BadInput where a header of one value has several (RFC 9110, 5.3), or Host is there twice (RFC 9112, 3.2).

    A proxy could have decided by one of them, and EPIC by the other.
    """
    hosts = [name for name, _ in headers if name == b"host"]
    others = [name for name, _ in {(name, value) for name, value in headers if name in _SINGLE}]
    twice = sorted(name.decode().title() for name, times in Counter(hosts + others).items() if times > 1)
    if twice:
        errors = [FieldError(f"/{name}", "give it once") for name in twice]
        raise BadInput(f"the request has {', '.join(twice)} more than once", errors, slug="duplicate-header")


def condition_in(headers: Headers) -> Condition | None:
    """The If-Match and the If-None-Match of a request; None when it has neither. BadInput for no list of ETags."""
    return parse_condition(header_of(headers, b"if-match"), header_of(headers, b"if-none-match"))


def accepted_offer(headers: Headers, offers: Sequence[str]) -> str:
    """The media type that ``Accept`` likes best of those that the route answers with; of several alike the first.

    Parameters of a media type are not compared. A range with ``q=0`` is one that the caller does not want. A problem
    (406) when it takes none of them (4.11i). A problem is answered as one whatever Accept says.
    """
    accept = header_of(headers, b"accept") or ""
    wanted = dict(_range(part) for part in accept.split(",") if part.strip()) or {"*/*": 1.0}

    def weight(offer: str) -> float:
        ranges = (offer, f"{offer.partition('/')[0]}/*", "*/*")  # the most specific one decides
        return next((wanted[one] for one in ranges if one in wanted), 0.0)

    best = max(offers, key=weight)
    if weight(best) > 0:
        return best
    detail = f"this answers with {' or '.join(offers)}; name it in Accept, or leave Accept out"
    raise Problem(detail, slug="not-acceptable", status=406, title="Not acceptable")


def _range(part: str) -> tuple[str, float]:
    """A media range in small letters, and how much the caller wants it."""
    name, *parameters = (piece.strip().lower() for piece in part.split(";"))
    weights = [float(piece[2:]) for piece in parameters if _WEIGHT.fullmatch(piece)]
    return name, min(weights, default=1.0)


def under_condition(response: Response, headers: Headers) -> Response:
    """The answer to a read: ``response``, or 304 without a body where If-None-Match names its ETag (3.24a).

    Stale where If-Match does not name it. Neither is looked at unless the answer is 200.
    """
    condition = condition_in(headers)
    if condition is None or response.status_code != 200:
        return response
    tag = response.headers.get("etag", "")
    if condition.is_stale(tag):
        raise Stale(f"the ETag is {tag or 'none'} now, which If-Match does not name")
    if not condition.is_matched(tag):
        return response
    unchanged = Response(status_code=304)
    unchanged.raw_headers = [header for header in response.raw_headers if header[0] in _KEPT_BY_304]
    return unchanged
