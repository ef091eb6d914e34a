"""Owns the messaging contract's two brokers: the embedded log, and a real Kafka where Docker is there."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import structlog

from shared.messaging.transport import EmbeddedTransport, KafkaTransport, Transport
from shared.trace import new_id
from tests.contracts.messaging.rig import Rig


@pytest.fixture(autouse=True)
def _plain_logs() -> Iterator[None]:
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.format_exc_info,
            structlog.processors.KeyValueRenderer(["level", "event"]),
        ]
    )
    yield
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


@pytest.fixture(params=["embedded", pytest.param("kafka", marks=pytest.mark.docker)])
async def transport(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Transport]:
    started: Transport
    if request.param == "kafka":
        started = KafkaTransport(request.getfixturevalue("kafka_bootstrap"))
    else:
        started = EmbeddedTransport(tmp_path)
    await started.start()
    yield started
    await started.stop()


@pytest.fixture
async def rig(transport: Transport) -> AsyncIterator[Rig]:
    """A service of its own on the broker: topics nobody else has, a publisher, dead letters."""
    made = Rig(transport, new_id()[:8])
    await made.start()
    yield made
    await made.stop()
