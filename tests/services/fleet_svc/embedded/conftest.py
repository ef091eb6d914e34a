"""fleet_svc and event_svc running in a test's own process."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from shared.settings import Settings
from tests.support.clock import FixedClock
from tests.support.fleet import Both, running


@pytest.fixture
async def stack(settings: Settings, clock: FixedClock) -> AsyncIterator[Both]:
    async with running(settings, clock) as stack:
        yield stack
