"""A plain client of topics for tools, tests and start-up: create topics, read records, send a command and wait for it.

Nothing here needs FastStream, which takes a second to import.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from datetime import datetime
from typing import Any, Final, Literal

from aiokafka import ConsumerRecord, TopicPartition

from shared.envelope import Message, Record, decode
from shared.errors import Poison, Unavailable
from shared.messaging.publisher import Publisher, publish_all
from shared.messaging.transport import RECORD_BYTES, Consumer, TopicSpec, Transport
from shared.schemas.results import CommandResult
from shared.schemas.topic_types import Topic
from shared.schemas.topics import COMMAND_RESULTS, TOPICS

Since = Literal["earliest", "latest"] | datetime

_POLL_MS: Final = 1_000  # a waiting consumer returns earlier, when a record is there
_POLL_TO_END_MS: Final = 100  # the end of a topic is noticed after so long
_READ_SECONDS: Final = 30.0  # as long as a publisher waits for the broker


def topic_specs(topics: Iterable[Topic]) -> list[TopicSpec]:
    """The registry's topics as a transport creates them; each takes the largest record that EPIC sends."""
    size = {"max.message.bytes": str(RECORD_BYTES)}
    return [TopicSpec(topic.name, topic.partitions, {**topic.config, **size}) for topic in topics]


async def ensure_topics(transport: Transport, service: str | None = None) -> None:
    """Creates the topics that a service owns, produces or consumes, where they are missing; without one, all topics.

    Idempotent. A service creates what it consumes as well, so that services may start in any order.
    """
    await transport.create_topics(
        topic_specs(
            topic
            for topic in TOPICS.values()
            if service is None or service == topic.owner or service in topic.producers or service in topic.consumers
        )
    )


async def follow(
    transport: Transport,
    topic: str,
    *,
    since: Since = "earliest",
    group: str | None = None,
    to_end: bool = False,
    poison: Callable[[Record, Poison], None] | None = None,
) -> AsyncIterator[Message]:
    """The messages of a topic from a point on (a time: those written since then), for ever or up to the present end.

    With a ``group`` it begins where the group committed, and commits what the loop has taken when it asks for more.
    A record that is no CloudEvent is given to ``poison``; without one it is raised.
    """
    async for record in follow_records(transport, topic, since=since, group=group, to_end=to_end):
        try:
            message = decode(record)
        except Poison as error:
            if poison is None:
                raise
            poison(record, error)
        else:
            yield message


async def follow_records(
    transport: Transport, topic: str, *, since: Since = "earliest", group: str | None = None, to_end: bool = False
) -> AsyncIterator[ConsumerRecord]:
    """As ``follow``, undecoded."""
    ends = await transport.end_offsets(topic) if to_end else None
    earliest = int(since.timestamp() * 1000) if isinstance(since, datetime) else 0
    reset = since if isinstance(since, str) else "earliest"
    names = (topic,) if group is not None else ()
    consumer = transport.consumer(*names, group_id=group, auto_offset_reset=reset)
    await consumer.start()
    try:
        if group is None:
            await _assign_all(consumer, await transport.end_offsets(topic), at_end=since == "latest")
        while ends is None or not await _reached(consumer, ends):
            batch = await consumer.getmany(timeout_ms=_POLL_MS if ends is None else _POLL_TO_END_MS)
            for records in batch.values():
                for record in records:
                    within = ends is None or record.offset < ends[TopicPartition(topic, record.partition)]
                    if within and record.timestamp >= earliest:
                        yield record
            if group is not None and batch:
                await consumer.commit()
    finally:
        await consumer.stop()


async def read_record(transport: Transport, topic: str, partition: int, offset: int) -> ConsumerRecord | None:
    """The record at one offset; None when it is no longer there. Unavailable when it does not come in time."""
    place = TopicPartition(topic, partition)
    if (await transport.end_offsets(topic)).get(place, 0) <= offset:
        return None
    consumer = transport.consumer()
    await consumer.start()
    try:
        consumer.assign([place])
        if (await consumer.beginning_offsets([place]))[place] > offset:
            return None
        consumer.seek(place, offset)
        deadline = asyncio.get_running_loop().time() + _READ_SECONDS
        while asyncio.get_running_loop().time() < deadline:
            for record in (await consumer.getmany(place, timeout_ms=_POLL_MS, max_records=1)).get(place, ()):
                return record if record.offset == offset else None
        raise Unavailable(f"{topic}-{partition} did not give its record {offset} in {_READ_SECONDS:.0f} s")
    finally:
        await consumer.stop()


async def request(
    transport: Transport,
    command: Message,
    *,
    publisher: Publisher | None = None,
    patience: float = 30.0,
    results: str = COMMAND_RESULTS,
) -> CommandResult:
    """Sends a command and waits for its result. Unavailable when none has come within ``patience`` seconds.

    Sending it again with the same command id is safe: the first result comes again.
    """
    sender = publisher or Publisher(transport, command.source)
    consumer = transport.consumer()
    await consumer.start()
    try:
        await _assign_all(consumer, await transport.end_offsets(results), at_end=True)
        async with asyncio.timeout(patience):
            await publish_all(sender, [command])
            while True:
                for records in (await consumer.getmany(timeout_ms=_POLL_MS)).values():
                    for record in records:
                        result = _result_of(record, command)
                        if result is not None:
                            return result
    except TimeoutError:
        raise Unavailable(f"{command.type} {command.id} was not answered within {patience:.0f} s") from None
    finally:
        await consumer.stop()
        if publisher is None:
            await sender.stop()


def _result_of(record: ConsumerRecord, command: Message) -> CommandResult | None:
    """The command's result, when the record is that."""
    try:
        message = decode(record)
        if message.trace.causation_id != command.id:
            return None
        result = CommandResult.model_validate_json(message.data, extra="ignore")
    except (ValueError, Poison):
        return None
    return result if result.source == command.source else None


async def _assign_all(consumer: Consumer, ends: Mapping[TopicPartition, int], *, at_end: bool) -> None:
    """Assigns every partition and sets its position, so that nothing written from now on is missed."""
    partitions = sorted(ends)
    consumer.assign(partitions)
    if at_end:
        for partition in partitions:
            consumer.seek(partition, ends[partition])
    else:
        await consumer.seek_to_beginning(*partitions)


async def _reached(consumer: Consumer, ends: Mapping[TopicPartition, int]) -> bool:
    assigned = consumer.assignment()
    if not assigned:
        return not any(ends.values())
    positions: dict[TopicPartition, Any] = {partition: await consumer.position(partition) for partition in assigned}
    return all(positions.get(partition, end) >= end for partition, end in ends.items())
