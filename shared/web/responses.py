"""Builds HTTP responses: JSON as bytes with an entity tag, and problem+json (RFC 9457) for every error."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any, Final

import orjson
import structlog
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from shared.cause import Cause, KeepRefusal
from shared.errors import NotFound, Problem, Refused, TooLarge, Unavailable
from shared.web.openapi import WRITES
from shared.web.protection import READS
from shared.web.routing import allowed_methods

log = structlog.get_logger(__name__)

PROBLEM_JSON: Final = "application/problem+json"
_NO_PATH: Final = "no-such-path"
_METHODS: Final = READS.union(WRITES)

CLIENT_GONE: Final = 499
"""The status under which a request is counted whose client went before it was complete; nginx has the same one."""

CAUSE: Final = "epic.cause"
"""The key in a request's scope under which the cause of a write is, once it has been read."""


def json_response(body: Mapping[str, Any], *, etag: str | None = None, status: int = 200) -> Response:
    """The body as JSON bytes."""
    headers = None if etag is None else {"etag": etag}
    return Response(orjson.dumps(body), status, headers, "application/json")


def cursor_of(after: Any) -> str | None:
    """The opaque ``NextCursor`` that leads on after a place; None: there is no more."""
    return None if after is None else base64.urlsafe_b64encode(orjson.dumps(after)).rstrip(b"=").decode()


def page_response(items: list[dict[str, Any]], after: Any) -> Response:
    """One page of a list, and the cursor to the next."""
    return json_response({"Items": items, "NextCursor": cursor_of(after)})


def body_too_large(limit: int) -> TooLarge:
    """The refusal of a body with more bytes than its route takes (4.11e)."""
    return TooLarge(f"the body is over {limit} bytes; send less, or several requests")


def problem_response(problem: Problem, path: str, headers: Mapping[str, str] | None = None) -> Response:
    """A problem about ``path``, its ``instance``."""
    sent = dict(headers or {})
    if problem.retry_after is not None:
        sent["retry-after"] = str(problem.retry_after)
    return Response(orjson.dumps({**problem.problem(), "instance": path}), problem.status, sent, PROBLEM_JSON)


def handle_errors(app: Starlette, keep_refusal: KeepRefusal | None = None, *, index: str) -> None:
    """Gives ``app`` a response for every expected kind of error; ``RequestMiddleware`` handles the others.

    The refusal of a write with an Idempotency-Key is kept before it is sent. ``index``: what lists the paths.
    """

    async def problem(request: Request, error: Any) -> Response:
        cause: Cause | None = request.scope.get(CAUSE)
        if isinstance(error, Refused) and keep_refusal is not None and cause is not None and cause.id is not None:
            try:
                await keep_refusal(cause, error)
            except Problem as other:
                error = other
        if isinstance(error, Unavailable):
            log.warning("unavailable", reason=error.detail)
        return problem_response(error, request.url.path)

    async def no_route(request: Request, _: Any) -> Response:
        """404 for an unknown path, 405 for one that has other methods, and what OPTIONS asks for, ``*`` too."""
        path, server_wide = request.url.path, request.scope["path"] == "*"
        allowed = sorted(_METHODS if server_wide else allowed_methods(request.app.router.routes, request.scope))
        if not allowed:
            return problem_response(NotFound(f"there is no {path}; {index} lists what there is", slug=_NO_PATH), path)
        allow = {"allow": ", ".join(allowed)}
        if request.method == "OPTIONS":
            return Response(status_code=204, headers=allow)
        use = " or ".join(method for method in allowed if method not in ("HEAD", "OPTIONS"))
        method = "GET" if request.method == "HEAD" else request.method  # one length for both (RFC 9110, 8.6)
        detail = f"{method} is not for {path}; use {use}"
        return problem_response(Problem(detail, slug="bad-method", status=405, title="Method not allowed"), path, allow)

    async def gone(_: Request, __: Any) -> Response:
        """The client went before its request was complete: nobody gets this."""
        return Response(status_code=CLIENT_GONE)

    app.add_exception_handler(Problem, problem)
    app.add_exception_handler(HTTPException, no_route)
    app.add_exception_handler(ClientDisconnect, gone)
