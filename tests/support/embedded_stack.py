"""Services running whole in a test's own process, on the embedded log and stores, one replica or several."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

import httpx
import orjson
from aiokafka import TopicPartition

from epic.messages import TransportMessages
from epic.serving import open_transport
from shared.clock import Clock
from shared.envelope import Message
from shared.messaging.publisher import Publisher, publish_all
from shared.messaging.transport import Transport, ensure_topics
from shared.schemas.results import CommandResult
from shared.service import RunningService
from shared.settings import Settings
from shared.trace import Trace
from tests.support.clock import FixedClock
from tests.support.http import calling
from tests.support.snapshots import TopicBody, message
from tests.support.transport import messages_of
from tests.support.waiting import eventually, until

Build = Callable[[Settings, Transport, Clock], Awaitable[RunningService]]


@dataclass(eq=False)
class Replica:
    """One running process of a service, and how to call it."""

    service: RunningService
    http: httpx.AsyncClient
    life: AsyncExitStack

    async def get(self, path: str) -> Any:
        """The body, None where the answer is not 200."""
        answer = await self.http.get(path)
        return answer.json() if answer.status_code == 200 else None

    async def ready(self) -> Any:
        """What it says of its health, once it can do its work."""
        answer = await eventually(
            lambda: self.http.get("/health/ready"), lambda answer: answer.status_code == 200, "the replica is ready"
        )
        return answer.json()

    async def stop(self) -> None:
        await self.life.aclose()


@dataclass
class Stack:
    """The log, whoever else writes to it, and the replicas that run now."""

    settings: Settings
    transport: Transport
    publisher: Publisher
    clock: FixedClock
    replicas: list[Replica] = field(default_factory=list)

    async def start(self, build: Build) -> Replica:
        """One more replica, once it is ready."""
        life = AsyncExitStack()
        service = await build(self.settings, self.transport, self.clock)
        life.push_async_callback(service.stop)
        replica = Replica(service, await life.enter_async_context(calling(service.app)), life)
        self.replicas.append(replica)
        life.callback(self.replicas.remove, replica)
        await service.start()
        await replica.ready()
        return replica

    async def stop(self) -> None:
        for replica in self.replicas[::-1]:
            await replica.stop()

    async def say(self, *published: TopicBody) -> None:
        """What other services say."""
        await self.send(*(message(one, self.clock.now()) for one in published))

    async def send(self, *messages: Message) -> None:
        await publish_all(self.publisher, messages)

    def command(self, topic: str, ce_type: str, body: Mapping[str, Any], **more: Any) -> Message:
        key = next(str(body[name]) for name in ("FleetId", "ServiceId", "EventId", *body) if name in body)
        return Message(topic, ce_type, key, orjson.dumps(body), "tests", self.clock.now(), Trace.begin(), **more)

    async def ask(self, topic: str, ce_type: str, body: Mapping[str, Any], **more: Any) -> CommandResult:
        """Sends a command and waits for its answer."""
        command = self.command(topic, ce_type, body, **more)
        return await TransportMessages(self.transport, "the log").request(command, patience=180)

    async def published(self, topic: str) -> list[Message]:
        """Everything on a topic, once all that was written is published."""
        await self._publish_all()
        return await messages_of(self.transport, topic)

    async def settled(self, *, seconds: float = 180) -> None:
        """Returns when the replicas have taken in all that was published to them, and all that followed from it."""
        await until(self._at_rest, "all that was published is taken in", seconds=seconds)

    async def _at_rest(self) -> bool:
        """Whoever has taken a record in has written what follows before committing; told, it would move the ends."""
        groups = {
            consumer.subscription.group: consumer.subscription.topics
            for replica in self.replicas
            for consumer in replica.service.consumers
        }
        ends = await self._ends(groups)
        for group in groups:
            behind = await self.transport.lag(group)
            if any(behind.get(partition, end) for partition, end in ends[group].items()):
                return False
        await self._publish_all()
        return ends == await self._ends(groups)

    async def _ends(self, groups: Mapping[str, Iterable[str]]) -> dict[str, dict[TopicPartition, int]]:
        return {
            group: {at: end for topic in topics for at, end in (await self.transport.end_offsets(topic)).items()}
            for group, topics in groups.items()
        }

    async def _publish_all(self) -> None:
        for replica in self.replicas:
            await replica.service.store.drain()


S = TypeVar("S", bound=Stack)


@asynccontextmanager
async def open_stack(kind: type[S], settings: Settings, clock: FixedClock) -> AsyncIterator[S]:
    """A log with every topic on it; no service runs yet, those that do at the end are stopped."""
    async with AsyncExitStack() as life:
        transport = open_transport(settings)
        await transport.start()
        life.push_async_callback(transport.stop)
        await ensure_topics(transport)
        publisher = Publisher(transport, "tests")
        life.push_async_callback(publisher.stop)
        stack = kind(settings, transport, publisher, clock)
        life.push_async_callback(stack.stop)
        yield stack
