"""Measures versioned documents on a real MongoDB against the bare operations they stand on.

    python -m bench.documents [--updates 3000] [--plans 20000] [--rounds 5] [--mongo mongodb://127.0.0.1:27017]

Updates, 32 at once: a document's next version, its history and its event, against ``find_one``, a conditional
``update_one``, an ``insert_one`` and a send. Bulk: 20,000 documents made and told of, against ``insert_many`` of the
same documents and as many sends. Both sides have the unique index that conditional updates need, and send to the same
publisher, which does no more than take the messages. Rounds take turns, so that a slow minute of the machine hits both
alike; each measurement has a database of its own. Printed are the least, median and largest rate of the rounds and of
each round's ratio. Without ``--mongo`` one is started in Docker.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import resource
import statistics
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import orjson
import structlog
from motor.motor_asyncio import AsyncIOMotorDatabase

from shared.cause import Cause
from shared.documents import Change, Document, Documents, Emission
from shared.documents.mongo import MongoStore
from shared.documents.mongo.store import connect
from shared.messaging.envelope import Message
from shared.trace import Trace

AT_ONCE = 32
NOW = datetime(2024, 6, 15, 9, tzinfo=UTC)
TRACE = Trace("correlation")
MILESTONES = (
    "GatherProjectionFromUpstream",
    "PlaceHardwareOrder",
    "HardwareOrderApproval",
    "HardwareFulfillment",
    "CommunicateTPMToDownstream",
    "UpdateThrottlingInSDC",
    "GatherDescaleProjections",
    "PlaceDescaleOrder",
)


class Taker:
    """A publisher that encodes nothing and loses nothing."""

    def __init__(self) -> None:
        self.taken = 0

    async def publish(self, messages: Sequence[Message]) -> list[Exception | None]:
        self.taken += len(messages)
        await asyncio.sleep(0)
        return [None] * len(messages)


def plan(number: int) -> dict[str, Any]:
    """A document of the size of an event plan."""
    return {
        "EventPlanId": f"PD2024#F{number}",
        "EventId": "PD2024",
        "FleetId": f"F{number}",
        "ServiceId": f"S{number // 10}",
        "EventMilestone": [
            {
                "EventMilestoneId": name,
                "MilestoneCompletionStatus": "NotStarted",
                "MilestoneMessage": "50 hosts ordered via HOTW",
                "ETA": "2024-06-01",
                "LastUpdatedTimestamp": "2024-06-01T12:00:00.000Z",
            }
            for name in MILESTONES
        ],
    }


def cause(number: int | None = None) -> Cause:
    return Cause(NOW, "bench", TRACE, None if number is None else f"bench/{number}", "digest")


async def spread(count: int, one: Any) -> float:
    """Runs ``one(number)`` for each number, 32 at once; seconds."""
    numbers = iter(range(count))

    async def work() -> None:
        for number in numbers:
            await one(number)

    began = time.perf_counter()
    await asyncio.gather(*(work() for _ in range(AT_ONCE)))
    return time.perf_counter() - began


async def bare_updates(database: AsyncIOMotorDatabase[dict[str, Any]], count: int, taker: Taker) -> float:
    heads, items = database["bare"], database["bare.items"]
    await heads.create_index([("_id", 1), ("VersionId", 1)], unique=True)
    await heads.insert_many([{"_id": f"F{n}", "VersionId": 1, "Count": 0, **plan(n)} for n in range(count // 2)])

    async def one(number: int) -> None:
        key = f"F{number % (count // 2)}"
        form = await heads.find_one({"_id": key})
        assert form is not None
        version = form["VersionId"]
        new = {**form, "Count": form["Count"] + 1, "VersionId": version + 1}
        del new["_id"]
        result = await heads.update_one({"_id": key, "VersionId": version}, {"$set": new})
        assert result.matched_count == 1
        await items.insert_one({"_id": f"{key}@{version + 1:010d}", **new})
        data = orjson.dumps(new)
        await taker.publish([Message("t", "t", key, data, "bench", NOW, TRACE, id=f"{key}:{version + 1}:t")])

    return await spread(count, one)


async def kit_updates(store: MongoStore, documents: Documents, count: int, *, named: bool) -> float:
    await documents.create_many(((f"F{n}", {"Count": 0, **plan(n)}) for n in range(count // 2)), "t", cause())
    # The first version of a document made in bulk is stored by its first update; here every document has had that.
    await spread(count // 2, lambda n: documents.update(f"F{n}", add, cause()))
    await store.drain()

    async def one(number: int) -> None:
        await documents.update(f"F{number % (count // 2)}", add, cause(number if named else None))

    began = time.perf_counter()
    await spread(count, one)
    await store.drain()
    return time.perf_counter() - began


def add(present: Document | None) -> Change:
    assert present is not None
    return Change({**present.state, "Count": present.state["Count"] + 1}, (Emission("t"),))


async def bare_bulk(database: AsyncIOMotorDatabase[dict[str, Any]], count: int, taker: Taker) -> float:
    await database["bare"].create_index([("_id", 1), ("VersionId", 1)], unique=True)
    began = time.perf_counter()
    for first in range(0, count, 1000):
        states = [plan(number) for number in range(first, min(first + 1000, count))]
        await database["bare"].insert_many(
            [{"_id": s["EventPlanId"], "VersionId": 1, **s} for s in states], ordered=False
        )
        await taker.publish(
            [Message("t", "t", s["EventPlanId"], orjson.dumps(s), "bench", NOW, TRACE, id="x") for s in states]
        )
    return time.perf_counter() - began


async def kit_bulk(store: MongoStore, documents: Documents, count: int) -> float:
    began = time.perf_counter()
    made = await documents.create_many(((f"PD2024#F{n}", plan(n)) for n in range(count)), "t", cause())
    await store.drain()
    assert len(made) == count
    return time.perf_counter() - began


async def with_store(url: str, taker: Taker, run: Any) -> float:
    store = MongoStore(url, f"bench{uuid.uuid4().hex[:8]}", taker.publish, source="bench")
    documents = store.documents("plan", filters=("EventId", "FleetId"))
    await store.start()
    try:
        return float(await run(store, documents))
    finally:
        await store._database.client.drop_database(store._database.name)
        await store.stop()


async def with_database(url: str, run: Any) -> float:
    database = connect(url, f"bench{uuid.uuid4().hex[:8]}")
    try:
        return float(await run(database))
    finally:
        await database.client.drop_database(database.name)
        database.client.close()


def line(name: str, values: Sequence[float], unit: str) -> str:
    low, middle, high = min(values), statistics.median(values), max(values)
    return f"{name:<34}{low:>10.2f}{middle:>10.2f}{high:>10.2f}  {unit}"


async def measure(url: str, updates: int, plans: int, rounds: int) -> list[str]:
    seconds: dict[str, list[float]] = {}

    def note(name: str, value: float) -> None:
        seconds.setdefault(name, []).append(value)

    taker = Taker()
    for _ in range(rounds):
        gc.collect()
        note("bare updates", await with_database(url, lambda database: bare_updates(database, updates, taker)))
        for name, named in (("updates", False), ("updates, causes kept", True)):
            note(name, await with_store(url, taker, lambda s, d, n=named: kit_updates(s, d, updates, named=n)))
        gc.collect()
        note("bare bulk", await with_database(url, lambda database: bare_bulk(database, plans, taker)))
        note("bulk", await with_store(url, taker, lambda s, d: kit_bulk(s, d, plans)))
    lines = [f"{'':<34}{'least':>10}{'median':>10}{'largest':>10}"]
    for name, values in seconds.items():
        lines.append(line(name, [(plans if "bulk" in name else updates) / value for value in values], "documents/s"))
    for name, bare in (("updates", "bare updates"), ("updates, causes kept", "bare updates"), ("bulk", "bare bulk")):
        lines.append(
            line(f"{name} / {bare}", [b / k for b, k in zip(seconds[bare], seconds[name], strict=True)], "of bare")
        )
    lines.append(f"memory at most {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")
    return lines


@contextmanager
def server(url: str | None) -> Iterator[str]:
    if url is not None:
        yield url
        return
    from tests import servers

    mongo = servers.mongo().start()
    try:
        yield mongo.url
    finally:
        mongo.remove()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--updates", type=int, default=3000)
    parser.add_argument("--plans", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--mongo")
    given = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    with server(given.mongo) as url:
        print("\n".join(asyncio.run(measure(url, given.updates, given.plans, given.rounds))))


if __name__ == "__main__":
    main()
