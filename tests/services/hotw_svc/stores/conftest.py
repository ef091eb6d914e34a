"""HOTW's stores for the suite: a SQLite file, and MySQL where Docker is."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from tests.support.clock import FixedClock
from tests.support.hotw_store import AZ_FACTORS, NOW, Broker, Replica, open_replica
from tests.support.relational import mysql_database


@pytest.fixture(params=["sqlite", pytest.param("mysql", marks=pytest.mark.docker)])
def dialect(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
async def address(dialect: str, tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[str | Path]:
    """A database of this test's own, empty."""
    if dialect == "sqlite":
        yield tmp_path / "hotw.db"
        return
    root = request.getfixturevalue("mysql_url")
    async with mysql_database(root) as url:
        yield url


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(NOW)


@pytest.fixture
def broker() -> Broker:
    return Broker()


@pytest.fixture
async def another(address: str | Path, clock: FixedClock, broker: Broker) -> AsyncIterator[Callable[[], Replica]]:
    """Opens one more replica of the service on the same database."""
    opened: list[Replica] = []
    first = open_replica(address, clock, broker, AZ_FACTORS)
    await first.database.prepare()
    opened.append(first)

    def open_one() -> Replica:
        replica = open_replica(address, clock, broker, AZ_FACTORS)
        opened.append(replica)
        return replica

    yield open_one
    for replica in opened:
        await replica.database.stop()


@pytest.fixture
def hotw(another: Callable[[], Replica]) -> Replica:
    return another()
