"""Builds HTTP responses: JSON as bytes with an entity tag, and problem+json (RFC 9457) for every error."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any, Final

import orjson
import structlog
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match, Route

from shared.cause import Cause, KeepRefusal
from shared.errors import NotFound, Problem, Refused, Unavailable

log = structlog.get_logger(__name__)

PROBLEM_JSON: Final = "application/problem+json"

CAUSE: Final = "epic.cause"
"""The key in a request's scope under which the cause of a write is, once it has been read."""


def json_response(
    body: Mapping[str, Any], *, version: int | None = None, base: bool = False, status: int = 200
) -> Response:
    """The body as JSON bytes. The ETag is ``"n"`` for version n of a document.

    It is ``"base-n"`` for the base line that stands in for a line that does not exist yet.
    """
    headers = None if version is None else {"etag": f'"base-{version}"' if base else f'"{version}"'}
    return Response(orjson.dumps(body), status, headers, "application/json")


def cursor_of(after: Any) -> str | None:
    """The opaque ``NextCursor`` that leads on after a place; None: there is no more."""
    return None if after is None else base64.urlsafe_b64encode(orjson.dumps(after)).rstrip(b"=").decode()


def page_response(items: list[dict[str, Any]], after: Any) -> Response:
    """One page of a list, and the cursor to the next."""
    return json_response({"Items": items, "NextCursor": cursor_of(after)})


def problem_response(problem: Problem, path: str, headers: Mapping[str, str] | None = None) -> Response:
    """A problem about ``path``, its ``instance``."""
    sent = dict(headers or {})
    if problem.retry_after is not None:
        sent["retry-after"] = str(problem.retry_after)
    return Response(orjson.dumps({**problem.problem(), "instance": path}), problem.status, sent, PROBLEM_JSON)


def handle_errors(app: Starlette, keep_refusal: KeepRefusal | None = None) -> None:
    """Gives ``app`` a response for every expected kind of error; ``RequestMiddleware`` handles the others.

    The refusal of a write with an Idempotency-Key is kept before it is sent.
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

    app.add_exception_handler(Problem, problem)
    app.add_exception_handler(HTTPException, _no_route)


async def _no_route(request: Request, _: Any) -> Response:
    """404 for an unknown path, and 405 for a path that has other methods; Starlette raises nothing else."""
    path, allowed = request.url.path, set[str]()
    for route in request.app.router.routes:
        if isinstance(route, Route) and Route.matches(route, dict(request.scope))[0] is not Match.NONE:
            allowed |= route.methods or set()
    if not allowed:
        unknown = NotFound(f"there is no {path}; /openapi.json lists what there is", slug="no-such-path")
        return problem_response(unknown, path)
    methods = sorted(allowed)
    detail = f"{request.method} is not for {path}; use {' or '.join(methods)}"
    problem = Problem(detail, slug="bad-method", status=405, title="Method not allowed")
    return problem_response(problem, path, {"allow": ", ".join(methods)})
