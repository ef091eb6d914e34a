"""fleet_svc and event_svc running in a test's own process."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest

from services.event_svc.bootstrap import build as build_event
from services.fleet_svc.bootstrap import build as build_fleet
from shared.clock import FixedClock
from shared.settings import Settings
from tests.support.embedded_stack import Stack, standing


class Both(Stack):
    """``fleet`` and ``event`` call them over HTTP."""

    @property
    def event(self) -> httpx.AsyncClient:
        return self.replicas[0].http

    @property
    def fleet(self) -> httpx.AsyncClient:
        return self.replicas[1].http


@asynccontextmanager
async def running(settings: Settings, clock: FixedClock) -> AsyncIterator[Both]:
    async with standing(Both, settings, clock) as stack:
        await stack.start(build_event)
        await stack.start(build_fleet)
        yield stack


@pytest.fixture
async def stack(settings: Settings, clock: FixedClock) -> AsyncIterator[Both]:
    async with running(settings, clock) as stack:
        yield stack
