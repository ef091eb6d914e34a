"""The outbox and its relay: what was written is published, each key in order, whatever the broker does."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest
from structlog.testing import capture_logs

from shared.durability.outbox import MAX_OPEN_ENTRIES_PER_LANE, OutboxState
from shared.envelope import Message
from shared.errors import Unavailable
from tests.support.broker import Broker
from tests.support.stores import NOW, AnyStore, MakeStore, numbers_of, write_event
from tests.support.waiting import eventually, until

pytestmark = pytest.mark.slow


async def write(store: AnyStore, key: str, last: int, *, first: int = 1) -> None:
    for number in range(first, last + 1):
        await write_event(store, key, number)


async def nothing_is_open(store: AnyStore) -> None:
    await eventually(store.outbox, lambda state: state == OutboxState(0, None), "an empty outbox")


async def test_events_are_published_by_themselves_in_order(store: AnyStore, broker: Broker) -> None:
    await asyncio.gather(*(write(store, f"F{n}", 10) for n in range(7)))
    await nothing_is_open(store)
    for n in range(7):
        assert numbers_of(broker, f"F{n}") == list(range(1, 11))


async def test_nothing_is_lost_while_the_broker_is_away(store: AnyStore, broker: Broker) -> None:
    broker.away = True
    await write(store, "F1", 20)
    await eventually(store.outbox, lambda state: state == OutboxState(20, NOW), "twenty that are open")
    broker.away = False
    await store.drain()
    assert numbers_of(broker, "F1") == list(range(1, 21))
    await nothing_is_open(store)


async def test_a_key_that_is_not_published_holds_up_no_other(store: AnyStore, broker: Broker) -> None:
    broker.refused = {"F1"}
    await write(store, "F1", 5)
    await asyncio.gather(*(write(store, f"G{n}", 2) for n in range(10)))
    await eventually(store.outbox, lambda state: state.open == 5, "the other keys' events are published")
    assert broker.of("F1") == []
    broker.refused = set()
    await store.drain()
    assert numbers_of(broker, "F1") == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("failing", ["refused", "too_large"])
async def test_a_key_that_keeps_failing_delays_no_event_of_another(
    store: AnyStore, broker: Broker, failing: str
) -> None:
    setattr(broker, failing, {"F1", "F2"})
    await write_event(store, "F1", 1)
    await write_event(store, "F2", 1)
    await until(lambda: broker.tried["F1"] >= 5, "the fifth try, after which a retry is some way off")
    tries = broker.tried["F1"]
    for number in range(1, 4):
        await write_event(store, "G1", number)
    await until(lambda: numbers_of(broker, "G1") == [1, 2, 3], "the other key's events")
    assert broker.tried["F1"] == tries, "they were not published with the next retry only"
    setattr(broker, failing, set())
    await store.drain()
    assert numbers_of(broker, "F1") == [1]


async def test_a_message_that_is_too_large_is_no_broker_that_is_away(store: AnyStore, broker: Broker) -> None:
    broker.too_large = {"F1"}
    with capture_logs() as lines:
        await write(store, "F1", 3)
        await until(lambda: broker.tried, "a first try")
        await asyncio.gather(*(write(store, f"G{n}", 1) for n in range(20)))
        await eventually(store.outbox, lambda state: state.open == 3, "the other keys' events are published")
    assert not [line for line in lines if "waits" in line["event"]]  # the publisher logs it, once
    broker.too_large = set()
    await store.drain()
    assert numbers_of(broker, "F1") == [1, 2, 3]


async def test_too_many_open_entries_of_a_key_refuse_its_next_write_4_12a(store: AnyStore, broker: Broker) -> None:
    broker.away = True
    await write(store, "F1", MAX_OPEN_ENTRIES_PER_LANE)
    with pytest.raises(Unavailable, match=r"200 events of .*F1 wait for the broker"):
        await write_event(store, "F1", MAX_OPEN_ENTRIES_PER_LANE + 1)
    await write_event(store, "F2", 1)
    broker.away = False
    await store.drain()
    await write_event(store, "F1", MAX_OPEN_ENTRIES_PER_LANE + 1)
    await store.drain()
    assert numbers_of(broker, "F1") == list(range(1, MAX_OPEN_ENTRIES_PER_LANE + 2))


async def test_fifty_writers_of_one_key_are_all_served_while_the_broker_is_well_4_12a(
    make_store: MakeStore, broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They write faster than the broker acknowledges, and wait for room when the outbox is full."""
    for module in ("shared.durability.outbox", "shared.documents.sqlite.outbox", "shared.relational.outbox"):
        monkeypatch.setattr(f"{module}.MAX_OPEN_ENTRIES_PER_LANE", 20)

    async def acknowledge_one_by_one(messages: Sequence[Message]) -> list[Exception | None]:
        await asyncio.sleep(0.002 * len(messages))
        return await broker.publish(messages)

    store = make_store(acknowledge_one_by_one)
    await store.start()
    await asyncio.gather(*(write(store, "F1", 4 * n, first=4 * n - 3) for n in range(1, 51)))
    await store.drain()
    assert len(numbers_of(broker, "F1")) == 200


async def test_too_many_open_entries_in_all_refuse_every_write(
    store: AnyStore, broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.durability.outbox.MAX_OPEN_ENTRIES", 30)
    broker.away = True
    for n in range(30):
        await write_event(store, f"F{n}", 1)
    with pytest.raises(Unavailable):
        await write_event(store, "new", 1)
    broker.away = False
    await store.drain()
    await write_event(store, "new", 1)


async def test_the_next_process_publishes_what_the_last_one_left(make_store: MakeStore, broker: Broker) -> None:
    broker.away = True
    first = make_store(broker.publish)
    await first.start()
    await write(first, "F1", 5)
    await first.stop()
    broker.away = False
    second = make_store(broker.publish)
    await second.start()
    await until(lambda: numbers_of(broker, "F1") == [1, 2, 3, 4, 5], "what the first process left")
    await nothing_is_open(second)
