"""fleet_svc's routes on a store of the test's own, and writes that fail in it."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import httpx
import pytest

from services.fleet_svc.app.fleets import Fleets
from shared.documents.sqlite import SqliteStore
from tests.support.bulk_jobs import Process
from tests.support.clock import FixedClock
from tests.support.fleet import FailingAt, routes_on
from tests.support.http import app_of, calling


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock("2024-06-15T09:00:00Z")


@pytest.fixture
def fleets(store: SqliteStore) -> Fleets:
    return Fleets(store)


@pytest.fixture
async def http(store: SqliteStore, fleets: Fleets, clock: FixedClock) -> AsyncIterator[httpx.AsyncClient]:
    app = app_of(*routes_on(store, fleets, clock))
    await store.start()
    async with calling(app) as client:
        yield client


@pytest.fixture
def failing_at(tmp_path: Path) -> FailingAt:
    """While it lasts the store takes no write of that line, as if the process had died before it."""

    @contextmanager
    def failing(key: str) -> Iterator[None]:
        with closing(sqlite3.connect(tmp_path / "store.db", timeout=60)) as database:
            database.execute(
                'CREATE TRIGGER died BEFORE INSERT ON "fleet_line.heads" '
                f"WHEN NEW.key = '{key}' BEGIN SELECT RAISE(ABORT, 'the process died here'); END"
            )
            yield
            database.execute("DROP TRIGGER died")

    return failing


@pytest.fixture
async def processes(tmp_path: Path) -> AsyncIterator[list[Process]]:
    """Three processes on one store, which work on bulk jobs."""
    started = [await Process.start(tmp_path / "fleet.db") for _ in range(3)]
    yield started
    for process in started:
        await process.store.stop()
