"""Owns what becomes of an error that leaves a handler: always problem+json, never a stack trace."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Any, Final

import structlog
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.cause import Cause
from shared.errors import BadInput, FieldError, Refused, Unavailable
from shared.web.answers import problem_answer, problem_of, refusal_answer

__all__ = ["CAUSE", "KeepRefusal", "Unexpected", "answer_errors"]

log = structlog.get_logger(__name__)


KeepRefusal = Callable[[Cause, Refused], Awaitable[None]]
"""Keeps what a cause was refused with; raises what it was answered first, where that was something else."""

CAUSE: Final = "epic.cause"
"""Where in a request's scope the cause of the write is, once it has been read."""


def answer_errors(app: FastAPI, keep_refusal: KeepRefusal | None = None) -> None:
    """Gives ``app`` the answers to every expected kind of error; ``Unexpected`` has the rest.

    The refusal of a write with an Idempotency-Key is kept before it is answered.
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
        return refusal_answer(error, request.url.path)

    app.add_exception_handler(Refused, refused)
    app.add_exception_handler(Unavailable, _unavailable)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)


async def _unavailable(request: Request, error: Any) -> Response:
    log.warning("unavailable", reason=error.detail)
    problem = problem_of(503, "Unavailable", error.detail, "unavailable")
    return problem_answer(problem, request.url.path, retry_after=error.retry_after)


async def _invalid(request: Request, error: Any) -> Response:
    errors = [FieldError("".join(f"/{part}" for part in item["loc"][1:]), item["msg"]) for item in error.errors()]
    return refusal_answer(BadInput("the request has bad fields; see errors", errors), request.url.path)


async def _http(request: Request, error: Any) -> Response:
    path, headers = request.url.path, error.headers
    allowed = _allowed(request) if error.status_code in (404, 405) else []
    if error.status_code == 404 and not allowed:
        problem = problem_of(404, "Not found", f"there is no {path}; /openapi.json lists what there is", "no-such-path")
    elif allowed:
        headers = {"allow": ", ".join(allowed)}
        problem = problem_of(
            405, "Method not allowed", f"{request.method} is not for {path}; use {' or '.join(allowed)}", "bad-method"
        )
    else:
        title = HTTPStatus(error.status_code).phrase
        problem = problem_of(error.status_code, title, str(error.detail), title.lower().replace(" ", "-"))
    return problem_answer(problem, path, headers=headers)


def _allowed(request: Request) -> list[str]:
    """The methods that the path is there for."""
    scope: Mapping[str, Any] = request.scope
    allowed: set[str] = set()
    for route in request.app.router.routes:
        if isinstance(route, Route) and Route.matches(route, dict(scope))[0] is not Match.NONE:
            allowed |= route.methods or set()
    return sorted(allowed)


class Unexpected:
    """Turns an error nobody foresaw into a 500 without its trace, and logs it with it.

    Once the answer has begun, the connection is broken off instead: the error goes on to the server.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        begun = False

        async def watched(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self.app(scope, receive, watched)
        except Exception:
            log.exception("unexpected error", method=scope["method"], path=scope["path"])
            if begun:
                raise
            detail = "an unexpected error; the log has it under this answer's X-Correlation-Id"
            answer = problem_answer(problem_of(500, "Internal error", detail, "internal"), scope["path"])
            await answer(scope, receive, send)
