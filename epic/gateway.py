"""The one address of all five services in one process: each request goes to the service that its path belongs to."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Final

import orjson
from fastapi import FastAPI
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from epic.routes import RouteTable, routes_of

_PROBLEM: Final = b"application/problem+json"


class Gateway:
    """A pure ASGI application.

    ``/{service}/…`` are a service's own pages, ``/health/ready`` is the sum of all, ``extra`` adds apps by their first
    word (``embedded``); every other path goes where the services' own routes say.
    """

    def __init__(self, apps: Mapping[str, FastAPI], extra: Mapping[str, ASGIApp] | None = None) -> None:
        self._apps = dict(apps)
        self._extra = dict(extra or {})
        self._table = RouteTable(routes_of(apps))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path: str = scope["path"]
        word, _, rest = path.removeprefix("/").partition("/")
        if word in self._apps:
            await self._apps[word](_below(scope, word, rest), receive, send)
        elif word in self._extra:
            await self._extra[word](scope, receive, send)
        elif service := self._table.service_of(path):
            await self._apps[service](scope, receive, send)
        else:
            await self._own(scope, send)

    async def _own(self, scope: Scope, send: Send) -> None:
        path = scope["path"].rstrip("/")
        if path == "/health/live":
            await _answer(send, 200, {"Status": "Alive"})
        elif path == "/health/ready":
            status, body = await self.readiness()
            await _answer(send, status, body)
        elif not path:
            await _answer(send, 200, self._index())
        else:
            body = {
                "type": "urn:epic:problem:no-such-path",
                "title": "Not found",
                "status": 404,
                "detail": f"no service answers {path}; GET / lists what there is",
                "instance": path,
            }
            await _answer(send, 404, body, _PROBLEM)

    async def readiness(self) -> tuple[int, dict[str, Any]]:
        """200 when every service is ready, else 503, with what each says of itself."""
        bodies = await asyncio.gather(*(_get(app, "/health/ready") for app in self._apps.values()))
        answers = dict(zip(self._apps, bodies, strict=True))
        ready = all(status == 200 for status, _ in answers.values())
        services = {name: body for name, (_, body) in answers.items()}
        return (200 if ready else 503), {"Status": "Ready" if ready else "Unready", "Services": services}

    def _index(self) -> dict[str, Any]:
        pages = ("openapi.json", "asyncapi.json", "health/ready", "metrics", "dlq")
        return {
            "Health": "/health/ready",
            "Services": {name: {page: f"/{name}/{page}" for page in pages} for name in self._apps},
        }


def _below(scope: Scope, word: str, rest: str) -> Scope:
    """The scope a service sees of its own page: the path without the service's name, as behind nginx."""
    raw = scope.get("raw_path")
    inner = dict(scope, path="/" + rest)
    if raw is not None:
        inner["raw_path"] = raw[len(word) + 1 :] or b"/"
    return inner


async def _get(app: ASGIApp, path: str) -> tuple[int, Any]:
    """What an application answers to a GET, in this process."""
    scope: Scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": b"",
        "headers": [],
        "client": ("127.0.0.1", 0),
        "server": ("127.0.0.1", 0),
        "state": {},
    }
    status, chunks = 500, [b""]

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        nonlocal status
        if message["type"] == "http.response.start":
            status = message["status"]
        elif message["type"] == "http.response.body":
            chunks.append(message.get("body", b""))

    await app(scope, receive, send)
    try:
        return status, orjson.loads(b"".join(chunks))
    except orjson.JSONDecodeError:
        return status, None


async def _answer(send: Send, status: int, body: Any, content_type: bytes = b"application/json") -> None:
    data = orjson.dumps(body)
    headers = [(b"content-type", content_type), (b"content-length", str(len(data)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": data})
