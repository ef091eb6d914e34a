"""What the embedded clients do beyond what they share with Kafka's."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from aiokafka import ConsumerRecord, TopicPartition
from aiokafka.abc import ConsumerRebalanceListener
from aiokafka.errors import (
    ConsumerStoppedError,
    IllegalStateError,
    KafkaConnectionError,
    ProducerClosed,
    UnknownTopicOrPartitionError,
)

from shared.embedded import DurableLog, EmbeddedConsumer, EmbeddedProducer
from shared.schemas.topics import Topic
from tests.support.logs import fill, read_all, read_values


async def one(consumer: EmbeddedConsumer) -> ConsumerRecord:
    """The next record, whenever it comes."""
    ((record,),) = (await consumer.getmany(timeout_ms=60_000, max_records=1)).values()
    return record


async def test_every_record_is_read_once_and_from_its_own_topic(tmp_path: Path) -> None:
    async with DurableLog(tmp_path) as log:
        await log.create_topics([Topic("t", 3), Topic("other", 1)])
        written = set()
        for number in range(40):
            await log.append("other", key=b"k", value=b"not this")
            places = await asyncio.gather(*(log.append("t", key=b"%d" % key, value=b"%d" % number) for key in range(7)))
            written |= {(place.partition, place.offset, b"%d" % number) for place in places}

        read = [(record.partition, record.offset, record.value) for record in await read_all(log, "t")]

    assert read == sorted(written)


async def test_much_is_read_in_pieces_and_whole(tmp_path: Path) -> None:
    async with DurableLog(tmp_path) as log:
        await log.create_topics([Topic("t", 2)])
        for number in range(2):
            appends = [log.append("t", key=b"", value=b"x" * 50_000, partition=number) for _ in range(120)]
            await asyncio.gather(*appends)
        records = await read_all(log, "t")
        assert [(record.partition, record.offset) for record in records] == [
            (number, offset) for number in range(2) for offset in range(120)
        ]


async def test_a_seek_into_the_middle_of_what_was_written_together_begins_there(tmp_path: Path) -> None:
    async with DurableLog(tmp_path) as log:
        await log.create_topics([Topic("t", 1)])
        await asyncio.gather(*(log.append("t", key=b"k", value=b"%d" % number) for number in range(100)))
        consumer = EmbeddedConsumer("t", log=log)
        await consumer.start()
        for offset in (73, 0, 99):
            consumer.seek(TopicPartition("t", 0), offset)
            assert (await one(consumer)).offset == offset
        await consumer.stop()


async def test_partitions_take_turns(log: DurableLog) -> None:
    await log.create_topics([Topic("t", 3)])
    await asyncio.gather(*(log.append("t", key=b"", value=b"v", partition=n) for n in range(3) for _ in range(50)))
    consumer = EmbeddedConsumer("t", log=log)
    await consumer.start()
    fetched = [await consumer.getmany(max_records=5) for _ in range(3)]
    await consumer.stop()
    assert {name.partition for batch in fetched for name in batch} == {0, 1, 2}


async def test_a_seek_during_a_fetch_wins(tmp_path: Path) -> None:
    async with DurableLog(tmp_path) as log:
        await log.create_topics([Topic("t", 1)])
        await fill(log, "t", [b"%d" % number for number in range(20)])
        consumer = EmbeddedConsumer("t", log=log)
        await consumer.start()
        fetch = asyncio.create_task(consumer.getmany(timeout_ms=10_000))
        await asyncio.sleep(0)
        consumer.seek(TopicPartition("t", 0), 15)
        (records,) = (await fetch).values()
        assert [record.offset for record in records] == list(range(15, 20))
        await consumer.stop()


async def test_a_long_stretch_without_records_of_a_partition_is_passed_over(tmp_path: Path) -> None:
    async with DurableLog(tmp_path) as log:
        await log.create_topics([Topic("t", 2, {"cleanup.policy": "compact"})])
        await log.append("t", key=b"a", value=b"replaced", partition=0, timestamp_ms=1)
        for number in range(6):
            await log.append("t", key=b"%d" % number, value=b"x" * 1_000_000, partition=1, timestamp_ms=1)
        await log.append("t", key=b"a", value=b"newest", partition=0, timestamp_ms=1)
        await log.sweep(2)
        consumer = EmbeddedConsumer(log=log)
        await consumer.start()
        consumer.assign([TopicPartition("t", 0)])
        consumer.seek(TopicPartition("t", 0), 0)
        async with asyncio.timeout(60):
            assert (await one(consumer)).value == b"newest"
        await consumer.stop()


async def test_a_cancelled_fetch_loses_nothing(tmp_path: Path) -> None:
    async with DurableLog(tmp_path) as log:
        await log.create_topics([Topic("t", 1)])
        await fill(log, "t", [b"%d" % number for number in range(20)])
        consumer = EmbeddedConsumer("t", log=log)
        await consumer.start()
        for _ in range(20):
            fetch = asyncio.create_task(consumer.getmany(max_records=3))
            await asyncio.sleep(0)
            fetch.cancel()
            await asyncio.wait([fetch])
        taken = [await one(consumer) for _ in range(20)]
        assert [record.offset for record in taken] == list(range(20))
        await consumer.stop()


class Seeking(ConsumerRebalanceListener):  # type: ignore[misc]
    """Begins at the second record, wherever the group is."""

    def __init__(self, consumer: EmbeddedConsumer) -> None:
        self.consumer = consumer

    def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None: ...

    async def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        self.consumer.seek(TopicPartition("t", 0), 1)


async def test_a_listener_may_seek_before_anything_is_read(log: DurableLog) -> None:
    await log.create_topics([Topic("t", 1)])
    await fill(log, "t", [b"old"])
    consumer = EmbeddedConsumer(log=log, group_id="g")
    consumer.subscribe(["t"], listener=Seeking(consumer))
    await consumer.start()
    await fill(log, "t", [b"new"])
    assert (await one(consumer)).value == b"new"
    await consumer.stop()


class Failing(ConsumerRebalanceListener):  # type: ignore[misc]
    def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:
        raise RuntimeError("revoked")

    def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        raise RuntimeError("assigned")


async def test_a_listener_that_fails_is_logged_and_reading_goes_on(
    log: DurableLog, caplog: pytest.LogCaptureFixture
) -> None:
    await log.create_topics([Topic("t", 2)])
    consumer = EmbeddedConsumer(log=log, group_id="g")
    consumer.subscribe(["t"], listener=Failing())
    await consumer.start()
    other = EmbeddedConsumer("t", log=log, group_id="g")
    await other.start()
    await other.stop()
    await fill(log, "t", [b"v"])
    async with asyncio.timeout(60):
        assert (await one(consumer)).value == b"v"
    await consumer.stop()
    assert "a rebalance listener of group g failed" in caplog.text


async def test_a_consumer_stopped_while_it_joins_keeps_no_partition(log: DurableLog) -> None:
    await log.create_topics([Topic("t", 2)])
    joining = EmbeddedConsumer("t", log=log, group_id="g")
    start = asyncio.create_task(joining.start())
    await asyncio.sleep(0)
    await joining.stop()
    await start
    other = EmbeddedConsumer("t", log=log, group_id="g")
    await other.start()
    assert len(other.assignment()) == 2
    await other.stop()


async def test_reading_needs_a_topic_that_exists_and_a_log_that_runs(log: DurableLog, tmp_path: Path) -> None:
    with pytest.raises(UnknownTopicOrPartitionError, match=r"nobody\.made\.it"):
        await EmbeddedConsumer("nobody.made.it", log=log).start()
    with pytest.raises(KafkaConnectionError, match="not running"):
        await EmbeddedConsumer(log=DurableLog(tmp_path)).start()
    consumer = EmbeddedConsumer(log=log)
    await consumer.start()
    with pytest.raises(TypeError):
        consumer.subscribe(pattern="t")
    with pytest.raises(TypeError):
        consumer.subscribe()
    with pytest.raises(IllegalStateError):
        await consumer.position(TopicPartition("t", 0))
    await consumer.stop()
    with pytest.raises(ConsumerStoppedError):
        await consumer.getmany()


async def test_a_producer_that_does_not_run_sends_nothing(log: DurableLog) -> None:
    await log.create_topics([Topic("t", 1)])
    producer = EmbeddedProducer(log)
    with pytest.raises(ProducerClosed):
        await producer.send("t", b"v")
    await producer.start()
    with pytest.raises(ValueError, match="a key or a value"):
        await producer.send("t")
    with pytest.raises(UnknownTopicOrPartitionError):
        await producer.send("unknown", b"v")
    with pytest.raises(UnknownTopicOrPartitionError, match="no partition 4"):
        await producer.send("t", b"v", partition=4)
    await producer.stop()
    with pytest.raises(ProducerClosed):
        await producer.send("t", b"v")
    await producer.stop()
    assert await read_values(log, "t") == []
