"""Owns the two transports every test here runs on."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from uuid import uuid4

import pytest

from shared.messaging.transport import DurableLog, EmbeddedTransport, KafkaTransport, TopicSpec, Transport

NewTopic = Callable[..., Awaitable[str]]


@pytest.fixture(params=["embedded", pytest.param("kafka", marks=pytest.mark.docker)])
async def transport(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Transport]:
    transport: Transport
    if request.param == "embedded":
        transport = EmbeddedTransport(DurableLog(tmp_path))
    else:
        transport = KafkaTransport(request.getfixturevalue("kafka_bootstrap"))
    await transport.start()
    yield transport
    await transport.stop()


@pytest.fixture
def new_topic(transport: Transport) -> NewTopic:
    """Makes a topic nobody else has, and answers its name."""

    async def make(partitions: int = 3, **config: str | int) -> str:
        name = f"test.{uuid4().hex}"
        await transport.create_topics(
            [TopicSpec(name, partitions, {key.replace("_", "."): value for key, value in config.items()})]
        )
        return name

    return make
