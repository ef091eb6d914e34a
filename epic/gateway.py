"""The one address of all five services in one process: each request goes to the service that its path belongs to."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Final

import orjson
from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from epic.openapi import joined
from epic.routes import patterns_of, routes_of
from shared.metrics import Metrics
from shared.schemas.base import BODY_LIMIT
from shared.schemas.operation import Index, InterfaceDocument, Liveness, ReadinessOfAll
from shared.web import ALIVE, Routes, json_response, page, routed_app
from shared.web.openapi import openapi
from shared.web.protection import Protection

_BODY_LIMIT: Final = 2 * BODY_LIMIT  # a record to be produced has a command's body in base64, which is a third larger


class Gateway:
    """A pure ASGI application.

    ``/{service}/…`` are a service's own pages, ``/health/ready`` is the sum of all, ``extra`` are more routes of the
    gateway's own, which its document leaves out; every other path goes where the services' own routes say. The services
    protect themselves, ``protection`` is for the gateway's own routes.
    """

    def __init__(
        self,
        apps: Mapping[str, FastAPI],
        extra: Sequence[Routes] = (),
        *,
        protection: Protection | None = None,
    ) -> None:
        self._apps = dict(apps)
        self._patterns = [(re.compile(pattern), service) for pattern, service in patterns_of(routes_of(apps))]
        own = Routes("gateway", "The address of all five services.")
        get = partial(own.add, "GET", action="contracts.read")
        get("/", page(self._index), operation_id="getIndex", summary="What there is", response=Index)
        summary = "The API of all five services"
        get("/openapi.json", self._openapi, operation_id="getOpenApi", summary=summary, response=InterfaceDocument)
        health, live = partial(own.add, "GET", action="health.read"), page(lambda: ALIVE)
        health("/health/live", live, operation_id="getLiveness", summary="Is the process alive", response=Liveness)
        summary, also = "Is every service ready", {503: ReadinessOfAll}
        answer: dict[str, Any] = {"response": ReadinessOfAll, "also": also}
        health("/health/ready", self._ready, operation_id="getReadiness", summary=summary, **answer)
        self._document = openapi("gateway", "All five services behind one address.", {own.tag: own.operations})
        limits: dict[str, Any] = {"protection": protection or Protection(), "body_limit": _BODY_LIMIT}
        self._own = routed_app("gateway", [own, *extra], Metrics(), index="GET /", **limits)

    def service_of(self, path: str) -> str | None:
        """The service that a path belongs to; None when its first word is nobody's."""
        return next((service for pattern, service in self._patterns if pattern.match(path)), None)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path: str = scope["path"]
        word, _, rest = path.removeprefix("/").partition("/")
        if word in self._apps:
            await self._apps[word](_below(scope, word, rest), receive, send)
        else:
            service = self.service_of(path)
            await (self._apps[service] if service else self._own)(scope, receive, send)

    async def _ready(self, _: Request) -> Response:
        """200 when every service is ready, else 503, with what each says of itself."""
        answers = await asyncio.gather(*(_get(app, "/health/ready") for app in self._apps.values()))
        ready = all(status == 200 for status, _ in answers)
        services = {name: body for name, (_, body) in zip(self._apps, answers, strict=True)}
        body = {"Status": "Ready" if ready else "Unready", "Services": services}
        return json_response(body, status=200 if ready else 503)

    async def _openapi(self, request: Request) -> Response:
        """The services' documents and the gateway's own in one."""
        host = request.headers["host"]
        answers = await asyncio.gather(*(_get(app, "/openapi.json", host) for app in self._apps.values()))
        services = {name: document for name, (_, document) in zip(self._apps, answers, strict=True)}
        return json_response(joined(self._document, services))

    def _index(self) -> dict[str, Any]:
        pages = ("openapi.json", "asyncapi.json", "health/ready", "metrics", "dlq")
        return {
            "Health": "/health/ready",
            "OpenApi": "/openapi.json",
            "Services": {name: {page: f"/{name}/{page}" for page in pages} for name in self._apps},
        }


def _below(scope: Scope, word: str, rest: str) -> Scope:
    """The scope a service sees of its own page: the path without the service's name, as behind nginx."""
    raw = scope.get("raw_path")
    inner = dict(scope, path="/" + rest)
    if raw is not None:
        inner["raw_path"] = raw[len(word) + 1 :] or b"/"
    return inner


async def _get(app: ASGIApp, path: str, host: str | None = None) -> tuple[int, Any]:
    """What an application of this process answers to a GET: the status and the JSON."""
    status, body = 500, b""

    async def receive() -> Message:
        return {"type": "http.request"}

    async def send(message: Message) -> None:
        nonlocal status, body
        status = message.get("status", status)
        body += message.get("body", b"")

    headers = [] if host is None else [(b"host", host.encode())]
    scope = {"type": "http", "method": "GET", "path": path, "query_string": b"", "headers": headers}
    await app(scope, receive, send)
    return status, orjson.loads(body)
