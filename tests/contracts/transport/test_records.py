"""A record's way through a transport: its place, its order, its parts."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest
from aiokafka.errors import ConsumerStoppedError, MessageSizeTooLargeError, UnknownError
from aiokafka.partitioner import DefaultPartitioner

from shared.messaging.transport import RECORD_BYTES, Transport, follow_records
from tests.support.transport import NewTopic, consuming, producing, send, send_and_wait, take, values


async def test_records_of_one_key_stay_in_one_partition_and_in_order(transport: Transport, new_topic: NewTopic) -> None:
    topic = await new_topic(5)
    sent = [b"%d" % number for number in range(300)]

    stored = await send(transport, topic, sent)

    assert len({metadata.partition for metadata in stored}) == 1
    assert [metadata.offset for metadata in stored] == list(range(300))
    async with consuming(transport, topic) as consumer:
        assert values(await take(consumer, 300)) == sent


async def test_a_key_goes_where_kafkas_own_partitioner_puts_it(transport: Transport, new_topic: NewTopic) -> None:
    topic = await new_topic(12)
    keys = [f"PD2024#FORTRESSService-NA-X{number}".encode() for number in range(50)]
    partitioner = DefaultPartitioner()

    async with producing(transport) as producer:
        stored = [await send_and_wait(producer, topic, b"v", key=key) for key in keys]

    assert [metadata.partition for metadata in stored] == [partitioner(key, list(range(12)), []) for key in keys]


async def test_a_record_arrives_as_it_was_sent(transport: Transport, new_topic: NewTopic) -> None:
    topic = await new_topic(1)
    headers = [("ce_id", b"a:1"), ("ce_type", b"event.created"), ("ce_id", b"twice"), ("empty", b"")]

    async with producing(transport) as producer:
        stored = await send_and_wait(
            producer, topic, b'{"a": 1}', key=b"k", timestamp_ms=1_718_442_000_123, headers=headers
        )
        await send_and_wait(producer, topic, None, key=b"k")
        await send_and_wait(producer, topic, b"", key=None)

    async with consuming(transport, topic) as consumer:
        record, tombstone, keyless = await take(consumer, 3)
    assert (record.topic, record.partition, record.offset) == (topic, stored.partition, stored.offset)
    assert (record.key, record.value, record.timestamp) == (b"k", b'{"a": 1}', 1_718_442_000_123)
    assert list(record.headers) == headers
    assert (record.serialized_key_size, record.serialized_value_size) == (1, 8)
    assert (tombstone.key, tombstone.value, tombstone.serialized_value_size) == (b"k", None, -1)
    assert (keyless.key, keyless.value, list(keyless.headers)) == (None, b"", [])


async def test_a_chosen_partition_is_kept(transport: Transport, new_topic: NewTopic) -> None:
    topic = await new_topic(3)
    async with producing(transport) as producer:
        assert [(await send_and_wait(producer, topic, b"v", partition=number)).partition for number in (2, 0, 1)] == [
            2,
            0,
            1,
        ]


async def test_racing_producers_lose_nothing_and_keep_their_own_order(
    transport: Transport, new_topic: NewTopic
) -> None:
    topic = await new_topic(4)

    async def produce(name: int) -> None:
        async with producing(transport) as producer:
            for number in range(20):
                futures = [
                    await producer.send(topic, b"%d:%d" % (name, 5 * number + step), key=b"producer-%d" % name)
                    for step in range(5)
                ]
                await asyncio.gather(*futures)

    await asyncio.gather(*(produce(name) for name in range(8)))

    async with consuming(transport, topic) as consumer:
        records = await take(consumer, 800)
    seen: dict[bytes, list[int]] = {}
    for record in records:
        name, number = record.value.split(b":")
        seen.setdefault(name, []).append(int(number))
    assert seen == {b"%d" % name: list(range(100)) for name in range(8)}


async def test_what_is_too_large_is_refused_and_the_next_record_goes_through(
    transport: Transport, new_topic: NewTopic
) -> None:
    topic = await new_topic(1)
    async with producing(transport) as producer:
        with pytest.raises(MessageSizeTooLargeError):
            await producer.send(topic, b"x" * (RECORD_BYTES + 1), key=b"k")
        await send_and_wait(producer, topic, b"small", key=b"k")

    async with consuming(transport, topic) as consumer:
        assert values(await take(consumer, 1)) == [b"small"]


async def test_records_as_large_as_any_may_be_are_read_with_small_ones_around_them(
    transport: Transport, new_topic: NewTopic
) -> None:
    topic = await new_topic(2, max_message_bytes=RECORD_BYTES)
    sent = [b"first", b"a" * 1_700_000, b"second", b"b" * (RECORD_BYTES - 200), b"c" * 1_900_000, b"last"]

    await send(transport, topic, sent)

    async with consuming(transport, topic, group_id=f"{topic}.g") as consumer:
        assert values(await take(consumer, len(sent))) == sent
    assert [record.value async for record in follow_records(transport, topic, to_end=True)] == sent


async def test_what_is_not_bytes_is_refused_and_harms_no_other_record(
    transport: Transport, new_topic: NewTopic
) -> None:
    topic = await new_topic(1)
    async with producing(transport) as producer:
        first = await producer.send(topic, b"1", key=b"k")
        with pytest.raises(TypeError):
            await producer.send(topic, {"not": "bytes"}, key=b"k")  # type: ignore[arg-type]
        with pytest.raises(TypeError):
            await producer.send(topic, b"2", key="text")  # type: ignore[arg-type]
        with pytest.raises(TypeError):
            await producer.send(topic, b"2", key=b"k", headers=[("a", "text")])  # type: ignore[list-item]
        second = await producer.send(topic, b"2", key=b"k")
        assert [(await future).offset for future in (first, second)] == [0, 1]


async def test_a_compacted_topic_takes_no_record_without_a_key(transport: Transport, new_topic: NewTopic) -> None:
    topic = await new_topic(1, cleanup_policy="compact")
    async with producing(transport) as producer:
        with pytest.raises(UnknownError):
            await send_and_wait(producer, topic, b"v")
        assert (await send_and_wait(producer, topic, b"v", key=b"k")).offset == 0


async def test_a_producer_that_stops_leaves_nothing_on_its_way(transport: Transport, new_topic: NewTopic) -> None:
    topic = await new_topic(3)
    async with producing(transport) as producer:
        futures = [await producer.send(topic, b"v", key=b"%d" % number) for number in range(100)]
    assert all(future.done() for future in futures)
    assert sum((await transport.end_offsets(topic)).values()) == 100


async def test_a_fetch_brings_at_most_what_is_asked_for_and_leaves_no_partition_out(
    transport: Transport, new_topic: NewTopic
) -> None:
    topic = await new_topic(3)
    async with producing(transport) as producer:
        for number in range(3):
            await asyncio.gather(*[await producer.send(topic, b"v", partition=number) for _ in range(40)])

    async with consuming(transport, topic) as consumer:
        taken: list[tuple[int, int]] = []
        while len(taken) < 120:
            batch = await consumer.getmany(timeout_ms=1_000, max_records=7)
            records = [record for held in batch.values() for record in held]
            assert len(records) <= 7
            taken += [(record.partition, record.offset) for record in records]
    assert sorted(taken) == [(number, offset) for number in range(3) for offset in range(40)]
    assert [place for place in taken if place[0] == 1] == [(1, offset) for offset in range(40)]


async def test_whoever_waits_gets_a_record_as_soon_as_it_is_there(transport: Transport, new_topic: NewTopic) -> None:
    topic = await new_topic(3)
    async with consuming(transport, topic) as consumer, producing(transport) as producer:
        waiting = asyncio.create_task(consumer.getmany(timeout_ms=60_000))
        await send_and_wait(producer, topic, b"v", key=b"k")
        async with asyncio.timeout(60):
            ((record,),) = (await waiting).values()
    assert record.value == b"v"


async def test_a_fetch_of_nothing_is_empty_when_its_time_is_over(transport: Transport, new_topic: NewTopic) -> None:
    topic = await new_topic(1)
    async with consuming(transport, topic) as consumer:
        assert await consumer.getmany(timeout_ms=1) == {}
        assert await consumer.getmany() == {}


async def test_a_stop_wakes_whoever_waits(transport: Transport, new_topic: NewTopic) -> None:
    topic = await new_topic(1)
    consumer = transport.consumer(topic)
    await consumer.start()
    waiting = asyncio.create_task(consumer.getmany(timeout_ms=300_000))
    await asyncio.wait([waiting], timeout=0.3)
    assert not waiting.done()

    await consumer.stop()

    with suppress(ConsumerStoppedError):
        assert await asyncio.wait_for(waiting, 60) == {}
    with pytest.raises(ConsumerStoppedError):
        await consumer.getmany()
