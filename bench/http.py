"""A lean HTTP/1.1 client, keep-alive over asyncio's protocols, so that the client is never what is measured."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Final, cast

import orjson

HOST: Final = "127.0.0.1"
_END: Final = b"\r\n\r\n"
_LENGTH: Final = b"content-length:"


def encode(method: str, path: str, headers: Mapping[str, str] | None = None, body: bytes = b"") -> bytes:
    """A request as it goes over the wire."""
    lines = [f"{method} {path} HTTP/1.1", f"host: {HOST}"]
    if body:
        lines += ["content-type: application/json", f"content-length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    return "\r\n".join(lines).encode() + _END + body


class Connection(asyncio.Protocol):
    """One connection, one request at a time. The answer must say its length, as uvicorn's do for bytes."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._waiting: asyncio.Future[tuple[int, bytes]] | None = None
        self._held = b""
        self._wanted = -1
        self._status = 0

    @classmethod
    async def open(cls, port: int) -> Connection:
        _, protocol = await asyncio.get_running_loop().create_connection(cls, HOST, port)
        return protocol

    def ask(self, request: bytes) -> asyncio.Future[tuple[int, bytes]]:
        """The status and the body of the answer."""
        self._waiting = asyncio.get_running_loop().create_future()
        if self._transport is None:
            self._waiting.set_exception(EOFError("the connection is closed"))
        else:
            self._transport.write(request)
        return self._waiting

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_exception(EOFError(f"the server closed the connection: {exc}"))

    def data_received(self, data: bytes) -> None:
        self._held = self._held + data if self._held else data
        if self._wanted < 0:
            end = self._held.find(_END)
            if end < 0:
                return
            head = self._held[:end].lower()
            self._status = int(head[9:12])
            at = head.find(_LENGTH)
            length = head[at + len(_LENGTH) :].split(b"\r\n", 1)[0] if at >= 0 else b"0"
            self._wanted = end + len(_END) + int(length)
            self._begin = end + len(_END)
        if len(self._held) >= self._wanted:
            body, waiting = self._held[self._begin : self._wanted], self._waiting
            self._held, self._wanted = b"", -1
            if waiting is not None and not waiting.done():
                waiting.set_result((self._status, body))


async def call(
    port: int, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None
) -> tuple[int, bytes]:
    """One request on a connection of its own. OSError or EOFError when nobody answers."""
    connection = await Connection.open(port)
    try:
        raw = b"" if body is None else orjson.dumps(body)
        async with asyncio.timeout(30):
            return await connection.ask(encode(method, path, headers, raw))
    finally:
        connection.close()


async def call_json(
    port: int, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None
) -> Any:
    """The JSON of a 200. RuntimeError for anything else."""
    status, answer = await call(port, method, path, body, headers)
    if status != 200:
        raise RuntimeError(f"{method} {path} answered {status}: {answer[:500].decode(errors='replace')}")
    return orjson.loads(answer)
