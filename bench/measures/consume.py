"""Measures typed at-least-once consumption on a real Kafka, the use case doing nothing.

The floor: plain aiokafka, ``getmany``, the same pydantic model for every record, one commit a fetch. Beside it plain
FastStream as one writes it: a subscriber of one message with ``AckPolicy.ACK``, on a tenth of the events, since it is
that much slower. All of them read the same topic whole under a group of their own and end with their offsets committed.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

import orjson
from aiokafka import AIOKafkaConsumer
from faststream import AckPolicy
from faststream.kafka import KafkaBroker

from bench.figure import Bench, Figure, at_least
from bench.rounds import alternate
from bench.stage import Stage
from epic.serving import quiet_collector
from shared.clock import RunningClock
from shared.envelope import Message
from shared.messaging.consumer import Consumer
from shared.messaging.consumer_context import ConsumerContext
from shared.messaging.dead_letter_queue import DeadLetterQueue
from shared.messaging.kafka import KafkaTransport
from shared.messaging.publisher import Publisher, publish_all
from shared.messaging.subscription import Handler, Received, Subscription
from shared.metrics import Metrics
from shared.schemas.fleet_svc.projection import ProjectionSnapshot
from shared.schemas.results import DeadLetter
from shared.schemas.topics import MessageType, Topic
from shared.trace import Trace, new_id

_EVENTS: Final = 100_000
_PARTITIONS: Final = 12
_TYPE: Final = "projection.updated"
_TOPIC: Final = "bench.projection"
_FILL: Final = 5_000
_PATIENCE: Final = 300


class NoStore:
    """Dead letters nobody expects."""

    async def put(self, letter: DeadLetter) -> None:
        raise AssertionError(f"a dead letter: {letter.reason}")

    async def get(self, letter_id: str) -> DeadLetter | None:
        return None

    async def list(self, after: str | None = None, limit: int = 100) -> list[DeadLetter]:
        return []

    async def delete(self, letter_id: str) -> bool:
        return False


class Rig:
    """A filled topic, and how each side consumes it: events a second."""

    def __init__(self, bootstrap: str, transport: KafkaTransport, events: int) -> None:
        self.bootstrap = bootstrap
        self.transport = transport
        self.events = events
        kind = MessageType(_TYPE, ProjectionSnapshot, "")
        self.registry = {_TOPIC: Topic(_TOPIC, _PARTITIONS, messages=(kind,), owner="bench")}
        self.few = max(1, events // 10)
        self._seen = 0
        self._wanted = 0
        self._done = asyncio.Event()

    async def fill(self) -> None:
        await self.transport.create_topics(list(self.registry.values()))
        publisher = Publisher(self.transport, "bench")
        for first in range(0, self.events, _FILL):
            await publish_all(publisher, [_event(n) for n in range(first, min(first + _FILL, self.events))])
        await publisher.stop()

    def _saw(self, count: int) -> None:
        self._seen += count
        if self._seen >= self._wanted:
            self._done.set()

    def _begin(self, wanted: int) -> None:
        self._seen, self._wanted, self._done = 0, wanted, asyncio.Event()

    async def floor(self) -> dict[str, float]:
        self._begin(self.events)
        consumer = AIOKafkaConsumer(
            _TOPIC,
            bootstrap_servers=self.bootstrap,
            group_id=new_id(),
            enable_auto_commit=False,
            auto_offset_reset="earliest",
        )
        await consumer.start()
        began = time.perf_counter()
        while self._seen < self.events:
            for records in (await consumer.getmany(timeout_ms=1_000)).values():
                for record in records:
                    ProjectionSnapshot.model_validate_json(record.value)
                    self._seen += 1
            await consumer.commit()
        seconds = time.perf_counter() - began
        await consumer.stop()
        return {"rate": self.events / seconds}

    async def kit_each(self) -> dict[str, float]:
        async def nothing(received: Received[ProjectionSnapshot]) -> None:
            self._saw(1)

        return await self._kit(Handler(ProjectionSnapshot, (_TOPIC,), each=nothing))

    async def kit_bulk(self) -> dict[str, float]:
        async def nothing(received: Sequence[Received[ProjectionSnapshot]]) -> None:
            self._saw(len(received))

        return await self._kit(Handler(ProjectionSnapshot, (_TOPIC,), bulk=nothing))

    async def _kit(self, handler: Handler[ProjectionSnapshot]) -> dict[str, float]:
        self._begin(self.events)
        metrics, clock = Metrics(), RunningClock()
        publisher = Publisher(self.transport, "bench")
        dead_letters = DeadLetterQueue(
            "bench", transport=self.transport, publisher=publisher, store=NoStore(), clock=clock, metrics=metrics
        )
        subscription = Subscription(new_id(), handler, registry=self.registry)
        consumer = Consumer(self.transport, ConsumerContext(subscription, publisher, dead_letters, clock, metrics))
        await consumer.start()
        began = time.perf_counter()
        async with asyncio.timeout(_PATIENCE):
            await self._done.wait()
            await consumer._idle.wait()  # until the last batch is committed
        seconds = time.perf_counter() - began
        await consumer.stop()
        return {"rate": self.events / seconds}

    async def faststream(self) -> dict[str, float]:
        self._begin(self.few)
        broker = KafkaBroker(self.bootstrap, logger=None)

        @broker.subscriber(_TOPIC, group_id=new_id(), ack_policy=AckPolicy.ACK, auto_offset_reset="earliest")
        async def nothing(projection: ProjectionSnapshot) -> None:
            self._saw(1)

        await broker.start()
        began = time.perf_counter()
        async with asyncio.timeout(_PATIENCE):
            await self._done.wait()
        seconds = time.perf_counter() - began
        await broker.stop()
        return {"rate": self.few / seconds}


def _event(number: int) -> Message:
    fleet, event = f"FORTRESSService-NA-X{number}", "PD2024"
    data = {
        "ProjectionId": f"{fleet}#{event}#Peak",
        "VersionId": 3,
        "FleetId": fleet,
        "EventId": event,
        "ProjectionType": "Peak",
        "TotalInputTPM": 50000,
        "IsVerifiedByOwner": True,
        "CloudTuneProjection": 48000,
        "ManualOverride": 50000,
        "ProjectionSource": "Manual",
        "UpstreamProjections": [{"UpstreamServiceId": "OrderService", "UpstreamTPM": 20000, "IsVerified": True}],
        "AuditMetadata": {"Message": "load", "User": "jsmith", "Timestamp": "2024-06-01T10:00:00.000Z"},
    }
    key = str(data["ProjectionId"])
    return Message(_TOPIC, _TYPE, key, orjson.dumps(data), "bench", datetime.now(UTC), Trace.begin())


async def measure(stage: Stage) -> list[Figure]:
    on = await stage.servers("kafka")
    transport = KafkaTransport(on.kafka)
    await transport.start()
    try:
        rig = Rig(on.kafka, transport, stage.scale.of(_EVENTS))
        await rig.fill()
        quiet_collector()
        floor, one, many, plain = await alternate(stage.scale, rig.floor, rig.kit_each, rig.kit_bulk, rig.faststream)
    finally:
        await transport.stop()
    by_hand, by_faststream = "aiokafka getmany, pydantic, a commit a fetch", "FastStream a message, AckPolicy.ACK"
    return [
        Figure("consumption, record by record", by_hand, "events/s", one["rate"], floor["rate"], at_least(0.85)),
        Figure("consumption, in bulk", by_hand, "events/s", many["rate"], floor["rate"], at_least(0.85)),
        Figure("consumption, record by record", by_faststream, "events/s", one["rate"], plain["rate"], at_least(25)),
    ]


BENCH: Final = Bench("consume", "typed at-least-once consumption of 100,000 events", measure)
