"""The relay: everything committed goes, in its key's order, whoever crashes and whatever the broker does."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

import pytest
from sqlalchemy import insert, select

from shared.durability.relay import OutboxEntry
from shared.envelope import Message
from shared.errors import Unavailable
from shared.relational import Database, UnitOfWork
from shared.relational.tables import LEASES
from tests.contracts.relational.test_transactions import NOW, message
from tests.support.broker import Broker
from tests.support.relational import COUNTERS, publish_all
from tests.support.waiting import until

pytestmark = pytest.mark.slow


async def test_a_committed_message_goes_as_it_was_written(opened: Callable[..., Database], broker: Broker) -> None:
    database = opened()
    written = message("PD2024#X#Upscaling", 1, subject="s", user="jsmith", if_match='"3"')
    await database.write(lambda unit: unit.emit([written]))
    await publish_all(database)
    assert broker.taken == [written]
    assert (await database.outbox()).open == 0


async def test_a_started_relay_is_woken_by_a_commit(opened: Callable[..., Database], broker: Broker) -> None:
    database = opened()
    await database.start()
    await database.write(lambda unit: unit.emit([message("a", 1)]))
    await until(lambda: len(broker.taken) == 1, "the message")


async def test_the_order_of_a_key_is_kept_over_batches(opened: Callable[..., Database], broker: Broker) -> None:
    database = opened()
    for chunk in range(5):
        await database.write(
            lambda unit, chunk=chunk: unit.emit([message(f"k{n % 25}", chunk * 500 + n) for n in range(500)])  # type: ignore[misc]
        )
    await publish_all(database)
    assert len(broker.taken) == 2500
    for key in {taken.key for taken in broker.taken}:
        numbers = [int(taken.id.split(":")[1]) for taken in broker.taken if taken.key == key]
        assert numbers == sorted(numbers)


async def test_only_one_of_two_relays_works_and_the_other_takes_over(
    opened: Callable[..., Database], broker: Broker
) -> None:
    first, second = opened(), opened()
    assert await first._relay._hold_lease()
    await second.write(lambda unit: unit.emit([message("a", 1)]))
    await second._relay._publish_open()
    assert broker.taken == []
    await first._relay._publish_open()
    assert [taken.id for taken in broker.taken] == ["a:1"]
    await second.write(lambda unit: unit.emit([message("a", 2)]))
    await first.start()
    await first.drain()
    await first.stop()  # which releases the lease
    await second.write(lambda unit: unit.emit([message("a", 3)]))
    await publish_all(second)
    assert [taken.id for taken in broker.taken] == ["a:1", "a:2", "a:3"]


async def test_a_removal_that_fails_is_made_up_for(
    opened: Callable[..., Database], broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Found by a server killed while its entries were removed: the relay then failed for ever."""
    database = opened()
    remove, failures = database.open_entries._remove, iter([Unavailable("away"), Unavailable("away")])

    async def failing(entries: Sequence[OutboxEntry]) -> None:
        for failure in failures:
            raise failure
        await remove(entries)

    monkeypatch.setattr(database.open_entries, "_remove", failing)
    await database.write(lambda unit: unit.emit([message("a", 1)]))
    await publish_all(database)
    assert {taken.id for taken in broker.taken} == {"a:1"}
    assert (await database.outbox()).open == 0


async def test_the_last_instant_outlives_publishing(opened: Callable[..., Database]) -> None:
    database = opened()
    assert await database.last_instant() is None
    await database.write(lambda unit: unit.emit([message("a", 1)]))
    assert await database.last_instant() == NOW
    await publish_all(database)
    assert await database.last_instant() == NOW
    assert NOW + timedelta(microseconds=1) > NOW


async def test_many_writers_and_two_replicas_publish_everything_in_order(
    opened: Callable[..., Database], broker: Broker
) -> None:
    replicas = [opened(), opened()]
    for replica in replicas:
        await replica.start()

    async def count(unit: UnitOfWork, key: str, n: int) -> None:
        await unit.connection.execute(insert(COUNTERS).values(Name=f"{key}-{n}", Value=n))
        await unit.emit([message(key, n)])

    async def writer(key: str) -> None:
        for n in range(25):
            await replicas[n % 2].write(lambda unit, n=n: count(unit, key, n))  # type: ignore[misc]

    await asyncio.gather(*(writer(f"k{i}") for i in range(6)))
    await until(lambda: len({taken.id for taken in broker.taken}) == 150, "every message")
    for i in range(6):
        ids = [taken.id for taken in broker.taken if taken.key == f"k{i}"]
        assert ids == [f"k{i}:{n}" for n in range(25)]


async def test_a_lease_is_kept_while_the_broker_takes_its_time(
    opened: Callable[..., Database], broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = opened(lease_seconds=1.0)
    take = broker.publish
    let_go = asyncio.Event()

    async def publish_slowly(messages: list[Message]) -> list[Exception | None]:
        await let_go.wait()
        return await take(messages)

    monkeypatch.setattr(slow._relay, "_publish", publish_slowly)
    await slow.write(lambda unit: unit.emit([message("a", 1)]))
    await slow.start()
    ends: set[datetime] = set()

    async def renewed_again_and_again() -> bool:
        async with slow.read() as connection:
            ends.update((await connection.execute(select(LEASES.c.LeaseUntil))).scalars())
        return len(ends) > 3

    await until(renewed_again_and_again, "a lease that is kept")
    let_go.set()
    await slow.drain()
    assert [taken.id for taken in broker.taken] == ["a:1"]


async def test_a_dead_relays_lease_ends_and_its_messages_go(opened: Callable[..., Database], broker: Broker) -> None:
    dead, heir = opened(lease_seconds=0.5), opened()
    await dead.write(lambda unit: unit.emit([message("a", 1)]))
    assert await dead._relay._hold_lease()
    await heir.start()
    await until(lambda: len(broker.taken) == 1, "the dead relay's message")
