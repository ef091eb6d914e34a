"""Topics, lag, and whether a transport answers."""

from __future__ import annotations

import asyncio
from collections.abc import ItemsView
from pathlib import Path

import pytest
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaConnectionError, MessageSizeTooLargeError, UnknownTopicOrPartitionError

from shared.embedded import EmbeddedTransport
from shared.messaging.kafka import KafkaTransport
from shared.messaging.transport import TopicMismatch, Transport
from shared.schemas.topics import Topic
from tests.support.servers import free_port
from tests.support.transport import NewTopic, consuming, send, take
from tests.support.waiting import until


async def settings_of(transport: KafkaTransport, topic: str) -> ItemsView[str, str]:
    admin = AIOKafkaAdminClient(bootstrap_servers=transport.bootstrap_servers)
    await admin.start()
    try:
        (answer,) = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic)])
    finally:
        await admin.close()
    ((_, _, _, _, settings),) = answer.resources
    return {name: value for name, value, *_ in settings}.items()


async def test_making_topics_again_changes_nothing(transport: Transport, new_topic: NewTopic) -> None:
    topic = await new_topic(2)
    await send(transport, topic, [b"kept"])

    await asyncio.gather(*(transport.create_topics([Topic(topic, 2)]) for _ in range(3)))

    assert sum((await transport.end_offsets(topic)).values()) == 1
    await transport.create_topics([])


async def test_another_partition_count_is_refused_naming_topic_and_counts(
    transport: Transport, new_topic: NewTopic
) -> None:
    topic = await new_topic(2)
    with pytest.raises(TopicMismatch, match=f"{topic} has 2 partitions and 3 are asked for"):
        await transport.create_topics([Topic(topic, 3)])


async def test_kafkas_own_settings_are_taken(transport: Transport, new_topic: NewTopic) -> None:
    topic = await new_topic(1, cleanup_policy="compact", min_compaction_lag_ms=604_800_000)
    assert await transport.end_offsets(topic) == {TopicPartition(topic, 0): 0}


async def test_the_largest_record_of_a_topic_is_raised_and_its_other_settings_stay(
    transport: Transport, new_topic: NewTopic
) -> None:
    topic = await new_topic(1, max_message_bytes=100_000, retention_ms=777_000_000)

    for _ in range(2):
        await transport.create_topics([Topic(topic, 1, {"max.message.bytes": "8388608"})])

    async def taken() -> bool:
        try:
            await send(transport, topic, [b"x" * 2_000_000])
        except MessageSizeTooLargeError:  # a broker goes by a setting a moment after it has answered
            return False
        return True

    await until(taken, "the larger record is taken")
    if isinstance(transport, KafkaTransport):
        assert (
            await settings_of(transport, topic) >= {"max.message.bytes": "8388608", "retention.ms": "777000000"}.items()
        )


async def test_an_unknown_topic_is_an_error(transport: Transport) -> None:
    with pytest.raises(UnknownTopicOrPartitionError):
        await transport.end_offsets("nobody.made.this")


async def test_lag_counts_what_a_group_has_not_committed(transport: Transport, new_topic: NewTopic) -> None:
    topic = await new_topic(1)
    place = TopicPartition(topic, 0)
    await send(transport, topic, [b"1", b"2", b"3"])
    assert await transport.lag(f"{topic}.g") == {}
    async with consuming(transport, topic, group_id=f"{topic}.g") as consumer:
        await take(consumer, 3)
        await consumer.commit({place: 1})
        assert await transport.lag(f"{topic}.g") == {place: 2}
        await consumer.commit()
        assert await transport.lag(f"{topic}.g") == {place: 0}


async def test_a_transport_that_runs_answers(transport: Transport) -> None:
    await transport.ping(60)


@pytest.mark.parametrize("kind", ["embedded", "kafka"])
async def test_a_transport_that_is_away_says_so(kind: str, tmp_path: Path) -> None:
    away: Transport = EmbeddedTransport(tmp_path) if kind == "embedded" else KafkaTransport(f"127.0.0.1:{free_port()}")
    with pytest.raises(KafkaConnectionError):
        await away.ping(1)
    await away.stop()


@pytest.mark.parametrize("name", ["", "with space", "a/b", "x" * 250, "."])
def test_a_name_kafka_would_refuse_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="no topic name"):
        Topic(name, 1)
