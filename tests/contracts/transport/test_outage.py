"""Kafka gone for a while under everybody's hands, and back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import (
    CommitFailedError,
    KafkaConnectionError,
    KafkaError,
    LeaderNotAvailableError,
    NotLeaderForPartitionError,
)

from shared.messaging.kafka import KafkaTransport
from shared.schemas.topics import Topic
from tests.support import servers
from tests.support.transport import consuming, producing, send, send_and_wait, take, values
from tests.support.waiting import until

pytestmark = [pytest.mark.docker, pytest.mark.slow]


@pytest.fixture
async def server() -> AsyncIterator[servers.Server]:
    server = servers.kafka()
    try:
        yield await asyncio.to_thread(server.start)
    finally:
        await asyncio.to_thread(server.remove)


async def test_clients_live_through_an_outage_and_nothing_acknowledged_is_lost(server: servers.Server) -> None:
    transport = KafkaTransport(server.url)
    await transport.start()
    await transport.create_topics([Topic("t", 1)])
    async with (
        producing(transport) as producer,
        consuming(transport, "t", group_id="g") as consumer,
    ):
        await send_and_wait(producer, "t", b"before", key=b"k")
        assert values(await take(consumer, 1)) == [b"before"]
        await consumer.commit()

        await asyncio.to_thread(server.stop)
        with pytest.raises(KafkaConnectionError, match="does not answer"):
            await transport.ping(5)
        waiting = await producer.send("t", b"meanwhile", key=b"k")
        await asyncio.to_thread(server.start_again)

        async def answers() -> bool:
            try:
                await transport.ping(5)
            except KafkaError:
                return False
            return True

        await until(answers, "Kafka answers")
        try:
            stored = await asyncio.wait_for(waiting, 180)
            await send_and_wait(producer, "t", b"after", key=b"k")
        except (LeaderNotAvailableError, NotLeaderForPartitionError):  # away longer than a client waits
            stored, _ = await send(transport, "t", [b"meanwhile", b"after"])
        assert stored.offset == 1
        seen: list[bytes] = []

        async def committed() -> bool:
            try:
                await consumer.commit({TopicPartition("t", 0): 3})
            except CommitFailedError:  # the group was made anew meanwhile
                return False
            return True

        while b"after" not in seen:  # a group that is made anew has records delivered again
            seen += values(await take(consumer, 1))
        assert list(dict.fromkeys(seen)) == [b"meanwhile", b"after"]
        await until(committed, "what was taken is committed")
        assert sum((await transport.lag("g")).values()) == 0
    await transport.stop()
