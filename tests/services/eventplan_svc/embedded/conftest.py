"""Owns eventplan_svc running in a test's own process, one replica or several."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from services.eventplan_svc.bootstrap import build
from shared.clock import FixedClock
from shared.settings import Settings
from tests.support.embedded_stack import Replica, Stack, standing
from tests.support.eventplan_processes import NOW


class EventPlans(Stack):
    async def replica(self) -> Replica:
        return await self.start(build)


async def dashboard(replica: Replica, **body: Any) -> Any:
    answer = await replica.http.put("/event/PD2024/dashboard", json=body)
    return answer.json() if answer.status_code == 200 else None


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(NOW)


@pytest.fixture
async def stack(settings: Settings, clock: FixedClock) -> AsyncIterator[EventPlans]:
    async with standing(EventPlans, settings, clock) as stack:
        yield stack
