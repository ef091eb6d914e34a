"""A service's consumers join their groups beside each other, and wait for a broker that is away."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest

from shared.errors import Unavailable
from shared.messaging.consumer import Consumer
from shared.messaging.transport import Transport
from shared.service import running
from shared.service.running import Consumers
from shared.web import Unready


class Joining:
    """A consumer that joins once all the others are at it too."""

    def __init__(self, together: asyncio.Barrier, *, failures: int = 0) -> None:
        self.subscription = SimpleNamespace(group="g")
        self.lag = 0
        self.together = together
        self.failures = failures
        self.stopped = False

    async def start(self) -> None:
        if self.failures:
            self.failures -= 1
            raise Unavailable("the broker is away")
        await self.together.wait()

    async def stop(self) -> None:
        self.stopped = True

    def halted(self) -> None:
        """It gets on."""


class Broker:
    async def create_topics(self, specs: Any) -> None:
        return None


def consuming(joining: list[Joining]) -> Consumers:
    return Consumers("x_svc", cast("Transport", Broker()), [cast("Consumer", one) for one in joining])


async def test_no_consumer_waits_for_another_to_have_joined() -> None:
    together = asyncio.Barrier(3)
    begins = consuming([Joining(together) for _ in range(3)])
    await asyncio.wait_for(begins.start(), 60)
    assert (await begins.health())["Groups"] == {"g": {"State": "running", "Lag": 0}}
    await begins.stop()


async def test_one_that_finds_the_broker_away_tries_again_beside_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "_RETRY", 0.01)
    together = asyncio.Barrier(2)
    begins = consuming([Joining(together, failures=2), Joining(together)])
    await asyncio.wait_for(begins.start(), 60)
    await begins.health()
    await begins.stop()


async def test_stopped_while_they_join_it_is_unready_and_leaves_none_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "_START_WAIT", 0.01)
    joining = [Joining(asyncio.Barrier(2))]
    begins = consuming(joining)
    await begins.start()
    with pytest.raises(Unready, match="joining their groups"):
        await begins.health()
    await asyncio.wait_for(begins.stop(), 60)
    assert joining[0].stopped
