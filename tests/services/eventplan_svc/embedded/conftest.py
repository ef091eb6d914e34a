"""eventplan_svc running in a test's own process, one replica or several."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from shared.settings import Settings
from tests.support.clock import FixedClock
from tests.support.embedded_stack import open_stack
from tests.support.eventplan_processes import NOW, EventPlans


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(NOW)


@pytest.fixture
async def stack(settings: Settings, clock: FixedClock) -> AsyncIterator[EventPlans]:
    async with open_stack(EventPlans, settings, clock) as stack:
        yield stack
