"""A group set back takes in again what it consumed: all, or what was written since; never while somebody consumes."""

from __future__ import annotations

import time
from uuid import uuid4

import pytest
from aiokafka import TopicPartition

from shared.messaging.transport import GroupInUse, Transport
from tests.support.transport import NewTopic, send_and_wait


async def write(transport: Transport, topic: str, *values: bytes) -> None:
    producer = transport.producer()
    await producer.start()
    for value in values:
        await send_and_wait(producer, topic, value, key=b"k", partition=0)
    await producer.stop()


async def read(transport: Transport, topic: str, group: str, count: int) -> list[bytes]:
    """The next records of the group, committed."""
    consumer, values = transport.consumer(topic, group_id=group), list[bytes]()
    await consumer.start()
    while len(values) < count:
        for records in (await consumer.getmany(timeout_ms=1_000)).values():
            values += [record.value or b"" for record in records]
    await consumer.commit()
    await consumer.stop()
    return values


async def test_a_group_is_set_back_to_the_beginning_or_to_a_time(transport: Transport, new_topic: NewTopic) -> None:
    topic, group = await new_topic(2), f"fleet_svc.{uuid4().hex}"
    await write(transport, topic, b"1", b"2")
    between = int(time.time() * 1000) + 1
    while int(time.time() * 1000) <= between:
        pass  # the next record must be of a later millisecond
    await write(transport, topic, b"3")
    assert await read(transport, topic, group, 3) == [b"1", b"2", b"3"]

    assert group in await transport.groups()
    assert await transport.rewind(group, between) == {TopicPartition(topic, 0): 1}
    assert await read(transport, topic, group, 1) == [b"3"]
    assert await transport.rewind(group, between + 3_600_000) == {}
    assert await transport.rewind(group, None) == {TopicPartition(topic, 0): 3}
    assert await transport.rewind(group, None) == {}, "it is there already"
    assert await transport.rewind(group, between) == {}, "never forward"
    assert await read(transport, topic, group, 3) == [b"1", b"2", b"3"]


async def test_a_group_that_is_consumed_under_is_left_alone(transport: Transport, new_topic: NewTopic) -> None:
    topic, group = await new_topic(2), f"fleet_svc.{uuid4().hex}"
    await write(transport, topic, b"1")
    await read(transport, topic, group, 1)
    consumer = transport.consumer(topic, group_id=group)
    await consumer.start()
    try:
        await consumer.getmany(timeout_ms=100)
        with pytest.raises(GroupInUse):
            await transport.rewind(group, None)
    finally:
        await consumer.stop()
    assert (await transport.lag(group))[TopicPartition(topic, 0)] == 0
