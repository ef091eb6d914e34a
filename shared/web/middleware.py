"""What is done around every route: ids, the gate, the request's body, unexpected errors, counts and log lines.

It is plain ASGI: Starlette's ``BaseHTTPMiddleware`` costs 30 % of a request, this costs 2 %. The server passes on HTTP
requests only: it runs without WebSockets and without the lifespan protocol (``epic.serving.uvicorn_server``).
"""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import structlog
from prometheus_client import Counter, Histogram
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.errors import Problem, Unavailable
from shared.metrics import Metrics
from shared.trace import Trace, bind_trace, new_id, parse_traceparent
from shared.web.content_coding import CODINGS, decompressed
from shared.web.headers import check_single
from shared.web.protection import READS, Protection
from shared.web.responses import CLIENT_GONE, body_too_large, problem_response
from shared.web.routing import BODY, EpicRoute

log = structlog.get_logger(__name__)

_CORRELATION: Final = re.compile(rb"[\x21-\x7e]{1,128}")

_PLAIN: Final = b"identity"  # the content coding that is none

_READINESS: Final = "/health/ready"
_ALWAYS_OPEN: Final = frozenset({"/health/live", _READINESS, "/metrics", "/openapi.json", "/asyncapi.json"})


@dataclass(slots=True)
class Gate:
    """Open when ``closed`` is None; otherwise ``closed`` names what the service waits for."""

    closed: str | None = None


class RequestMiddleware:
    """Surrounds every route.

    - It binds the request's trace for all effects and log lines, and returns the correlation id.
    - It refuses what a page of another site sends (``Protection``), a header with two values where there can be one,
      and a body in another content coding than gzip (415).
    - While the gate is closed, it answers 503, except on the kit's own pages.
    - It reads the whole body of a write before the route is called, and decompresses it. A body over ``body_limit``
      bytes, compressed or not, is 413, at once where Content-Length says so, for a read as well; no other body of a
      read is looked at. A route of ``streaming`` reads its body itself, has its own limit and takes no coding.
    - It logs an unexpected error with its stack trace, and answers 500 without it. Once the response has begun, the
      error goes on to the server, which breaks the connection off.
    - It counts and times the request by its route's pattern, as 499 where the client went before all of it was there.
    - It logs the request unless it is a successful read: those are too many for a line each. Readiness is asked every
      few seconds and logs its own changes.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        service: str,
        metrics: Metrics,
        gate: Gate,
        protection: Protection,
        body_limit: int,
        streaming: Sequence[EpicRoute] = (),
    ) -> None:
        self.app = app
        self._service = service
        self._metrics = metrics
        self._gate = gate
        self._protection = protection
        self._body_limit = body_limit
        self._streaming = streaming
        self._log = log.bind()
        self._in_progress = 0
        self._counters: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}
        metrics.http_in_progress.set_function(lambda: self._in_progress)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        began, status, trace = time.perf_counter(), 0, _trace_of(scope)
        returned = (b"x-correlation-id", trace.correlation_id.encode())

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", ()), returned]
            await send(message)

        self._in_progress += 1
        with bind_trace(trace):
            structlog.contextvars.bind_contextvars(service=self._service)  # each request has a context of its own
            try:
                response = await self._admit(scope, receive)
                await (response or self.app)(scope, receive, send_with_id)
            except ClientDisconnect:
                status = status or CLIENT_GONE
            except Exception:
                log.exception("unexpected error", method=scope["method"], path=scope["path"])
                if status:
                    raise
                detail = "an unexpected error; the log has it under this answer's X-Correlation-Id"
                await problem_response(Problem(detail), scope["path"])(scope, receive, send_with_id)
            finally:
                self._in_progress -= 1
                self._record(scope, status or 500, time.perf_counter() - began)

    async def _admit(self, scope: Scope, receive: Receive) -> Response | None:
        """Reads the body into the scope. Returns the answer to a request that may not reach its route.

        ClientDisconnect when the client goes before the body is complete.
        """
        headers, path, is_read = scope["headers"], scope["path"], scope["method"] in READS
        given = dict(headers)
        try:
            if len(given) != len(headers):
                check_single(headers)
            self._protection.check(scope, given)
            closed = self._gate.closed
            if closed is not None and path not in _ALWAYS_OPEN:
                raise Unavailable(f"the service is not open yet: its store is {closed}")
            limit, streams = self._body_limit, 0
            for route in self._streaming:
                if scope["method"] in route.answers and route.takes(scope):
                    limit = streams = route.streams
            if int(given.get(b"content-length", 0)) > limit:
                raise body_too_large(limit)
            if is_read:
                return None
            coding = given.get(b"content-encoding", _PLAIN).lower()
            if coding != _PLAIN and (streams or coding not in CODINGS):
                return _wrong_coding(path, "identity" if streams else "gzip")
            if streams:
                return None
            body, more = bytearray(), True
            while more and len(body) <= limit:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise ClientDisconnect
                body += message.get("body", b"")
                more = message.get("more_body", False)
            if len(body) > limit:
                raise body_too_large(limit)
            content = bytes(body)
            if coding != _PLAIN:
                content = decompressed(content, limit)
        except Problem as problem:
            return problem_response(problem, path)
        scope[BODY] = content
        return None

    def _record(self, scope: Scope, status: int, seconds: float) -> None:
        method = scope["method"]
        labels = (method, getattr(scope.get("route"), "path", "none"), status)
        counters = self._counters.get(labels)
        if counters is None:  # looking up a labelled metric costs more than adding to it
            count = self._metrics.http_requests.labels(*labels[:2], str(status))
            counters = self._counters[labels] = (count, self._metrics.http_seconds.labels(*labels[:2]))
        counters[0].inc()
        counters[1].observe(seconds)
        if (status >= 400 and labels[1] != _READINESS) or method not in READS:
            self._log.info("request", method=method, path=scope["path"], status=status, ms=round(seconds * 1000, 1))


def _wrong_coding(path: str, accepted: str) -> Response:
    """415 with the coding that the route takes: ``gzip``, beside none, or only ``identity``, which is none."""
    remedy = "send it as it is, without one" if accepted == "identity" else f"send it with {accepted} or without one"
    detail = f"the body has a Content-Encoding that is not read here; {remedy}"
    problem = Problem(detail, slug="bad-content-encoding", status=415, title="Unsupported content coding")
    return problem_response(problem, path, {"accept-encoding": accepted})


def _trace_of(scope: Scope) -> Trace:
    """``X-Correlation-Id`` and ``traceparent`` of the caller where they are well formed; otherwise new ones begin."""
    correlation = parent = None
    for name, value in scope["headers"]:
        if name == b"x-correlation-id" and _CORRELATION.fullmatch(value):
            correlation = value.decode()
        elif name == b"traceparent":
            parent = parse_traceparent(value.decode("latin-1"))
    if parent is None and scope["method"] in READS:
        return Trace(correlation or new_id())  # a read has no effects that a trace would have to follow
    return Trace.begin(correlation, parent)
