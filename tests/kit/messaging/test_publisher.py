"""The publisher: per-key order, bounded time, nothing sent twice while it still waits."""

from __future__ import annotations

import asyncio

import pytest
from aiokafka.errors import MessageSizeTooLargeError, OutOfOrderSequenceNumber

from shared.errors import MessageTooLarge, Unavailable
from shared.messaging import publisher as publisher_module
from shared.messaging.publisher import PATIENCE, Publisher
from shared.metrics import Metrics
from tests.support.messaging import MemoryBroker, event


def publisher(broker: MemoryBroker) -> Publisher:
    return Publisher(broker.transport, "test_svc")


async def test_every_message_is_acknowledged_and_a_key_s_stay_in_order() -> None:
    broker = MemoryBroker()
    messages = [event(key, version) for version in (1, 2, 3) for key in ("a", "b", "c")]

    outcome = await publisher(broker).publish(messages)

    assert outcome == [None] * 9
    for key in ("a", "b", "c"):
        assert [one for one in broker.ids() if one.startswith(key)] == [f"{key}:1", f"{key}:2", f"{key}:3"]


async def test_a_key_ends_with_its_first_failure_and_the_others_go_on() -> None:
    broker = MemoryBroker()
    broker.rejects["a:2"] = MessageSizeTooLargeError()

    outcome = await publisher(broker).publish([event(key, version) for key in ("a", "b") for version in (1, 2, 3)])

    assert broker.ids() == ["a:1", "b:1", "b:2", "b:3"]
    assert outcome[0] is None
    assert isinstance(outcome[1], MessageTooLarge)
    assert isinstance(outcome[2], Unavailable)
    assert outcome[3:] == [None] * 3


async def test_what_is_too_large_is_named_and_not_sent_again_at_once() -> None:
    broker = MemoryBroker()
    broker.rejects["a:1"] = MessageSizeTooLargeError()
    it = publisher(broker)

    for _ in range(50):
        (error,) = await it.publish([event("a", 1)])
        assert isinstance(error, MessageTooLarge)

    assert broker.attempts == ["a:1"]
    assert it.oversized.summary() == str(error)
    assert "an event of a is " in str(error)
    assert "larger than a message to thing.created may be: set the topic's max.message.bytes to 8388608" in str(error)


async def test_what_was_too_large_goes_once_the_limit_is_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    broker = MemoryBroker()
    broker.rejects["a:1"] = MessageSizeTooLargeError()
    it = publisher(broker)
    await it.publish([event("a", 1)])
    broker.rejects.clear()
    monkeypatch.setattr(publisher_module, "TOO_LARGE_PAUSE", 0.0)

    assert await it.publish([event("a", 1)]) == [None]
    assert it.oversized.summary() is None


@pytest.mark.parametrize("connected", [True, False])
async def test_with_the_broker_away_it_answers_unavailable_in_bounded_time(connected: bool) -> None:
    broker = MemoryBroker()
    it = publisher(broker)
    if connected:
        await it.publish([event("warm")])
    broker.away, it._patience = True, 0.2

    async with asyncio.timeout(60):
        outcome = await it.publish([event("a", 1), event("a", 2)])

    assert [type(error) for error in outcome] == [Unavailable, Unavailable]
    broker.come_back()


async def test_a_message_that_still_waits_is_not_sent_a_second_time() -> None:
    broker = MemoryBroker()
    it = publisher(broker)
    await it.publish([event("warm")])
    broker.away, it._patience = True, 0.1
    assert isinstance((await it.publish([event("a", 1)]))[0], Unavailable)
    assert isinstance((await it.publish([event("a", 1)]))[0], Unavailable)

    broker.come_back()
    it._patience = PATIENCE
    outcome = await it.publish([event("a", 1), event("a", 2)])

    assert outcome == [None, None]
    assert broker.attempts == broker.ids() == ["warm:1", "a:1", "a:2"]


async def test_it_connects_when_the_broker_is_back() -> None:
    broker = MemoryBroker()
    broker.away = True
    it = publisher(broker)
    assert isinstance((await it.publish([event("a")]))[0], Unavailable)

    broker.come_back()

    assert await it.publish([event("a")]) == [None]


async def test_a_producer_that_broke_is_replaced() -> None:
    broker = MemoryBroker()
    broker.rejects["a:1"] = OutOfOrderSequenceNumber()
    it = publisher(broker)

    assert isinstance((await it.publish([event("a", 1)]))[0], Unavailable)
    broker.rejects.clear()

    assert await it.publish([event("a", 1)]) == [None]
    assert broker.started == 2
    await it.stop()
    assert broker.stopped == 2


async def test_nothing_is_published_after_a_stop() -> None:
    broker = MemoryBroker()
    it = publisher(broker)
    await it.stop()

    assert isinstance((await it.publish([event("a")]))[0], Unavailable)


async def test_no_messages_are_no_work() -> None:
    broker = MemoryBroker()
    broker.away = True

    assert await publisher(broker).publish([]) == []


async def test_it_counts_by_topic_and_outcome() -> None:
    broker, metrics = MemoryBroker(), Metrics()
    broker.rejects["a:2"] = MessageSizeTooLargeError()
    await Publisher(broker.transport, "test_svc", metrics=metrics).publish([event("a", 1), event("a", 2)])

    text = metrics.render().decode()
    assert 'epic_published_records_total{outcome="acknowledged",topic="thing.created"} 1.0' in text
    assert 'epic_published_records_total{outcome="failed",topic="thing.created"} 1.0' in text
