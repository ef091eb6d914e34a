"""What is written is published: in order, at least once, and slim while the broker is away."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import bson
import pymongo
import pytest
from structlog.testing import capture_logs

from shared.documents import Change, Documents, OutgoingEvent, Store
from shared.durability.outbox import OutboxState
from shared.envelope import Message
from shared.errors import Unavailable
from tests.support.broker import Broker
from tests.support.document_stores import NOW, Backend, adding, cause, creating, nothing_is_open, on_mongo_only
from tests.support.waiting import eventually, until

pytestmark = pytest.mark.slow


async def test_events_go_by_themselves_and_the_outbox_empties(
    store: Store, documents: Documents, broker: Broker
) -> None:
    await asyncio.gather(*(documents.update(f"F{n % 7}", adding(), cause(f"c{n}")) for n in range(70)))

    await nothing_is_open(store)
    for n in range(7):
        assert broker.versions(f"F{n}") == list(range(1, 11))
    await store.drain()
    assert len(broker.taken) == 70


async def test_a_broker_away_for_long_loses_nothing_and_keeps_the_order(
    store: Store, documents: Documents, broker: Broker
) -> None:
    broker.away = True
    for n in range(100):
        await documents.update(f"F{n % 3}", adding(), cause(f"c{n}"))
    await eventually(store.outbox, lambda state: state == OutboxState(100, NOW), "a hundred that wait")
    assert (await documents.latest("F0")).version == 34
    broker.away = False
    await store.drain()
    for n in range(3):
        assert broker.versions(f"F{n}") == list(range(1, 35 if n == 0 else 34))
    assert [body["Count"] for body in broker.bodies("F1")] == list(range(1, 34))
    await nothing_is_open(store)


async def test_too_much_waiting_in_all_refuses_every_write(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.durability.outbox.MAX_OPEN_ENTRIES", 30)
    store, documents = await backend.open(sweep_after=3600)  # a sweeper that sees a write may count it once more
    backend.broker.away = True
    made = await documents.create_many(((f"F{n}", {}) for n in range(20)), "thing.created", cause())
    for n in range(10):
        await documents.update(f"G{n}", adding(), cause())
    with pytest.raises(Unavailable):
        await documents.update("new", adding(), cause())
    with pytest.raises(Unavailable):
        await documents.create_many([("newer", {})], "thing.created", cause())
    assert await documents.latest("F1") is not None
    backend.broker.away = False
    await store.drain()
    await documents.update("new", adding(), cause())
    assert len(made) == 20


async def test_a_document_that_is_written_all_the_time_does_not_look_as_if_it_waited(
    store: Store, documents: Documents
) -> None:
    """The oldest of what waits is a write that waits, not the first of those that went long ago."""

    async def moved_on() -> bool:
        oldest = (await store.outbox()).oldest
        return oldest is None or oldest > NOW

    minute = timedelta(minutes=1)
    await documents.update("F1", adding(), cause())
    count = 0

    async def write_and_look() -> bool:
        nonlocal count
        count += 1
        await documents.update("F1", adding(), replace(cause(), now=NOW + count * minute))
        return await moved_on()

    await until(write_and_look, "the oldest that waits is a later write")


@on_mongo_only
async def test_what_waits_is_slim(backend: Backend, store: Store, documents: Documents, broker: Broker) -> None:
    """The head of a document with a long wait behind it stays far from MongoDB's 16 MB, and a read of it fast."""
    broker.away = True
    big = {"Text": "x" * 100_000}
    for n in range(150):
        await documents.update(
            "F1",
            lambda _, n=n: Change(big | {"N": n}, (OutgoingEvent("thing.updated"),)),  # type: ignore[misc]
            cause(f"c{n}"),
        )
    with pymongo.MongoClient(str(backend.place)) as client:
        head = client[backend.database]["thing.heads"].find_one({"_id": "F1"})
    assert head is not None
    assert len(bson.encode(head)) < 200_000
    broker.away = False
    await store.drain()
    assert [body["N"] for body in broker.bodies("F1")] == list(range(150))


@on_mongo_only
async def test_data_of_its_own_is_bounded_too(backend: Backend, documents: Documents, broker: Broker) -> None:
    broker.away = True
    fact = OutgoingEvent("fact", data={"Text": "x" * 900_000})
    for _ in range(4):
        await documents.update("F1", lambda _: Change({}, (fact,)), cause())
    with pytest.raises(Unavailable):
        await documents.update("F1", lambda _: Change({}, (fact,)), cause())
    assert (await documents.latest("F1")).version == 4


async def test_what_another_process_left_is_published_at_the_start(backend: Backend) -> None:
    async def never(messages: Sequence[Message]) -> list[Exception | None]:
        return [ConnectionError("away")] * len(messages)

    first, documents = await backend.open(never)
    for n in range(5):
        await documents.update("F1", adding(), cause(f"c{n}"))
    await documents.create_many([("F2", {"Count": 0})], "thing.created", cause())
    backend.stores.remove(first)
    await first.stop()
    second, documents = await backend.open()

    async def published() -> bool:
        return backend.broker.first_versions("F1") == [1, 2, 3, 4, 5] and backend.broker.versions("F2") != []

    await until(published, "what was left by the first")
    await second.drain()
    assert (await documents.update("F1", adding(), cause("c3"))).document.version == 4


async def test_the_sweeper_finishes_what_another_replica_began(backend: Backend) -> None:
    """A replica that cannot publish, and lives on: others do it for it after a while."""

    async def never(messages: Sequence[Message]) -> list[Exception | None]:
        return [ConnectionError("away")] * len(messages)

    _, documents = await backend.open(never)
    await backend.open()
    await asyncio.gather(*(documents.update(f"F{n}", adding(), cause(f"c{n}")) for n in range(5)))
    await documents.create_many([("B1", {"Count": 0})], "thing.created", cause())

    async def published() -> bool:
        return {message.key for message in backend.broker.taken} == {"B1", *(f"F{n}" for n in range(5))}

    await until(published, "all that the first could not publish")


async def test_a_slow_publisher_is_asked_once_for_each(backend: Backend) -> None:
    """Writes go on meanwhile, and the key's next batch begins where the last one ended."""
    broker = Broker()

    async def slow(messages: Sequence[Message]) -> list[Exception | None]:
        await asyncio.sleep(0.05)
        return await broker.publish(messages)

    store, documents = await backend.open(slow, sweep_after=30)
    for _ in range(60):
        await documents.update("F1", adding(), cause())
    await store.drain()
    assert broker.versions("F1") == list(range(1, 61))


async def test_history_costs_the_same_however_long(backend: Backend, store: Store, documents: Documents) -> None:
    for _ in range(150):
        await documents.update("F1", adding(), cause())
    await documents.update("F2", creating({"Count": 0}), cause())
    await store.drain()
    page = await documents.history("F1", before=100, limit=3)
    assert [item.version for item in page.items] == [99, 98, 97]
    assert page.next_before == 97


@on_mongo_only
async def test_a_missing_version_is_waited_for_and_becomes_an_alarm(
    backend: Backend,
) -> None:
    store, documents = await backend.open(sweep_after=60)
    backend.broker.away = True
    for _ in range(2):
        await documents.update("F1", adding(), cause())
    await store.stop()
    with pymongo.MongoClient(str(backend.place)) as client, capture_logs() as lines:
        items = client[backend.database]["thing.items"]
        taken = items.find_one_and_delete({"_id": "F1@0000000001"})
        assert taken is not None
        backend.broker.away = False
        replica, _ = await backend.open()

        def levels() -> list[str]:
            return [line["log_level"] for line in lines if line["event"] == "an event waits: its version is not there"]

        await until(lambda: "critical" in levels(), "an alarm")
        assert levels()[:3] == ["warning", "warning", "critical"]
        assert backend.broker.versions("F1") == []
        items.insert_one(taken)
    await replica.drain()
    assert backend.broker.versions("F1") == [1, 2]
