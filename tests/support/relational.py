"""Relational databases for tests: one of its own for each test, and tables to write to."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy import JSON, Boolean, Column, Date, Integer, MetaData, Numeric, String, Table, text
from sqlalchemy.ext.asyncio import create_async_engine

from shared.relational import TABLE_OPTIONS, Database, UtcTimestamp, long_text, short_text

METADATA = MetaData()
COUNTERS = Table(
    "counters",
    METADATA,
    Column("Name", String(64), primary_key=True),
    Column("Value", Integer, nullable=False),
    **TABLE_OPTIONS,
)
SAMPLES = Table(
    "samples",
    METADATA,
    Column("Number", Integer, primary_key=True, autoincrement=False),
    Column("Words", long_text(), nullable=True),
    Column("Name", short_text(), nullable=True),
    Column("Factor", Numeric(9, 2), nullable=True),
    Column("Flag", Boolean, nullable=True),
    Column("At", UtcTimestamp(), nullable=True),
    Column("Day", Date, nullable=True),
    Column("Members", JSON, nullable=True),
    **TABLE_OPTIONS,
)


async def publish_all(database: Database) -> None:
    """Returns once nothing is open; runs the database's relay if it does not run yet."""
    relay = database._relay
    if relay._task is not None:
        await relay.drain()
        return
    relay.start()
    await relay.drain()
    await relay.stop()


@asynccontextmanager
async def mysql_database(root: str) -> AsyncIterator[str]:
    """The URL of an empty database on the server ``root``; it is dropped at the end."""
    name = f"t{uuid.uuid4().hex[:16]}"
    engine = create_async_engine(root, isolation_level="AUTOCOMMIT")
    async with engine.connect() as connection:
        await connection.execute(text(f"CREATE DATABASE {name}"))
    yield root.rpartition("/")[0] + f"/{name}"
    async with engine.connect() as connection:
        await connection.execute(text(f"DROP DATABASE {name}"))
    await engine.dispose()
