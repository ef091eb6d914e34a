"""Builds HTTP responses: JSON as bytes with an entity tag, and problem+json (RFC 9457) for every error."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Any, Final

import orjson
import structlog
from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match, Route

from shared.cause import Cause
from shared.errors import Refused, Unavailable

log = structlog.get_logger(__name__)

PROBLEM_JSON: Final = "application/problem+json"

KeepRefusal = Callable[[Cause, Refused], Awaitable[None]]
"""Keeps a refusal as the cause's idempotency record; raises the first refusal when the cause already had another."""

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


def problem_of(status: int, title: str, detail: str, slug: str) -> dict[str, Any]:
    """The RFC 9457 body of an error that is not a ``Refused``."""
    return {"type": f"urn:epic:problem:{slug}", "title": title, "status": status, "detail": detail}


def problem_response(
    problem: Mapping[str, Any], path: str, *, retry_after: int | None = None, headers: Mapping[str, str] | None = None
) -> Response:
    """A problem about ``path`` (its ``instance``); ``retry_after`` in seconds."""
    sent = dict(headers or {})
    if retry_after is not None:
        sent["retry-after"] = str(retry_after)
    body = orjson.dumps({**problem, "instance": path})
    return Response(body, problem["status"], sent, PROBLEM_JSON)


def refusal_response(refused: Refused, path: str) -> Response:
    """The problem of a refusal."""
    return problem_response(refused.problem(), path, retry_after=refused.retry_after)


def handle_errors(app: FastAPI, keep_refusal: KeepRefusal | None = None) -> None:
    """Gives ``app`` a response for every expected kind of error; ``RequestMiddleware`` handles the others.

    The refusal of a write with an Idempotency-Key is kept before it is sent.
    """

    async def refused(request: Request, error: Any) -> Response:
        cause: Cause | None = request.scope.get(CAUSE)
        if keep_refusal is not None and cause is not None and cause.id is not None:
            try:
                await keep_refusal(cause, error)
            except Refused as first:
                error = first
            except Unavailable as away:
                return await _unavailable(request, away)
        return refusal_response(error, request.url.path)

    app.add_exception_handler(Refused, refused)
    app.add_exception_handler(Unavailable, _unavailable)
    app.add_exception_handler(HTTPException, _no_route)


async def _unavailable(request: Request, error: Any) -> Response:
    log.warning("unavailable", reason=error.detail)
    problem = problem_of(503, "Unavailable", error.detail, "unavailable")
    return problem_response(problem, request.url.path, retry_after=error.retry_after)


async def _no_route(request: Request, error: Any) -> Response:
    """404 for an unknown path, 405 for a path that has other methods, and whatever else Starlette raises."""
    path, headers = request.url.path, error.headers
    allowed = _allowed(request) if error.status_code in (404, 405) else []
    if error.status_code == 404 and not allowed:
        problem = problem_of(404, "Not found", f"there is no {path}; /openapi.json lists what there is", "no-such-path")
    elif allowed:
        headers = {"allow": ", ".join(allowed)}
        detail = f"{request.method} is not for {path}; use {' or '.join(allowed)}"
        problem = problem_of(405, "Method not allowed", detail, "bad-method")
    else:
        title = HTTPStatus(error.status_code).phrase
        problem = problem_of(error.status_code, title, str(error.detail), title.lower().replace(" ", "-"))
    return problem_response(problem, path, headers=headers)


def _allowed(request: Request) -> list[str]:
    """The methods that the path has."""
    allowed: set[str] = set()
    for route in request.app.router.routes:
        if isinstance(route, Route) and Route.matches(route, dict(request.scope))[0] is not Match.NONE:
            allowed |= route.methods or set()
    return sorted(allowed)
