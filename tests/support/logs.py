"""Fills an embedded log and reads it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from aiokafka import ConsumerRecord

from shared.embedded import DurableLog, EmbeddedConsumer


async def fill(log: DurableLog, topic: str, values: Iterable[bytes], *, key: bytes = b"k", at: int = 1_000) -> None:
    """One after the other, each in a commit of its own."""
    for value in values:
        await log.append(topic, key=key, value=value, timestamp_ms=at)


async def read_all(log: DurableLog, topic: str) -> list[ConsumerRecord]:
    """What is readable now, by partition and offset."""
    consumer = EmbeddedConsumer(topic, log=log)
    await consumer.start()
    ends = {partition.name: partition.end for partition in log.partitions(topic)}
    taken: list[ConsumerRecord] = []
    async with asyncio.timeout(60):
        while [name for name, end in ends.items() if await consumer.position(name) < end]:
            for records in (await consumer.getmany(timeout_ms=100)).values():
                taken += records
    await consumer.stop()
    return sorted(taken, key=lambda record: (record.partition, record.offset))


async def read_values(log: DurableLog, topic: str) -> list[bytes]:
    return [record.value for record in await read_all(log, topic)]
