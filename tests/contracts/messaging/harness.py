"""A service in miniature for the messaging contract: its topics, publisher, consumers and dead letters."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import orjson
from aiokafka import TopicPartition

from shared.cause import Cause
from shared.clock import RunningClock
from shared.durability.backoff import Backoff
from shared.envelope import Message
from shared.messaging.commands import Command, CommandSubscription
from shared.messaging.consumer import Consumer
from shared.messaging.consumer_context import ConsumerContext, Tuning
from shared.messaging.dead_letter_queue import DeadLetterQueue
from shared.messaging.publisher import Publisher, publish_all
from shared.messaging.subscription import Handler, Received, Subscribed, Subscription
from shared.messaging.transport import Transport
from shared.metrics import Metrics
from shared.schemas.results import Accepted
from shared.trace import Trace, new_id
from tests.support.messaging import MakeThing, MemoryLetters, Thing, registry
from tests.support.transport import messages_of, send_and_wait
from tests.support.waiting import eventually

QUICK = Tuning(transient=Backoff(0.02, 0.2), unexpected=Backoff(0.005, 0.02))


class Seen(list[str]):
    """A handler that keeps the ids, in the order in which they were handled."""

    async def take(self, received: Received[Thing]) -> None:
        self.append(received.message.id)


class Harness:
    """Topics of a suffix of its own; what it makes it stops."""

    def __init__(self, transport: Transport, suffix: str, partitions: int = 3) -> None:
        self.transport = transport
        self.suffix = suffix
        self.registry = registry(suffix, partitions)
        self.service = f"test{suffix}_svc"
        self.created = f"thing{suffix}.created"
        self.updated = f"thing{suffix}.updated"
        self.commands = f"thing{suffix}.commands"
        self.results = f"results{suffix}"
        self.clock = RunningClock()
        self.metrics = Metrics()
        self.letters = MemoryLetters()
        self.publisher = Publisher(transport, self.service, metrics=self.metrics)
        self.dead_letters = DeadLetterQueue(
            self.service,
            transport=transport,
            publisher=self.publisher,
            store=self.letters,
            clock=self.clock,
            metrics=self.metrics,
            registry=self.registry,
        )
        self._consumers: list[Consumer] = []

    async def start(self) -> None:
        await self.transport.create_topics(list(self.registry.values()))

    async def stop(self) -> None:
        await asyncio.gather(*(consumer.stop() for consumer in self._consumers))
        await self.publisher.stop()

    def consumer(self, subscription: Subscribed, tuning: Tuning = QUICK) -> Consumer:
        consumer = Consumer(self.transport, self.context(subscription, tuning))
        self._consumers.append(consumer)
        return consumer

    def context(self, subscription: Subscribed, tuning: Tuning = QUICK) -> ConsumerContext:
        return ConsumerContext(subscription, self.publisher, self.dead_letters, self.clock, self.metrics, tuning)

    def each(self, handle: Callable[[Received[Thing]], Awaitable[None]]) -> Handler[Thing]:
        return Handler(Thing, (self.created,), each=handle)

    def bulk(self, handle: Callable[[Sequence[Received[Thing]]], Awaitable[None]]) -> Handler[Thing]:
        return Handler(Thing, (self.created,), bulk=handle)

    async def consuming(self, handler: Handler[Thing], tuning: Tuning = QUICK, **options: Any) -> Consumer:
        """A started consumer of ``created`` events under the group ``<service>.things``."""
        consumer = self.consumer(self.subscription(handler, **options), tuning)
        await consumer.start()
        return consumer

    async def storing_dead_letters(self) -> Consumer:
        """The started consumer that stores the service's dead letters."""
        consumer = self.consumer(self.dead_letters.subscription())
        await consumer.start()
        return consumer

    def subscription(self, handler: Handler[Thing], purpose: str = "things", **options: Any) -> Subscription:
        return Subscription(f"{self.service}.{purpose}", handler, registry=self.registry, **options)

    def commanded(self, use_case: Callable[[MakeThing, Cause], Awaitable[Accepted]]) -> CommandSubscription:
        commands = [Command(MakeThing, use_case, "thing.make")]
        return CommandSubscription(self.commands, commands, registry=self.registry, results=self.results)

    def event(self, key: str, version: int = 1, data: bytes | None = None) -> Message:
        data = data if data is not None else orjson.dumps({"ThingId": key, "VersionId": version})
        return self._message(self.created, "thing.created", key, data, f"{key}:{version}")

    def command(self, key: str, command_id: str | None = None) -> Message:
        data = orjson.dumps({"ThingId": key})
        return self._message(self.commands, "MakeThing", key, data, command_id or new_id())

    def _message(self, topic: str, ce_type: str, key: str, data: bytes, message_id: str) -> Message:
        trace = Trace.begin(f"corr-{message_id}")
        return Message(topic, ce_type, key, data, "test", self.clock.now(), trace, id=message_id)

    async def send(self, *messages: Message) -> None:
        await publish_all(self.publisher, messages)

    async def send_raw(
        self,
        topic: str,
        value: bytes | None,
        headers: Sequence[tuple[str, bytes]] = (),
        key: bytes | None = b"k",
        partition: int | None = None,
    ) -> None:
        producer = self.transport.producer()
        await producer.start()
        try:
            await send_and_wait(producer, topic, value, key=key, partition=partition, headers=headers)
        finally:
            await producer.stop()

    async def read(self, topic: str) -> list[Message]:
        """Everything that lies in a topic now."""
        return await messages_of(self.transport, topic)

    async def committed(self, group: str = "things", topic: str | None = None) -> dict[TopicPartition, int]:
        """How far a group of the service has come in a topic (``created``), partitions never committed left out."""
        ends = await self.transport.end_offsets(topic or self.created)
        behind = await self.transport.lag(f"{self.service}.{group}")
        offsets = {place: end - behind[place] for place, end in ends.items() if place in behind}
        return {place: offset for place, offset in offsets.items() if offset}

    async def all_committed(self, count: int) -> None:
        """Returns when the group has committed so many records of ``created``."""
        await eventually(self.committed, lambda offsets: sum(offsets.values()) == count, f"{count} committed")
