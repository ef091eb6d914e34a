"""The store the use cases are tested on, what it published, and processes on it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from shared.clock import FixedClock
from shared.documents.sqlite import SqliteStore
from tests.unit.eventplan_app.world import NOW, Home, Process, Published


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(NOW)


@pytest.fixture
async def home(tmp_path: Path, clock: FixedClock) -> AsyncIterator[Home]:
    home = Home(lambda publish: SqliteStore(tmp_path / "eventplan.db", publish, source="eventplan_svc"), clock)
    yield home
    await home.close()


@pytest.fixture
async def process(home: Home) -> Process:
    return await home.process()


@pytest.fixture
def published(home: Home) -> Published:
    return home.published
