"""Settles batches as a consumer does, on a broker and a dead letter store in memory."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from shared.cause import Cause
from shared.durability.backoff import Backoff
from shared.durability.failures import StopLimit
from shared.envelope import Record
from shared.messaging.commands import Command, CommandSubscription
from shared.messaging.consumer_context import ConsumerContext, Release, ReleaseReason, Tuning
from shared.messaging.dead_letter_queue import DeadLetterQueue
from shared.messaging.publisher import Publisher
from shared.messaging.settlement import Settlement
from shared.messaging.subscription import Handler, Received, Subscribed, Subscription
from shared.metrics import Metrics
from shared.schemas.results import Accepted, CommandResult
from tests.support.clock import FixedClock
from tests.support.messaging import NOW, MakeThing, MemoryBroker, MemoryLetters, Thing, record_of, registry

AT_ONCE = Backoff(0.001, 0.001)
Handle = Callable[[Received[Thing]], Awaitable[None]]


class Harness:
    """Settles one batch after another; the broker in memory holds what was published."""

    def __init__(self) -> None:
        self.broker = MemoryBroker()
        self.letters = MemoryLetters()
        self.metrics = Metrics()
        self.registry = registry()
        self.limit = StopLimit()
        self.publisher = Publisher(self.broker.transport, "test_svc")
        self.settlement: Settlement | None = None

    def context(self, subscription: Subscribed, concurrency: int = 8) -> ConsumerContext:
        clock = FixedClock(NOW)
        dead_letters = DeadLetterQueue(
            "test_svc",
            transport=self.broker.transport,
            publisher=self.publisher,
            store=self.letters,
            clock=clock,
            metrics=self.metrics,
            registry=self.registry,
        )
        tuning = Tuning(concurrency=concurrency, transient=AT_ONCE, unexpected=AT_ONCE)
        return ConsumerContext(subscription, self.publisher, dead_letters, clock, self.metrics, tuning, self.limit)

    async def settle(
        self,
        subscription: Subscribed,
        records: Sequence[Record],
        *,
        release: Release | None = None,
        concurrency: int = 8,
    ) -> ReleaseReason | None:
        self.settlement = Settlement(
            self.context(subscription, concurrency), records, release or Release(time.monotonic() + 30)
        )
        return await self.settlement.run()

    def each(self, handle: Handle) -> Subscription:
        handler = Handler(Thing, ("thing.created", "thing.updated"), each=handle)
        return Subscription("test_svc.things", handler, registry=self.registry)

    def bulk(self, handle: Callable[[Sequence[Received[Thing]]], Awaitable[None]]) -> Subscription:
        return Subscription("test_svc.things", Handler(Thing, ("thing.created",), bulk=handle), registry=self.registry)

    def commands(self, use_case: Callable[[MakeThing, Cause], Awaitable[Accepted]]) -> CommandSubscription:
        command = Command(MakeThing, use_case, "thing.make")
        return CommandSubscription("thing.commands", [command], registry=self.registry, results="results")

    def dead_letters(self) -> list[dict[str, Any]]:
        return [message.body() for message in self.broker.sent if message.topic == "test_svc.dlq"]

    def answers(self) -> list[CommandResult]:
        answers = [message for message in self.broker.sent if message.topic == "results"]
        return [CommandResult.model_validate(message.body()) for message in answers]

    def resume_at(self) -> dict[tuple[str, int], int]:
        assert self.settlement is not None
        return {(place.topic, place.partition): offset for place, offset in self.settlement.offsets().items()}


def batch(*messages: Any, partition: int = 0) -> list[Any]:
    return [record_of(message, offset, partition) for offset, message in enumerate(messages)]
