"""The databases the suite runs over: a SQLite file always, MySQL where Docker is there."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from shared.relational import Database
from tests.support.broker import Broker
from tests.support.relational import METADATA, mysql_database


@pytest.fixture(params=["sqlite", pytest.param("mysql", marks=pytest.mark.docker)])
def dialect(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
async def address(dialect: str, tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[str | Path]:
    """A store of this test's own, without tables."""
    if dialect == "sqlite":
        yield tmp_path / "store" / "hotw.db"
        return
    root = request.getfixturevalue("mysql_url")
    async with mysql_database(root) as url:
        yield url


@pytest.fixture
def broker() -> Broker:
    return Broker()


@pytest.fixture
async def opened(address: str | Path, broker: Broker) -> AsyncIterator[Callable[..., Database]]:
    """Opens the store as one more replica of the service; all are closed at the end."""
    opened: list[Database] = []
    probe = Database(address, METADATA.create_all, broker.publish)
    await probe.prepare()
    opened.append(probe)

    def open_one(*, lease_seconds: float = 600.0) -> Database:
        """``lease_seconds``: by default no relay that lives is taken for dead, however slow the machine is."""
        database = Database(address, METADATA.create_all, broker.publish, relay_lease_seconds=lease_seconds)
        opened.append(database)
        return database

    yield open_one
    for database in opened:
        await database.stop()


@pytest.fixture
def database(opened: Callable[..., Database]) -> Database:
    return opened()
