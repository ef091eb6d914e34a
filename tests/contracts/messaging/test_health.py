"""What a consumer says of itself: running, stopped, stuck, and how far behind."""

from __future__ import annotations

import asyncio

import pytest
from aiokafka.errors import KafkaConnectionError

from shared.errors import Unavailable
from shared.messaging.consumer import Consumer
from shared.messaging.consumer_context import Tuning
from shared.messaging.kafka import KafkaTransport
from shared.messaging.subscription import Received
from tests.contracts.messaging.harness import QUICK, Harness
from tests.support.messaging import Thing
from tests.support.waiting import until


async def test_a_start_without_a_broker_fails_and_leaves_nothing_behind(harness: Harness) -> None:
    async def handle(received: Received[Thing]) -> None:
        """Never called."""

    nowhere = KafkaTransport("127.0.0.1:1")
    consumer = Consumer(nowhere, harness.context(harness.subscription(harness.each(handle))))

    with pytest.raises(KafkaConnectionError):
        await consumer.start()
    assert consumer.halted()
    await consumer.stop()


async def test_health_sees_a_record_that_hangs(harness: Harness) -> None:
    hang = asyncio.Event()

    async def handle(received: Received[Thing]) -> None:
        await hang.wait()

    await harness.send(harness.event("a"))
    consumer = await harness.consuming(harness.each(handle), Tuning(stuck_after=0.2))
    await until(lambda: consumer.halted(), "stuck")
    assert "a record has been in work for" in (consumer.halted() or "")

    hang.set()
    await until(lambda: consumer.halted() is None, "moving again")


async def test_lag_is_what_the_group_has_not_committed(harness: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.messaging.consumer._LAG_EVERY", 0.05)
    away = False

    async def handle(received: Received[Thing]) -> None:
        if away:
            raise Unavailable("away")

    consumer = await harness.consuming(harness.each(handle), QUICK)
    await harness.send(*(harness.event(f"key-{number}") for number in range(30)))
    await harness.all_committed(30)
    away = True
    await harness.send(*(harness.event(f"key-{number}", 2) for number in range(10)))

    await until(lambda: consumer.lag == 10, "ten behind")
    away = False
    await until(lambda: consumer.lag == 0, "none behind")
