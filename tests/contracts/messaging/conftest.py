"""The two brokers of the messaging contract: the embedded log, and a real Kafka where Docker is there."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from shared.embedded import EmbeddedTransport
from shared.messaging.kafka import KafkaTransport
from shared.messaging.transport import Transport
from shared.trace import new_id
from tests.contracts.messaging.harness import Harness


@pytest.fixture(params=["embedded", pytest.param("kafka", marks=pytest.mark.docker)])
def made(request: pytest.FixtureRequest, tmp_path: Path) -> Transport:
    """Not started; the server is, outside of any event loop."""
    if request.param == "kafka":
        return KafkaTransport(request.getfixturevalue("kafka_bootstrap"))
    return EmbeddedTransport(tmp_path)


@pytest.fixture
async def transport(made: Transport) -> AsyncIterator[Transport]:
    started = made
    await started.start()
    yield started
    await started.stop()


@pytest.fixture
async def harness(transport: Transport) -> AsyncIterator[Harness]:
    """A service of its own on the broker: topics nobody else has, a publisher, dead letters."""
    made = Harness(transport, new_id()[:8])
    await made.start()
    yield made
    await made.stop()
