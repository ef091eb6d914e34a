"""The broker goes away under load and comes back: nothing is lost, and a key's events stay in order."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest

from shared.errors import Unavailable
from shared.messaging.kafka import KafkaTransport
from shared.trace import new_id
from tests.contracts.messaging.harness import Harness, Seen
from tests.support import servers
from tests.support.waiting import until

pytestmark = [pytest.mark.docker, pytest.mark.slow]


@pytest.fixture
def server() -> Iterator[servers.Server]:
    """A broker of this test's own, to be killed."""
    server = servers.kafka().start()
    yield server
    server.remove()


@pytest.fixture
async def harness(server: servers.Server) -> AsyncIterator[Harness]:
    transport = KafkaTransport(server.url)
    await transport.start()
    made = Harness(transport, new_id()[:8])
    made.publisher._patience = 2.0
    await made.start()
    yield made
    await made.stop()
    await transport.stop()


async def test_what_was_not_acknowledged_is_sent_again_and_nothing_is_lost(
    server: servers.Server, harness: Harness
) -> None:
    seen = Seen()
    consumer = await harness.consuming(harness.each(seen.take))
    await harness.send(*(harness.event(f"key-{key}") for key in range(10)))
    await until(lambda: len(seen) == 10, "the first ten handled")

    await asyncio.to_thread(server.kill)
    open_ = [harness.event(f"key-{key}", version) for version in range(2, 12) for key in range(10)]
    refused = await asyncio.wait_for(harness.publisher.publish(open_), 60)
    assert all(isinstance(error, Unavailable) for error in refused)

    await asyncio.to_thread(server.start_again)
    deadline = asyncio.get_running_loop().time() + 180
    while open_ and asyncio.get_running_loop().time() < deadline:  # as an outbox relay does
        outcome = await harness.publisher.publish(open_)
        open_ = [message for message, error in zip(open_, outcome, strict=True) if error is not None]

    await until(lambda: len(set(seen)) == 110, "all handled")
    for key in range(10):
        versions = [int(one.partition(":")[2]) for one in seen if one.startswith(f"key-{key}:")]
        assert list(dict.fromkeys(versions)) == list(range(1, 12))
    assert consumer.halted() is None
