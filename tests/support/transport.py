"""Sends and reads records on any transport: in order, and until a count is reached."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import ConsumerRecord
from aiokafka.structs import RecordMetadata

from shared.envelope import Message, decode
from shared.messaging.transport import Consumer, Producer, Transport, follow_records

NewTopic = Callable[..., Awaitable[str]]
"""Creates a topic that no other test uses, with so many partitions and these settings, and returns its name."""

_PATIENCE = 180.0


@asynccontextmanager
async def producing(transport: Transport) -> AsyncIterator[Producer]:
    producer = transport.producer()
    await producer.start()
    try:
        yield producer
    finally:
        await producer.stop()


@asynccontextmanager
async def consuming(transport: Transport, *topics: str, **options: Any) -> AsyncIterator[Consumer]:
    consumer = transport.consumer(*topics, **options)
    await consumer.start()
    try:
        yield consumer
    finally:
        await consumer.stop()


async def send(
    transport: Transport, topic: str, values: Sequence[bytes], *, key: bytes = b"k", partition: int | None = None
) -> list[RecordMetadata]:
    async with producing(transport) as producer:
        futures = [await producer.send(topic, value, key=key, partition=partition) for value in values]
        return list(await asyncio.gather(*futures))


async def send_and_wait(producer: Producer, topic: str, value: bytes | None = None, **options: Any) -> RecordMetadata:
    """Returns when the record is durable; ``options`` are those of ``Producer.send``."""
    return await (await producer.send(topic, value, **options))


async def take(consumer: Consumer, count: int, *, max_records: int | None = None) -> list[ConsumerRecord]:
    """So many records in the order of their arrival; TimeoutError when they do not arrive."""
    taken: list[ConsumerRecord] = []
    async with asyncio.timeout(_PATIENCE):
        while len(taken) < count:
            for records in (await consumer.getmany(timeout_ms=1_000, max_records=max_records)).values():
                taken += records
    return taken


def values(records: Sequence[ConsumerRecord]) -> list[bytes]:
    return [record.value for record in records]


async def messages_of(transport: Transport, topic: str) -> list[Message]:
    """Everything that lies in a topic now."""
    return [decode(record) async for record in follow_records(transport, topic, to_end=True)]
