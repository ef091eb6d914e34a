"""Owns what is noted of each request: how many, how long, and a line in the log."""

from __future__ import annotations

import time
from typing import Final

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.metrics import Metrics

__all__ = ["Access"]

log = structlog.get_logger(__name__)

_NO_ROUTE: Final = "none"


class Access:
    """Counts and times every request by its route's pattern; writes and errors are logged as info, the rest as debug.

    Reads that went well are too many for a line each.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self.app = app
        self.metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        status = 500
        began = time.perf_counter()

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        self.metrics.http_in_progress.inc()
        try:
            await self.app(scope, receive, watched)
        finally:
            self.metrics.http_in_progress.dec()
            self._note(scope, status, time.perf_counter() - began)

    def _note(self, scope: Scope, status: int, seconds: float) -> None:
        method = scope["method"]
        route = getattr(scope.get("route"), "path", _NO_ROUTE)
        self.metrics.http_requests.labels(method, route, str(status)).inc()
        self.metrics.http_seconds.labels(method, route).observe(seconds)
        say = log.debug if status < 400 and method in ("GET", "HEAD", "OPTIONS") else log.info
        say("request", method=method, path=scope["path"], status=status, ms=round(seconds * 1000, 1))
