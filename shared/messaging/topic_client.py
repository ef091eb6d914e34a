"""A plain client of topics: creates them, and reads their records without a consumer group.

Nothing here needs FastStream, which takes a second to import.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Final

from aiokafka import ConsumerRecord, TopicPartition

from shared.errors import Unavailable
from shared.messaging.transport import Transport
from shared.schemas.topics import TOPICS

_POLL_MS: Final = 1_000  # a waiting consumer returns earlier, when a record is there
_POLL_TO_END_MS: Final = 100  # the end of a topic is noticed after so long
_READ_SECONDS: Final = 30.0  # as long as a publisher waits for the broker


async def ensure_topics(transport: Transport, service: str | None = None) -> None:
    """Creates the topics that a service owns, produces or consumes, where they are missing; without one, all topics.

    Idempotent. A service creates what it consumes as well, so that services may start in any order.
    """
    wanted = [
        topic
        for topic in TOPICS.values()
        if service is None or service in (topic.owner, *topic.producers, *topic.consumers)
    ]
    await transport.create_topics(wanted)


async def follow_records(
    transport: Transport, topic: str, since: Mapping[TopicPartition, int] | None = None, *, to_end: bool = False
) -> AsyncGenerator[ConsumerRecord, None]:
    """The records of some partitions from these offsets on; without offsets, all records of the topic.

    Endless; with ``to_end`` up to the end that the topic has now. UnknownTopicOrPartitionError.
    """
    ends = await transport.end_offsets(topic)
    positions = dict.fromkeys(ends, 0) if since is None else since
    if to_end and all(offset >= ends[place] for place, offset in positions.items()):
        return
    consumer = transport.consumer()
    await consumer.start()
    try:
        consumer.assign(list(positions))
        for place, offset in positions.items():
            consumer.seek(place, offset)
        while not to_end or any([await consumer.position(place) < ends[place] for place in positions]):
            batch = await consumer.getmany(timeout_ms=_POLL_TO_END_MS if to_end else _POLL_MS)
            for place, records in batch.items():
                for record in records:
                    if not to_end or record.offset < ends[place]:
                        yield record
    finally:
        await consumer.stop()


async def read_record(transport: Transport, topic: str, partition: int, offset: int) -> ConsumerRecord | None:
    """The record at one offset; None when it is no longer there. Unavailable when it does not come in time."""
    since = {TopicPartition(topic, partition): offset}
    try:
        async with (
            asyncio.timeout(_READ_SECONDS),
            aclosing(follow_records(transport, topic, since, to_end=True)) as records,
        ):
            async for record in records:
                return record if record.offset == offset else None
    except TimeoutError:
        late = f"{topic}-{partition} did not give its record {offset} in {_READ_SECONDS:.0f} s"
        raise Unavailable(late) from None
    return None
