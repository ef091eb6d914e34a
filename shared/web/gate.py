"""Owns what a service answers that listens already and cannot work yet: 503, and what it waits for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

from shared.web.answers import problem_answer, problem_of

__all__ = ["Gate", "Gated"]

_ALWAYS: Final = frozenset({"/health/live", "/health/ready", "/metrics", "/openapi.json", "/asyncapi.json"})
_RETRY_AFTER: Final = 2


@dataclass(slots=True)
class Gate:
    """Open unless ``closed`` says what is waited for."""

    closed: str | None = None


class Gated:
    """Lets requests through an open gate; at a closed one only the kit's own pages answer."""

    def __init__(self, app: ASGIApp, gate: Gate) -> None:
        self.app = app
        self._gate = gate

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        closed = self._gate.closed
        if closed is None or scope["type"] != "http" or scope["path"] in _ALWAYS:
            await self.app(scope, receive, send)
            return
        problem = problem_of(503, "Unavailable", f"the service is not open yet: its store is {closed}", "unavailable")
        await problem_answer(problem, scope["path"], retry_after=_RETRY_AFTER)(scope, receive, send)
