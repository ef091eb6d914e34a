"""The ASGI middlewares around every route: ids, counts and log lines, the body's size, the gate, unexpected errors.

They are plain ASGI: Starlette's ``BaseHTTPMiddleware`` costs 30 % of a request, these cost 2 %.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import structlog
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.errors import TooLarge
from shared.metrics import Metrics
from shared.trace import Trace, bind_trace, new_id, parse_traceparent
from shared.web.responses import problem_of, problem_response, refusal_response

__all__ = ["BODY_LIMIT", "AccessLog", "BodyLimit", "Correlation", "Gate", "Gated", "Unexpected"]

log = structlog.get_logger(__name__)

BODY_LIMIT: Final = 1_048_576
"""The bytes of a request's body: what the largest document and the largest message may have."""

_CORRELATION: Final = re.compile(rb"[\x21-\x7e]{1,128}")

_READS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_READINESS: Final = "/health/ready"
_ALWAYS_OPEN: Final = frozenset({"/health/live", _READINESS, "/metrics", "/openapi.json", "/asyncapi.json"})
_RETRY_AFTER: Final = 2  # seconds; a store that is back is found within five


class Correlation:
    """Binds the ids of a request for all its effects and log lines, and returns the correlation id.

    ``X-Correlation-Id`` and ``traceparent`` of the caller are used when they are well formed; otherwise new ones begin.
    Log lines carry the service's name too: the server gives each request a context of its own.
    """

    def __init__(self, app: ASGIApp, service: str) -> None:
        self.app = app
        self.service = service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        correlation = parent = None
        for name, value in scope["headers"]:
            if name == b"x-correlation-id" and _CORRELATION.fullmatch(value):
                correlation = value.decode()
            elif name == b"traceparent":
                parent = parse_traceparent(value.decode("latin-1"))
        if parent is None and scope["method"] == "GET":
            trace = Trace(correlation or new_id())  # a GET has no effects that a trace would have to follow
        else:
            trace = Trace.begin(correlation, parent)
        returned = (b"x-correlation-id", trace.correlation_id.encode())

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), returned]
            await send(message)

        with bind_trace(trace):
            structlog.contextvars.bind_contextvars(service=self.service)
            await self.app(scope, receive, send_with_id)


class AccessLog:
    """Counts and times every request by its route's pattern, and logs it unless it is a successful read.

    Successful reads are too many for a line each. Readiness is asked every few seconds and logs its own changes.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self.app = app
        self._metrics = metrics
        self._log = log.bind()
        self._in_progress = 0
        self._recorders: dict[tuple[str, str, int], Callable[[float], None]] = {}
        metrics.http_in_progress.set_function(lambda: self._in_progress)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        status = 500
        began = time.perf_counter()

        async def send_and_watch(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        self._in_progress += 1
        try:
            await self.app(scope, receive, send_and_watch)
        finally:
            self._in_progress -= 1
            self._record(scope, status, time.perf_counter() - began)

    def _record(self, scope: Scope, status: int, seconds: float) -> None:
        method = scope["method"]
        labels = (method, getattr(scope.get("route"), "path", "none"), status)
        record = self._recorders.get(labels)
        if record is None:  # looking up a labelled metric costs more than adding to it
            record = self._recorders[labels] = self._recorder(*labels)
        record(seconds)
        if (status >= 400 and labels[1] != _READINESS) or method not in _READS:
            self._log.info("request", method=method, path=scope["path"], status=status, ms=round(seconds * 1000, 1))

    def _recorder(self, method: str, route: str, status: int) -> Callable[[float], None]:
        count = self._metrics.http_requests.labels(method, route, str(status))
        timing = self._metrics.http_seconds.labels(method, route)

        def record(seconds: float) -> None:
            count.inc()
            timing.observe(seconds)

        return record


class BodyLimit:
    """Reads the whole body before the handler is called; a body over the limit is 413 and reaches no handler."""

    def __init__(self, app: ASGIApp, limit: int = BODY_LIMIT) -> None:
        self.app = app
        self.limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        length = self._announced(scope) if scope["type"] == "http" else None
        if length is None:
            await self.app(scope, receive, send)
            return
        try:
            body = await self._read(receive) if length <= self.limit else None
        except ClientDisconnect:
            return
        if body is None:
            refused = TooLarge(f"the body is over {self.limit} bytes; send less, or several requests")
            await refusal_response(refused, scope["path"])(scope, receive, send)
            return
        delivered = False

        async def receive_body() -> Message:
            nonlocal delivered
            if delivered:
                return await receive()
            delivered = True
            return {"type": "http.request", "body": body, "more_body": False}

        await self.app(scope, receive_body, send)

    @staticmethod
    def _announced(scope: Scope) -> int | None:
        """The announced length; 0 for a body in chunks, whose length is unknown; None without a body."""
        length = None
        for name, value in scope["headers"]:
            if name == b"content-length":
                return int(value) if value.isdigit() else 0
            if name == b"transfer-encoding":
                length = 0
        return length

    async def _read(self, receive: Receive) -> bytes | None:
        """The body, or None when it is over the limit. ClientDisconnect when the client goes before it is complete."""
        parts: list[bytes] = []
        size = 0
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise ClientDisconnect
            part = message.get("body", b"")
            size += len(part)
            if size > self.limit:
                return None
            parts.append(part)
            if not message.get("more_body", False):
                return b"".join(parts)


@dataclass(slots=True)
class Gate:
    """Open when ``closed`` is None; otherwise ``closed`` names what the service waits for."""

    closed: str | None = None


class Gated:
    """Answers 503 while the gate is closed, except on the kit's own pages."""

    def __init__(self, app: ASGIApp, gate: Gate) -> None:
        self.app = app
        self._gate = gate

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        closed = self._gate.closed
        if closed is None or scope["type"] != "http" or scope["path"] in _ALWAYS_OPEN:
            await self.app(scope, receive, send)
            return
        problem = problem_of(503, "Unavailable", f"the service is not open yet: its store is {closed}", "unavailable")
        await problem_response(problem, scope["path"], retry_after=_RETRY_AFTER)(scope, receive, send)


class Unexpected:
    """Logs an unexpected error with its stack trace and answers 500 without it.

    Once the response has begun, the error goes on to the server, which breaks the connection off.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        begun = False

        async def send_and_watch(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self.app(scope, receive, send_and_watch)
        except Exception:
            log.exception("unexpected error", method=scope["method"], path=scope["path"])
            if begun:
                raise
            detail = "an unexpected error; the log has it under this answer's X-Correlation-Id"
            response = problem_response(problem_of(500, "Internal error", detail, "internal"), scope["path"])
            await response(scope, receive, send)
