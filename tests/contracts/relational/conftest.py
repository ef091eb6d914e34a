"""Owns the stores the suite runs over: a SQLite file always, MySQL where Docker is."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from sqlalchemy import JSON, Boolean, Column, Date, Integer, MetaData, Numeric, String, Table, text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from shared.relational import TABLE_OPTIONS, Database, UtcTimestamp, kit_tables, long_text, name_text
from tests.support.broker import Broker

METADATA = MetaData()
KIT = kit_tables(METADATA)
COUNTERS = Table(
    "counters", METADATA, Column("Name", String(64), primary_key=True), Column("Value", Integer, nullable=False),
    **TABLE_OPTIONS,
)  # fmt: skip
SAMPLES = Table(
    "samples", METADATA, Column("Number", Integer, primary_key=True, autoincrement=False),
    Column("Words", long_text(), nullable=True), Column("Name", name_text(), nullable=True),
    Column("Factor", Numeric(9, 2), nullable=True),
    Column("Flag", Boolean, nullable=True), Column("At", UtcTimestamp(), nullable=True),
    Column("Day", Date, nullable=True), Column("Members", JSON, nullable=True),
    **TABLE_OPTIONS,
)  # fmt: skip


async def create_schema(engine: AsyncEngine) -> None:
    async with engine.begin() as connection:
        await connection.run_sync(METADATA.create_all)


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
    name = f"t{uuid.uuid4().hex[:16]}"
    engine = create_async_engine(root, isolation_level="AUTOCOMMIT")
    async with engine.connect() as connection:
        await connection.execute(text(f"CREATE DATABASE {name}"))
    yield root.rpartition("/")[0] + f"/{name}"
    async with engine.connect() as connection:
        await connection.execute(text(f"DROP DATABASE {name}"))
    await engine.dispose()


@pytest.fixture
def broker() -> Broker:
    return Broker()


@pytest.fixture
async def opened(address: str | Path, broker: Broker) -> AsyncIterator[Callable[..., Database]]:
    """Opens the store as one more replica of the service; all are closed at the end."""
    opened: list[Database] = []
    probe = Database(address, kit=KIT, migrate=create_schema)
    await probe.prepare()
    opened.append(probe)

    def open_one(*, publishing: bool = False) -> Database:
        database = Database(address, kit=KIT, publish=broker.publish if publishing else None)
        opened.append(database)
        return database

    yield open_one
    for database in opened:
        await database.stop()


@pytest.fixture
def database(opened: Callable[..., Database]) -> Database:
    return opened()
