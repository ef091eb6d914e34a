"""The two transports that every test here runs on."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import pytest

from shared.embedded import EmbeddedTransport
from shared.messaging.kafka import KafkaTransport
from shared.messaging.transport import Transport
from shared.schemas.topics import Topic
from tests.support.transport import NewTopic


@pytest.fixture(params=["embedded", pytest.param("kafka", marks=pytest.mark.docker)])
def made(request: pytest.FixtureRequest, tmp_path: Path) -> Transport:
    """Not started; the server is, outside of any event loop."""
    if request.param == "kafka":
        return KafkaTransport(request.getfixturevalue("kafka_bootstrap"))
    return EmbeddedTransport(tmp_path)


@pytest.fixture
async def transport(made: Transport) -> AsyncIterator[Transport]:
    await made.start()
    yield made
    await made.stop()


@pytest.fixture
def new_topic(transport: Transport) -> NewTopic:
    async def make(partitions: int = 3, **config: str | int) -> str:
        name = f"test.{uuid4().hex}"
        await transport.create_topics(
            [Topic(name, partitions, {key.replace("_", "."): value for key, value in config.items()})]
        )
        return name

    return make
