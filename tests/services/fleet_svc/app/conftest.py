"""fleet_svc's routes on a store of the test's own, and writes that fail in it."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from services.fleet_svc.app import Fleets, fleets_in
from services.fleet_svc.bootstrap import use_cases_of
from services.fleet_svc.entrypoints.http import fleet_routes
from services.fleet_svc.resources import RESOURCES
from shared.clock import Clock, FixedClock
from shared.documents import Store
from shared.documents.sqlite import SqliteStore
from shared.resources import Declared
from shared.web import Routes
from tests.support.http import app_of, calling

BARE = {"FleetId": "F1", "ServiceId": "S1", "FleetConfiguration": {"Region": "us-east-1", "HostThroughPutTPM": 250}}
FailingAt = Callable[[str], AbstractContextManager[None]]


async def ok(answer_: Any) -> dict[str, Any]:
    answer: httpx.Response = await answer_
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


def routes_on(store: Store, fleets: Fleets, clock: Clock) -> list[Routes]:
    """The routes of fleet_svc on a store that is not started yet."""
    declared = Declared(RESOURCES, store, clock, others={"Fleet": fleets.bases})
    return [*declared.routes(), fleet_routes(use_cases_of(fleets), fleets, clock)]


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock("2024-06-15T09:00:00Z")


@pytest.fixture
def fleets(store: SqliteStore) -> Fleets:
    return fleets_in(store)


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
