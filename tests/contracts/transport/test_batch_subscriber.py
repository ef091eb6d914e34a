"""The batch subscriber on both transports: batches, acknowledgement, redelivery."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from aiokafka import ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError

from shared.embedded import EmbeddedTransport
from shared.messaging.batch_subscriber import Batch, BatchSubscriber
from shared.messaging.kafka import KafkaTransport
from shared.messaging.transport import Transport
from tests.support.servers import free_port
from tests.support.transport import NewTopic, consuming, send, take, values
from tests.support.waiting import until


def subscriber(
    transport: Transport, topic: str, handle: Callable[[Batch], Awaitable[None]], *, max_records: int = 100
) -> BatchSubscriber:
    return BatchSubscriber(
        transport,
        f"{topic}.g",
        [topic],
        max_records=max_records,
        handle=handle,
        before_revoke=nothing_to_hand_over,
    )


async def nothing_to_hand_over() -> None: ...


def offsets_of(batch: Batch, *, behind: bool) -> dict[TopicPartition, int]:
    """For each partition of the batch the offset behind its last record, or that of its first."""
    records = batch if behind else batch[::-1]
    return {TopicPartition(record.topic, record.partition): record.offset + behind for record in records}


async def test_a_subscriber_gets_raw_records_and_its_group_moves_on(transport: Transport, new_topic: NewTopic) -> None:
    topic = await new_topic(3)
    seen: list[ConsumerRecord] = []

    async def handle(batch: Batch) -> None:
        seen.extend(batch)
        await it.commit(offsets_of(batch, behind=True))

    it = subscriber(transport, topic, handle)
    await it.start()
    try:
        assert it.fetching
        await send(transport, topic, [b"first"])
        await until(lambda: len(seen) == 1, "the first record")
        await send(transport, topic, [b"second"])
        await until(lambda: len(seen) == 2, "the second record")
        assert values(seen) == [b"first", b"second"]

        async def moved_on() -> bool:
            lag = await transport.lag(f"{topic}.g")
            return bool(lag) and sum(lag.values()) == 0

        await until(moved_on, "both records committed")
    finally:
        await it.stop()
    assert not it.fetching


async def test_a_batch_that_is_put_back_comes_again_whole(transport: Transport, new_topic: NewTopic) -> None:
    topic = await new_topic(3)
    sent = [b"%d" % number for number in range(30)]
    for value in sent:
        await send(transport, topic, [value], key=value)
    attempts: list[list[bytes]] = []

    async def handle(batch: Batch) -> None:
        attempts.append(values(batch))
        if len(attempts) <= 2:
            it.rewind(offsets_of(batch, behind=False))
        else:
            await it.commit(offsets_of(batch, behind=True))

    it = subscriber(transport, topic, handle, max_records=30)
    await it.start()
    try:
        await until(lambda: {value for batch in attempts[2:] for value in batch} == set(sent), "all after two failures")
    finally:
        await it.stop()
    assert set(attempts[0]) <= {value for batch in attempts[1:] for value in batch}


async def test_a_part_of_a_batch_can_be_committed(transport: Transport, new_topic: NewTopic) -> None:
    topic = await new_topic(1)
    place = TopicPartition(topic, 0)
    await send(transport, topic, [b"%d" % number for number in range(10)])
    attempts: list[list[bytes]] = []

    async def handle(batch: Batch) -> None:
        attempts.append(values(batch))
        if len(attempts) == 1:
            it.rewind({place: 1})
            await it.commit({place: 1})
            assert await transport.lag(f"{topic}.g") == {place: 9}
        else:
            await it.commit(offsets_of(batch, behind=True))

    it = subscriber(transport, topic, handle)
    await it.start()
    try:
        await until(lambda: attempts and attempts[-1][-1] == b"9" and len(attempts) > 1, "the rest comes again")
    finally:
        await it.stop()
    assert attempts[0][0] == b"0"
    assert attempts[1][0] == b"1"


async def test_what_was_not_settled_comes_again_after_a_restart(transport: Transport, new_topic: NewTopic) -> None:
    topic = await new_topic(1)
    entered = asyncio.Event()
    await send(transport, topic, [b"1", b"2"])

    async def handle(batch: Batch) -> None:
        entered.set()
        await asyncio.Event().wait()

    crashing = subscriber(transport, topic, handle)
    await crashing.start()
    async with asyncio.timeout(120):
        await entered.wait()
    for task in crashing.faststream.tasks:
        task.cancel()
    await crashing.stop()

    async with consuming(transport, topic, group_id=f"{topic}.g") as consumer:
        assert values(await take(consumer, 2)) == [b"1", b"2"]


@pytest.mark.parametrize("kind", ["embedded", "kafka"])
async def test_a_start_fails_while_the_broker_is_away(kind: str, tmp_path: Path) -> None:
    away: Transport = (
        EmbeddedTransport(str(tmp_path)) if kind == "embedded" else KafkaTransport(f"127.0.0.1:{free_port()}")
    )

    async def handle(batch: Batch) -> None: ...

    waiting = subscriber(away, "t", handle)
    with pytest.raises((KafkaError, OSError)):
        await waiting.start()
    await away.stop()
