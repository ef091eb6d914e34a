"""Owns what the transport tests do again and again: send in order, read until a count is there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import ConsumerRecord
from aiokafka.structs import RecordMetadata

from shared.messaging.transport import Consumer, Producer, Transport

PATIENCE = 180.0


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


async def take(consumer: Consumer, count: int, *, max_records: int | None = None) -> list[ConsumerRecord]:
    """So many records, in the order they came; TimeoutError when they do not come."""
    taken: list[ConsumerRecord] = []
    async with asyncio.timeout(PATIENCE):
        while len(taken) < count:
            for records in (await consumer.getmany(timeout_ms=1_000, max_records=max_records)).values():
                taken += records
    return taken


def values(records: Sequence[ConsumerRecord]) -> list[bytes]:
    return [record.value for record in records]
