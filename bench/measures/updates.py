"""Measures single updates of versioned documents on MongoDB and Kafka, 32 at once, finished to the published event.

The floor, bare: ``find_one``, a conditional ``update_one``, then the history's ``insert_one`` and the event's send
side by side, both awaited. The kit's store and publisher, as the services have them, in this process like the floor;
it ends when its outbox is empty again: every event acknowledged, every history item stored, every entry taken off.
Each update is of a document that was updated before. Once more with causes that are named, as those of commands are:
then the answer of each is kept as well. A hot key: 32 writers on one document, by one replica and by two; how often
each version's event goes out.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any, Final, Self

import orjson

from bench.company import Company
from bench.figure import Bench, Disagreement, Figure, at_least, at_most
from bench.floors.http import DATABASE
from bench.raw.kafka import Counter, create_topic, producing
from bench.raw.mongo import connected
from bench.rounds import alternate
from bench.stage import Servers, Stage
from epic.serving import quiet_collector
from shared.cause import Cause
from shared.documents import Change, Document, Documents, OutgoingEvent
from shared.documents.mongo import MongoStore
from shared.envelope import Message, encode_headers
from shared.errors import Unavailable
from shared.messaging.kafka import KafkaTransport
from shared.messaging.publisher import Publisher
from shared.trace import Trace, new_id

_UPDATES: Final = 3_000
_HOT: Final = 1_000
_AT_ONCE: Final = 32
_PARTITIONS: Final = 12
_NOW: Final = datetime(2024, 6, 15, 9, tzinfo=UTC)
_TRACE: Final = Trace("correlation", "causation", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
_RAW, _KIT, _HOT_TOPIC = "floor.updates", "bench.updates", "bench.hot"

Measure = Callable[[], Awaitable[dict[str, float]]]


async def spread(count: int, one: Callable[[int], Awaitable[Any]]) -> None:
    """``one(number)`` for each number, 32 at once."""
    numbers = iter(range(count))

    async def work() -> None:
        for number in numbers:
            await one(number)

    await asyncio.gather(*(work() for _ in range(_AT_ONCE)))


def by_hand(database: Any, producer: Any, states: list[dict[str, Any]], updates: int) -> Measure:
    heads, items = database["heads"], database["items"]

    async def one(number: int) -> None:
        key = states[number % len(states)]["FleetId"]
        form = await heads.find_one({"_id": key})
        version = form["VersionId"]
        new = {**form, "Count": form["Count"] + 1, "VersionId": version + 1}
        del new["_id"]
        result = await heads.update_one({"_id": key, "VersionId": version}, {"$set": new})
        if result.matched_count != 1:
            raise Disagreement(f"{key} was changed by somebody else")
        message = Message(_RAW, "t", key, orjson.dumps(new), "bench", _NOW, _TRACE, id=f"{key}:{version + 1}:t")
        await asyncio.gather(
            items.insert_one({"_id": f"{key}@{version + 1:010d}", **new}),
            producer.send_and_wait(_RAW, message.data, key.encode(), headers=encode_headers(message)),
        )

    async def measured() -> dict[str, float]:
        began = time.perf_counter()
        await spread(updates, one)
        return {"rate": updates / (time.perf_counter() - began)}

    return measured


def by_kit(kit: Kit, states: list[dict[str, Any]], updates: int, *, named: bool) -> Measure:
    async def one(number: int) -> None:
        cause = Cause(_NOW, "bench", _TRACE, f"bench/{new_id()}" if named else None, "digest")
        await kit.documents.update(states[number % len(states)]["FleetId"], kit.count, cause)

    async def measured() -> dict[str, float]:
        began = time.perf_counter()
        await spread(updates, one)
        await kit.published()
        return {"rate": updates / (time.perf_counter() - began)}

    return measured


class Kit:
    """A store with its publisher, as a service has them; an async context."""

    def __init__(self, on: Servers, database: str, topic: str) -> None:
        self._transport = KafkaTransport(on.kafka)
        self._publisher = Publisher(self._transport, "bench")
        self.store = MongoStore(on.mongo, database, self._publisher.publish, source="bench")
        self.documents: Documents = self.store.documents("fleet", filters=("ServiceId",))
        self._topic = topic

    async def __aenter__(self) -> Self:
        await self._transport.start()
        await self.store.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.store.stop()
        await self._publisher.stop()
        await self._transport.stop()

    def count(self, present: Document | None) -> Change:
        if present is None:
            return Change({"Count": 0}, (OutgoingEvent(self._topic),))
        return Change({**present.state, "Count": present.state["Count"] + 1}, (OutgoingEvent(self._topic),))

    async def fill(self, states: list[dict[str, Any]]) -> None:
        """Every document once made and once updated, all of it published."""
        cause = Cause(_NOW, "bench", _TRACE, None, "")
        await self.documents.create_many(((s["FleetId"], {"Count": 0, **s}) for s in states), self._topic, cause)
        await spread(len(states), lambda n: self.documents.update(states[n]["FleetId"], self.count, cause))
        await self.published()

    async def published(self) -> None:
        while (await self.store.outbox()).open:
            await asyncio.sleep(0.001)


def hot(replicas: list[Kit], counter: Counter, updates: int) -> Measure:
    """How many events go out for each version of a document that 32 writers change at once."""

    async def measured() -> dict[str, float]:
        key, before = new_id(), await counter.count(_HOT_TOPIC)

        async def one(number: int) -> None:
            kit = replicas[number % len(replicas)]
            while True:
                try:
                    await kit.documents.update(key, kit.count, Cause(_NOW, "bench", _TRACE, None, ""))
                except Unavailable:  # too many at once: a client tries again
                    await asyncio.sleep(0.005)
                else:
                    return

        began = time.perf_counter()
        await spread(updates, one)
        for kit in replicas:
            await kit.published()
        seconds = time.perf_counter() - began
        latest = await replicas[0].documents.latest(key)
        if latest is None or latest.version != updates or latest.state["Count"] != updates - 1:
            raise Disagreement(f"{updates} updates of {key} came to {latest}")
        return {"events": (await counter.count(_HOT_TOPIC) - before) / updates, "rate": updates / seconds}

    return measured


async def measure(stage: Stage) -> list[Figure]:
    on = await stage.servers("kafka", "mongo")
    updates, scale = stage.scale.of(_UPDATES, least=20 * _AT_ONCE), stage.scale
    states = Company(updates // 2).rows["Fleet"]
    for topic in (_RAW, _KIT, _HOT_TOPIC):
        await create_topic(on.kafka, topic, _PARTITIONS)
    database = await stage.enter(connected(on.mongo, DATABASE))
    await database["heads"].create_index([("_id", 1), ("VersionId", 1)], unique=True)
    await database["heads"].insert_many([{"_id": s["FleetId"], "VersionId": 1, "Count": 0, **s} for s in states])
    producer = await stage.enter(producing(on.kafka))
    kit = await stage.enter(Kit(on, "bench", _KIT))
    await kit.fill(states)
    quiet_collector()
    theirs, ours, named = await alternate(
        scale,
        by_hand(database, producer, states, updates),
        by_kit(kit, states, updates, named=False),
        by_kit(kit, states, updates, named=True),
    )
    replicas = [await stage.enter(Kit(on, "hot", _HOT_TOPIC)) for _ in range(2)]
    counter = await stage.enter(Counter.on(on.kafka))
    one, two = await alternate(
        scale, hot(replicas[:1], counter, scale.of(_HOT)), hot(replicas, counter, scale.of(_HOT)), warm=False
    )
    bare = "find_one, conditional update, insert and send, bare"
    return [
        Figure("single updates, 32 at once", bare, "updates/s", ours["rate"], theirs["rate"], at_least(0.7)),
        Figure("the same, each with its answer kept", bare, "updates/s", named["rate"], theirs["rate"]),
        Figure("a hot key, one replica", "events published for each version", "events", one["events"], (), at_most(2)),
        Figure("a hot key, two replicas", "events published for each version", "events", two["events"], (), at_most(2)),
    ]


BENCH: Final = Bench("updates", "single updates, 32 at once, finished to the published event", measure)
