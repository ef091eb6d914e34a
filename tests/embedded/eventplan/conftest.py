"""Owns eventplan_svc running in a test's own process, one replica or several, on the embedded log and store."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import httpx
import orjson
import pytest

from services.eventplan_svc.bootstrap import build
from shared.clock import FixedClock
from shared.messaging.blocking import follow, request
from shared.messaging.envelope import Message
from shared.messaging.publisher import Publisher, publish_all
from shared.messaging.topics import ensure_topics
from shared.messaging.transport.contract import Transport
from shared.schemas.results import CommandResult
from shared.service import RunningService, open_transport
from shared.settings import Settings, load_settings
from shared.trace import Trace
from tests.doubles.http import calling
from tests.unit.eventplan_app.world import NOW, Said, message

T = TypeVar("T")


async def eventually(look: Callable[[], Awaitable[T]], holds: Callable[[T], Any], seconds: float = 30) -> T:
    """Looks until it holds; fails with what was seen last."""
    deadline = time.monotonic() + seconds
    while not holds(seen := await look()):
        assert time.monotonic() < deadline, f"last seen: {seen!r}"[:2000]
        await asyncio.sleep(0.02)
    return seen


@dataclass
class Replica:
    """One running eventplan_svc, and how to call it."""

    service: RunningService
    http: httpx.AsyncClient
    life: AsyncExitStack

    async def get(self, path: str) -> Any:
        answer = await self.http.get(path)
        return answer.json() if answer.status_code == 200 else None

    async def dashboard(self, **body: Any) -> Any:
        answer = await self.http.put("/event/PD2024/dashboard", json=body)
        return answer.json() if answer.status_code == 200 else None

    async def ready(self) -> None:
        await eventually(lambda: self.http.get("/health/ready"), lambda answer: answer.status_code == 200)

    async def stop(self) -> None:
        await self.life.aclose()


@dataclass
class Stack:
    """The log, whoever else writes to it, and the replicas."""

    settings: Settings
    transport: Transport
    publisher: Publisher
    clock: FixedClock
    replicas: list[Replica] = field(default_factory=list)

    async def replica(self) -> Replica:
        """Starts one more, and waits until it is ready."""
        life = AsyncExitStack()
        service = await build(self.settings, self.transport, self.clock)
        life.push_async_callback(service.stop)
        await service.start()
        replica = Replica(service, await life.enter_async_context(calling(service.app)), life)
        self.replicas.append(replica)
        await replica.ready()
        return replica

    async def say(self, *said: Said) -> None:
        """What other services say."""
        await publish_all(self.publisher, [message(one) for one in said])

    async def ask(self, ce_type: str, body: dict[str, Any], **more: Any) -> CommandResult:
        data = orjson.dumps(body)
        command = Message(
            "eventplan.commands", ce_type, body["FleetId"], data, "tests", self.clock.now(), Trace.begin(), **more
        )
        return await request(self.transport, command, publisher=self.publisher)

    async def told(self, topic: str) -> list[Message]:
        """Everything on a topic, once all that was written is published."""
        for replica in self.replicas:
            await replica.service.store.drain()
        return [one async for one in follow(self.transport, topic, to_end=True)]


@pytest.fixture
async def stack(tmp_path: Path) -> AsyncIterator[Stack]:
    settings = load_settings({}, data_dir=tmp_path)
    transport = open_transport(settings)
    await transport.start()
    await ensure_topics(transport)
    publisher = Publisher(transport, "tests")
    stack = Stack(settings, transport, publisher, FixedClock(NOW))
    yield stack
    for replica in stack.replicas:
        await replica.stop()
    await publisher.stop()
    await transport.stop()
