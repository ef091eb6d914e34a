"""Owns the ids of a request: taken from its headers or made, bound for every effect and log line, and given back."""

from __future__ import annotations

import random
import re
from typing import Final

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.trace import Trace, bind_trace

__all__ = ["Correlation"]

_CORRELATION: Final = re.compile(rb"[\x21-\x7e]{1,128}")
_bits: Final = random.Random().getrandbits  # asking the kernel for each request's ids is a tenth of its cost
_TRACEPARENT: Final = re.compile(rb"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")


class Correlation:
    """``X-Correlation-Id`` and ``traceparent`` of the caller hold where they are well formed; else new ones begin.

    Log lines carry the service's name as well: the server gives each request a context of its own.
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
            elif name == b"traceparent" and _TRACEPARENT.fullmatch(value):
                parent = value.decode()
        if parent is None and scope["method"] != "GET":  # a GET has no effects that a trace would have to follow
            parent = f"00-{_bits(128):032x}-{_bits(64):016x}-01"
        trace = Trace(correlation or f"{_bits(128):032x}", None, parent)
        given_back = (b"x-correlation-id", trace.correlation_id.encode())

        async def tagged(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), given_back]
            await send(message)

        with bind_trace(trace):
            structlog.contextvars.bind_contextvars(service=self.service)
            await self.app(scope, receive, tagged)
