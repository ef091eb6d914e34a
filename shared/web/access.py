"""Owns what is noted of each request: how many, how long, and a line in the log."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.metrics import Metrics

__all__ = ["Access"]

log = structlog.get_logger(__name__)

_NO_ROUTE: Final = "none"
_READINESS: Final = "/health/ready"
_READS: Final = frozenset({"GET", "HEAD", "OPTIONS"})


class Access:
    """Counts and times every request by its route's pattern, and logs it, unless it is a read that went well.

    Those are too many for a line each. Readiness is asked every few seconds, and logs its changes itself.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self.app = app
        self._metrics = metrics
        self._log = log.bind()
        self._in_progress = 0
        self._notes: dict[tuple[str, str, int], Callable[[float], None]] = {}
        metrics.http_in_progress.set_function(lambda: self._in_progress)

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

        self._in_progress += 1
        try:
            await self.app(scope, receive, watched)
        finally:
            self._in_progress -= 1
            self._note(scope, status, time.perf_counter() - began)

    def _note(self, scope: Scope, status: int, seconds: float) -> None:
        method = scope["method"]
        name = (method, getattr(scope.get("route"), "path", _NO_ROUTE), status)
        note = self._notes.get(name)
        if note is None:  # finding a labelled metric costs more than adding to it
            note = self._notes[name] = self._noting(*name)
        note(seconds)
        if (status >= 400 and name[1] != _READINESS) or method not in _READS:
            self._log.info("request", method=method, path=scope["path"], status=status, ms=round(seconds * 1000, 1))

    def _noting(self, method: str, route: str, status: int) -> Callable[[float], None]:
        count = self._metrics.http_requests.labels(method, route, str(status))
        timing = self._metrics.http_seconds.labels(method, route)

        def note(seconds: float) -> None:
            count.inc()
            timing.observe(seconds)

        return note
