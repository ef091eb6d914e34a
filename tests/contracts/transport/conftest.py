"""The two transports that every test here runs on."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from functools import cache
from pathlib import Path
from uuid import uuid4

import pytest

from shared.embedded import DurableLog, EmbeddedTransport
from shared.messaging.kafka import KafkaTransport
from shared.messaging.transport import TopicSpec, Transport
from tests.support.transport import NewTopic


@pytest.fixture(params=["embedded", pytest.param("kafka", marks=pytest.mark.docker)])
def make_transport(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], Transport]:
    """Makes transports of one log or cluster, not started."""
    if request.param == "kafka":
        bootstrap = request.getfixturevalue("kafka_bootstrap")
        return lambda: KafkaTransport(bootstrap)
    log = cache(
        lambda: DurableLog(tmp_path)
    )  # a log belongs to the test's event loop, which runs by the time one is made
    return lambda: EmbeddedTransport(log())


@pytest.fixture
async def transport(make_transport: Callable[[], Transport]) -> AsyncIterator[Transport]:
    transport = make_transport()
    await transport.start()
    yield transport
    await transport.stop()


@pytest.fixture
def new_topic(transport: Transport) -> NewTopic:
    async def make(partitions: int = 3, **config: str | int) -> str:
        name = f"test.{uuid4().hex}"
        await transport.create_topics(
            [TopicSpec(name, partitions, {key.replace("_", "."): value for key, value in config.items()})]
        )
        return name

    return make
