"""Measures typed at-least-once consumption by the kit against plain aiokafka and plain FastStream, on a real Kafka.

    python -m bench.consume [--events 100000] [--rounds 5] [--kafka 127.0.0.1:9092]

Every contender validates each event with the same pydantic model, has a use case that does nothing, and ends with its
offsets committed. Rounds take turns, so that a slow minute of the machine hits all alike. Printed are the least, median
and largest rate of the rounds, the median of each round's ratio to plain aiokafka, and the least processor time per
event, which a busy machine disturbs less. Without ``--kafka`` one is started in Docker. FastStream per message is
measured on a tenth of the events: it is that much slower.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import logging
import statistics
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime

import orjson
import structlog
from aiokafka import AIOKafkaConsumer
from faststream import AckPolicy
from faststream.kafka import KafkaBroker

from shared.clock import RunningClock
from shared.messaging.consumer import Consumer
from shared.messaging.deadletters import DeadLetters
from shared.messaging.envelope import Message
from shared.messaging.publisher import Publisher, publish_all
from shared.messaging.subscription import EventHandler, Received, Subscription, bulk, each
from shared.messaging.topics import specs
from shared.messaging.transport.kafka import KafkaTransport
from shared.metrics import Metrics
from shared.schemas.fleet_svc import ProjectionSnapshot
from shared.schemas.results import DeadLetter
from shared.schemas.topics import MessageType, Topic
from shared.trace import Trace, new_id

PARTITIONS = 12
TYPE = "projection.updated"


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
    """A filled topic, and how each contender consumes it whole once."""

    def __init__(self, bootstrap: str, transport: KafkaTransport) -> None:
        self.bootstrap = bootstrap
        self.transport = transport
        self.topic = f"bench.projection.{new_id()[:8]}"
        kind = MessageType(TYPE, ProjectionSnapshot, "")
        self.registry = {self.topic: Topic(self.topic, "bench", "", (kind,), (), (), PARTITIONS, {})}
        self.seen = 0
        self.wanted = 0
        self.done = asyncio.Event()

    async def fill(self, events: int) -> None:
        await self.transport.create_topics(specs(self.registry.values()))
        publisher = Publisher(self.transport, "bench")
        await publisher.start()
        for first in range(0, events, 5_000):
            await publish_all(publisher, [self._event(number) for number in range(first, min(first + 5_000, events))])
        await publisher.stop()

    def _event(self, number: int) -> Message:
        fleet, event = f"FORTRESSService-NA-X{number}", "PD2024"
        data = {
            "ProjectionId": f"{fleet}#{event}#Peak", "VersionId": 3, "FleetId": fleet, "EventId": event,
            "ProjectionType": "Peak", "TotalInputTPM": 50000, "IsVerifiedByOwner": True, "CloudTuneProjection": 48000,
            "ManualOverride": 50000, "ProjectionSource": "Manual",
            "UpstreamProjections": [{"UpstreamServiceId": "OrderService", "UpstreamTPM": 20000, "IsVerified": True}],
            "AuditMetadata": {"Message": "load", "User": "jsmith", "Timestamp": "2024-06-01T10:00:00.000Z"},
        }  # fmt: skip
        key = str(data["ProjectionId"])
        return Message(self.topic, TYPE, key, orjson.dumps(data), "bench", datetime.now(UTC), Trace.begin())

    def saw(self, count: int) -> None:
        self.seen += count
        if self.seen >= self.wanted:
            self.done.set()

    # -- contenders: each consumes ``wanted`` events under a group of its own; the seconds it took ---------------------

    async def aiokafka(self) -> float:
        consumer = AIOKafkaConsumer(
            self.topic, bootstrap_servers=self.bootstrap, group_id=new_id(), enable_auto_commit=False,
            auto_offset_reset="earliest",
        )  # fmt: skip
        await consumer.start()
        began = time.perf_counter()
        while self.seen < self.wanted:
            for records in (await consumer.getmany(timeout_ms=1_000)).values():
                for record in records:
                    ProjectionSnapshot.model_validate_json(record.value)
                    self.seen += 1
            await consumer.commit()
        seconds = time.perf_counter() - began
        await consumer.stop()
        return seconds

    async def kit_each(self) -> float:
        async def nothing(received: Received) -> None:
            self.saw(1)

        return await self._kit(each(nothing))

    async def kit_bulk(self) -> float:
        async def nothing(received: Sequence[Received]) -> None:
            self.saw(len(received))

        return await self._kit(bulk(nothing))

    async def _kit(self, handler: EventHandler) -> float:
        metrics, clock = Metrics("bench"), RunningClock()
        publisher = Publisher(self.transport, "bench")
        dead_letters = DeadLetters(
            "bench", transport=self.transport, publisher=publisher, store=NoStore(), clock=clock, metrics=metrics
        )
        subscription = Subscription(new_id(), (self.topic,), handler, registry=self.registry)
        consumer = Consumer(self.transport, clock, subscription, publisher, dead_letters, metrics)
        await consumer.start()
        began = time.perf_counter()
        await self.done.wait()
        await consumer.settled()
        seconds = time.perf_counter() - began
        await consumer.stop()
        return seconds

    async def faststream(self) -> float:
        broker = KafkaBroker(self.bootstrap, logger=None)

        @broker.subscriber(
            self.topic, group_id=new_id(), ack_policy=AckPolicy.ACK, auto_offset_reset="earliest"
        )  # fmt: skip
        async def nothing(projection: ProjectionSnapshot) -> None:
            self.saw(1)

        await broker.start()
        began = time.perf_counter()
        await self.done.wait()
        seconds = time.perf_counter() - began
        await broker.stop()
        return seconds


async def measure(bootstrap: str, events: int, rounds: int) -> None:
    transport = KafkaTransport(bootstrap)
    await transport.start()
    rig = Rig(bootstrap, transport)
    await rig.fill(events)
    contenders: dict[str, tuple[Callable[[], Awaitable[float]], int]] = {
        "aiokafka getmany, commit a fetch": (rig.aiokafka, events),
        "kit, each": (rig.kit_each, events),
        "kit, bulk": (rig.kit_bulk, events),
        "FastStream a message, AckPolicy.ACK": (rig.faststream, max(1, events // 10)),
    }
    rates: dict[str, list[float]] = {name: [] for name in contenders}
    efforts: dict[str, list[float]] = {name: [] for name in contenders}
    gc.collect()
    gc.freeze()  # as every service does once it is started
    for _ in range(rounds):
        for name, (contender, wanted) in contenders.items():
            rig.seen, rig.wanted, rig.done = 0, wanted, asyncio.Event()
            gc.collect()
            began = time.process_time()
            rates[name].append(wanted / await contender())
            efforts[name].append((time.process_time() - began) / wanted * 1e6)
    await transport.stop()
    report(rates, efforts)


def report(rates: dict[str, list[float]], efforts: dict[str, list[float]]) -> None:
    floor = next(iter(rates.values()))
    print(f"{'events a second':36}{'min':>9}{'median':>9}{'max':>9}{'ratio':>7}{'CPU µs':>8}")
    for name, found in rates.items():
        ratio = statistics.median(one / base for one, base in zip(found, floor, strict=True))
        middle, effort = statistics.median(found), min(efforts[name])
        print(f"{name:36}{min(found):9,.0f}{middle:9,.0f}{max(found):9,.0f}{ratio:7.2f}{effort:8.1f}")


def main() -> None:
    parser = argparse.ArgumentParser(description="Typed at-least-once consumption, against plain aiokafka.")
    parser.add_argument("--events", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--kafka", help="a broker's bootstrap address; without it one is started in Docker")
    options = parser.parse_args()
    logging.getLogger("aiokafka").setLevel(logging.ERROR)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    if options.kafka:
        asyncio.run(measure(options.kafka, options.events, options.rounds))
        return
    from tests import servers

    server = servers.kafka().start()
    try:
        asyncio.run(measure(server.url, options.events, options.rounds))
    finally:
        server.remove()


if __name__ == "__main__":
    main()
