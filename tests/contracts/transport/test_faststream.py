"""FastStream's own loop on a transport: batches, acknowledgements, redelivery."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from aiokafka import ConsumerRecord
from faststream import AckPolicy
from faststream.kafka import KafkaMessage

from shared.messaging.transport import Transport, make_broker
from tests.contracts.transport.conftest import NewTopic
from tests.contracts.transport.reading import consuming, send, take, values
from tests.support.waiting import until

Seen = list[tuple[bytes, ...]]


async def _undecoded(message: Any) -> Any:
    return message.body


async def test_a_batch_subscriber_gets_raw_records_and_its_group_moves_on(
    transport: Transport, new_topic: NewTopic
) -> None:
    topic = await new_topic(3)
    broker = make_broker(transport, client_id="test")
    seen: list[ConsumerRecord] = []

    @broker.subscriber(
        topic, batch=True, group_id=f"{topic}.g", ack_policy=AckPolicy.NACK_ON_ERROR, auto_offset_reset="earliest",
        decoder=_undecoded,
    )  # fmt: skip
    async def handle(_: list[Any], message: KafkaMessage) -> None:
        seen.extend(message.raw_message)

    await broker.start()
    try:
        await broker.publish(b"first", topic, key=b"k", headers={"ce_id": "1"})
        await until(lambda: len(seen) == 1, "the first record")
        await broker.publish(b"second", topic, key=b"k")
        await until(lambda: len(seen) == 2, "the second record")
        assert values(seen) == [b"first", b"second"]
        assert dict(seen[0].headers)["ce_id"] == b"1"

        async def moved_on() -> bool:
            lag = await transport.lag(f"{topic}.g")
            return bool(lag) and sum(lag.values()) == 0

        await until(moved_on, "both records committed")
        assert await broker.ping(60)
    finally:
        await broker.stop()


async def test_a_batch_that_fails_comes_again_whole(transport: Transport, new_topic: NewTopic) -> None:
    topic = await new_topic(3)
    async_sent = [b"%d" % number for number in range(30)]
    for value in async_sent:
        await send(transport, topic, [value], key=value)
    broker = transport.broker("test")
    attempts: Seen = []

    @broker.subscriber(
        topic, batch=True, group_id=f"{topic}.g", ack_policy=AckPolicy.NACK_ON_ERROR, auto_offset_reset="earliest",
        decoder=_undecoded, max_records=30,
    )  # fmt: skip
    async def handle(_: list[Any], message: KafkaMessage) -> None:
        attempts.append(tuple(values(message.raw_message)))
        if len(attempts) <= 2:
            raise RuntimeError("not yet")

    await broker.start()
    try:
        await until(
            lambda: {value for batch in attempts[2:] for value in batch} == set(async_sent), "all after two failures"
        )  # fmt: skip
    finally:
        await broker.stop()
    assert set(attempts[0]) <= {value for batch in attempts[1:] for value in batch}


async def test_what_was_not_acknowledged_comes_again_after_a_restart(transport: Transport, new_topic: NewTopic) -> None:
    topic = await new_topic(1)
    group = f"{topic}.g"
    entered = asyncio.Event()
    await send(transport, topic, [b"1", b"2"])
    broker = transport.broker("test", graceful_timeout=0.01)

    @broker.subscriber(
        topic, batch=True, group_id=group, ack_policy=AckPolicy.NACK_ON_ERROR, auto_offset_reset="earliest",
        decoder=_undecoded,
    )  # fmt: skip
    async def handle(_: list[Any]) -> None:
        entered.set()
        await asyncio.Event().wait()

    await broker.start()
    await asyncio.wait_for(entered.wait(), 120)
    await broker.stop()

    async with consuming(transport, topic, group_id=group) as consumer:
        assert values(await take(consumer, 2)) == [b"1", b"2"]


async def test_a_broker_publishes_batches(transport: Transport, new_topic: NewTopic) -> None:
    topic = await new_topic(2)
    broker = transport.broker("test")
    await broker.connect()
    try:
        await broker.publish_batch(b"1", b"2", b"3", topic=topic, partition=1)
    finally:
        await broker.stop()
    async with consuming(transport, topic) as consumer:
        assert values(await take(consumer, 3)) == [b"1", b"2", b"3"]


async def test_faststreams_at_most_once_default_is_refused(transport: Transport, new_topic: NewTopic) -> None:
    topic = await new_topic(1)
    broker = transport.broker("test")

    @broker.subscriber(topic, group_id=f"{topic}.g")
    async def handle(_: Any) -> None: ...

    with pytest.raises(ValueError, match="ack_policy"):
        await broker.start()
    await broker.stop()
