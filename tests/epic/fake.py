"""A stand-in for EPIC's HTTP: it answers what a test gives it, and remembers what it was asked."""

from __future__ import annotations

import asyncio
import base64
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import orjson
import pytest
from aiohttp import web


@dataclass(frozen=True)
class Asked:
    method: str
    path: str
    body: Any
    headers: dict[str, str]


def accepted(asked: Asked) -> tuple[int, Any]:
    """EPIC's answer to a write that it accepts: of a resource, of a message, or of a dead letter."""
    if asked.path == "/embedded/produce":
        return 200, {"Id": base64.b64decode(dict(asked.body["Headers"])["ce_id"]).decode()}
    place = asked.path.split("/")
    if place[2:3] == ["dlq"]:
        return 200, {"Id": place[3], "Outcome": "Replayed"}
    ids = {"FleetId": place[2]} if place[-1] == "inventory" else {"ProjectionType": "TPM", "TicketId": "1"}
    return 200, {**ids, **(asked.body or {}), "VersionId": 1}


def problem(status: int, detail: str, slug: str = "refused", **more: Any) -> tuple[int, Any]:
    return status, {"type": f"urn:epic:problem:{slug}", "title": "x", "status": status, "detail": detail, **more}


@dataclass
class FakeEpic:
    """``answer`` decides on each request: (status, body) or (status, body, headers).

    A text as body is CSV. The rows of a bulk job come as a list.
    """

    answer: Callable[[Asked], tuple[Any, ...]] = accepted
    asked: list[Asked] = field(default_factory=list)
    url: str = ""

    async def _handle(self, request: web.Request) -> web.Response:
        raw = await request.read()
        given: Any
        if request.content_type == "application/x-ndjson":
            given = [orjson.loads(line) for line in raw.splitlines()]
        else:
            given = orjson.loads(raw) if raw else None
        asked = Asked(request.method, request.path_qs, given, dict(request.headers))
        self.asked.append(asked)
        status, body, *headers = self.answer(asked)
        if isinstance(body, str):
            return web.Response(status=status, text=body, content_type="text/csv")
        return web.Response(
            status=status,
            body=orjson.dumps(body),
            content_type="application/x-ndjson" if request.path == "/embedded/tail" else "application/json",
            headers=headers[0] if headers else None,
        )

    @asynccontextmanager
    async def running(self) -> AsyncIterator[FakeEpic]:
        app = web.Application(client_max_size=2**24)
        app.router.add_route("*", "/{rest:.*}", self._handle)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0][:2]
        self.url = f"http://{host}:{port}"
        try:
            yield self
        finally:
            await runner.cleanup()


@pytest.fixture
def epic() -> Iterator[FakeEpic]:
    """A fake EPIC on an event loop of its own: commands bring theirs."""
    fake, ready, loop = FakeEpic(), threading.Event(), asyncio.new_event_loop()
    end = asyncio.Event()

    async def live() -> None:
        async with fake.running():
            ready.set()
            await end.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(live(),))
    thread.start()
    assert ready.wait(60)
    yield fake
    loop.call_soon_threadsafe(end.set)
    thread.join(60)
    loop.close()
