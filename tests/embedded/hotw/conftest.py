"""Owns hotw_svc running in a test's own process, one replica or several, on the embedded log and store."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import httpx
import orjson
import pytest

from services.hotw_svc.bootstrap import build
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
from tests.contracts.hotw.company import (
    AZ_FACTORS,
    EVENT,
    FLEET,
    NOW,
    SERVICE,
    event_body,
    fleet_body,
    inventory_body,
    projection_body,
    service_body,
)
from tests.doubles.http import calling

T = TypeVar("T")


async def eventually(look: Callable[[], Awaitable[T]], holds: Callable[[T], Any], seconds: float = 60) -> T:
    """Looks until it holds; fails with what was seen last."""
    deadline = time.monotonic() + seconds
    while not holds(seen := await look()):
        assert time.monotonic() < deadline, f"last seen: {seen!r}"[:2000]
        await asyncio.sleep(0.02)
    return seen


@dataclass
class Replica:
    """One running hotw_svc, and how to call it."""

    service: RunningService
    http: httpx.AsyncClient
    life: AsyncExitStack

    async def get(self, path: str) -> Any:
        answer = await self.http.get(path)
        return answer.json() if answer.status_code == 200 else None

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
        await eventually(lambda: replica.http.get("/health/ready"), lambda answer: answer.status_code == 200)
        return replica

    async def say(self, topic: str, key: str, body: Mapping[str, Any]) -> None:
        """What another service says."""
        data, version = orjson.dumps(body), body.get("VersionId", body.get("AsOf"))
        message = Message(
            topic, topic, key, data, "others", self.clock.now(), Trace.begin(), id=f"{key}:{version}:{topic}"
        )
        await publish_all(self.publisher, [message])

    async def company(self) -> None:
        """The reference's event, service, fleet, projection and inventory, as their owners publish them."""
        await self.say("event.created", EVENT, event_body())
        await self.say("service.created", SERVICE, service_body())
        await self.say("fleet.created", FLEET, fleet_body())
        await self.say("projection.created", f"{FLEET}#{EVENT}#Peak", projection_body())
        await self.say("fleet.inventory.reported", FLEET, inventory_body())

    async def ask(self, ce_type: str, key: str, body: dict[str, Any], **more: Any) -> CommandResult:
        """A command, and its answer."""
        data = orjson.dumps(body)
        command = Message("hotw.commands", ce_type, key, data, "tests", self.clock.now(), Trace.begin(), **more)
        return await request(self.transport, command, publisher=self.publisher)

    async def told(self, topic: str) -> list[Message]:
        """Everything on a topic, once all that was written is published."""
        for replica in self.replicas:
            await replica.service.store.drain()
        return [one async for one in follow(self.transport, topic, to_end=True)]


@pytest.fixture
async def stack(tmp_path: Path) -> AsyncIterator[Stack]:
    settings = load_settings({}, data_dir=tmp_path, az_factor_map=AZ_FACTORS)
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
