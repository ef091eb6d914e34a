"""Kafka gone for a while under everybody's hands, and back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from aiokafka.errors import CommitFailedError, KafkaConnectionError, KafkaError

from shared.messaging.transport import KafkaTransport, TopicSpec
from tests import servers
from tests.contracts.transport.reading import consuming, producing, take, values
from tests.waiting import until

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
    await transport.create_topics([TopicSpec("t", 1)])
    async with (
        producing(transport) as producer,
        consuming(transport, "t", group_id="g") as consumer,
    ):
        await producer.send_and_wait("t", b"before", key=b"k")
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

        await until(answers)
        assert (await asyncio.wait_for(waiting, 180)).offset == 1
        await producer.send_and_wait("t", b"after", key=b"k")

        async def committed() -> bool:
            assert values(await take(consumer, 2)) == [b"meanwhile", b"after"]
            try:
                await consumer.commit()
            except CommitFailedError:  # the group was made anew meanwhile: the records are delivered again
                return False
            return True

        await until(committed)
        assert sum((await transport.lag("g")).values()) == 0
    await transport.stop()
