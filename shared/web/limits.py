"""Owns how large a request's body may be; what is over the limit is answered 413 and never handled."""

from __future__ import annotations

from typing import Final

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.errors import TooLarge
from shared.web.answers import refusal_answer

__all__ = ["BODY_LIMIT", "BodyLimit"]

BODY_LIMIT: Final = 1_048_576


class BodyLimit:
    """Reads the whole body, whether its length is said or it comes in chunks, before the handler is called."""

    def __init__(self, app: ASGIApp, limit: int = BODY_LIMIT) -> None:
        self.app = app
        self.limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        length = self._announced(scope)
        if length is None:
            await self.app(scope, receive, send)
            return
        try:
            body = await self._read(receive) if length <= self.limit else None
        except ClientDisconnect:
            return
        if body is None:
            refused = TooLarge(f"the body is over {self.limit} bytes; send less, or several requests")
            await refusal_answer(refused, scope["path"])(scope, receive, send)
            return
        handed_over = False

        async def whole() -> Message:
            nonlocal handed_over
            if handed_over:
                return await receive()
            handed_over = True
            return {"type": "http.request", "body": body, "more_body": False}

        await self.app(scope, whole, send)

    @staticmethod
    def _announced(scope: Scope) -> int | None:
        """The length the request says; 0 when it says none but sends in chunks; None when it has no body."""
        length = None
        for name, value in scope["headers"]:
            if name == b"content-length":
                return int(value) if value.isdigit() else 0
            if name == b"transfer-encoding":
                length = 0
        return length

    async def _read(self, receive: Receive) -> bytes | None:
        """The body, or None when it is over the limit; never half of one, should the client go."""
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
