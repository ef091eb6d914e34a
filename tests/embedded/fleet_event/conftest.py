"""Owns fleet_svc and event_svc running for a test in its own process, on the embedded log and stores."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest

from services.event_svc.bootstrap import build as build_event
from services.fleet_svc.bootstrap import build as build_fleet
from shared.clock import FixedClock
from shared.messaging.blocking import follow, request
from shared.messaging.envelope import Message
from shared.messaging.publisher import Publisher, publish_all
from shared.messaging.transport.contract import Transport
from shared.schemas.results import CommandResult
from shared.service import RunningService, open_transport
from shared.settings import Settings, load_settings
from shared.trace import Trace
from tests.doubles.http import calling


@dataclass
class Stack:
    """Both services; ``fleet`` and ``event`` call them over HTTP."""

    transport: Transport
    publisher: Publisher
    clock: FixedClock
    services: dict[str, RunningService]
    fleet: httpx.AsyncClient
    event: httpx.AsyncClient

    async def at_rest(self) -> None:
        """Returns when everything written so far is published."""
        for service in self.services.values():
            await service.store.drain()

    async def messages(self, topic: str) -> list[Message]:
        """Everything on a topic, once all that was written is published."""
        await self.at_rest()
        return [message async for message in follow(self.transport, topic, to_end=True)]

    def command(self, topic: str, ce_type: str, body: Mapping[str, Any], **more: Any) -> Message:
        key = str(body.get("FleetId") or body.get("ServiceId") or body.get("EventId"))
        data = orjson.dumps(body)
        return Message(topic, ce_type, key, data, "tests", self.clock.now(), Trace.begin(), **more)

    async def ask(self, topic: str, ce_type: str, body: Mapping[str, Any], **more: Any) -> CommandResult:
        """Sends a command and waits for its answer."""
        return await request(self.transport, self.command(topic, ce_type, body, **more), publisher=self.publisher)

    async def send(self, *messages: Message) -> None:
        await publish_all(self.publisher, messages)


Start = Callable[[], Any]


@asynccontextmanager
async def running(settings: Settings, clock: FixedClock) -> AsyncIterator[Stack]:
    async with AsyncExitStack() as stack:
        transport = open_transport(settings)
        await transport.start()
        stack.push_async_callback(transport.stop)
        services = {}
        for name, build in (("event_svc", build_event), ("fleet_svc", build_fleet)):
            services[name] = await build(settings, transport, clock)
            stack.push_async_callback(services[name].stop)
            await services[name].start()
        publisher = Publisher(transport, "tests")
        stack.push_async_callback(publisher.stop)
        fleet = await stack.enter_async_context(calling(services["fleet_svc"].app))
        event = await stack.enter_async_context(calling(services["event_svc"].app))
        yield Stack(transport, publisher, clock, services, fleet, event)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings({}, data_dir=tmp_path)


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock("2024-06-15T09:00:00Z")


@pytest.fixture
async def stack(settings: Settings, clock: FixedClock) -> AsyncIterator[Stack]:
    async with running(settings, clock) as stack:
        yield stack
