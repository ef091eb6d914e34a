"""The store the use cases are tested on, what it published, and processes on it."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import pymongo
import pytest

from shared.documents.mongo import MongoStore
from shared.documents.sqlite import SqliteStore
from tests.support.clock import FixedClock
from tests.support.dashboards import company
from tests.support.eventplan_processes import NOW, Home, Process, Published


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(NOW)


def in_file(folder: Path, clock: FixedClock) -> Home:
    return Home(lambda publish: SqliteStore(folder / "eventplan.db", publish, source="eventplan_svc"), clock)


@pytest.fixture
async def home(tmp_path: Path, clock: FixedClock) -> AsyncIterator[Home]:
    home = in_file(tmp_path, clock)
    yield home
    await home.close()


@pytest.fixture(params=["sqlite", pytest.param("mongo", marks=pytest.mark.docker)])
async def shared_home(request: pytest.FixtureRequest, tmp_path: Path, clock: FixedClock) -> AsyncIterator[Home]:
    """For what several processes do at once: on either store."""
    if request.param == "sqlite":
        home = in_file(tmp_path, clock)
        yield home
        await home.close()
        return
    url, database = request.getfixturevalue("mongo_url"), f"eventplan_{uuid.uuid4().hex[:12]}"
    home = Home(lambda publish: MongoStore(url, database, publish, source="eventplan_svc"), clock)
    yield home
    await home.close()
    with pymongo.MongoClient[dict[str, object]](url) as client:
        client.drop_database(database)


@pytest.fixture
async def process(home: Home) -> Process:
    return await home.process()


@pytest.fixture
def published(home: Home) -> Published:
    return home.published


@pytest.fixture
async def dashboard(process: Process) -> Process:
    """A process that knows the company."""
    await process.take(*company())
    return process
