"""Relational databases for tests: one of its own for each test, and tables to write to."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import JSON, Boolean, Column, Date, Integer, MetaData, Numeric, String, Table, select, text
from sqlalchemy.ext.asyncio import create_async_engine

from shared.durability.read_model import Snapshot, State
from shared.relational import TABLE_OPTIONS, Database, ReadModelTable, UtcTimestamp, long_text, short_text

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


@dataclass(frozen=True)
class RelationalReadModel:
    """The contract of read models on a table of a relational store."""

    declared: ReadModelTable
    database: Database

    async def put(self, snapshots: Sequence[Snapshot]) -> set[str]:
        return await self.database.transact(lambda connection: self.declared.put(connection, snapshots))

    async def get(self, key: str) -> State | None:
        return (await self.get_many([key])).get(key)

    async def get_many(self, keys: Sequence[str]) -> dict[str, State]:
        async with self.database.read() as connection:
            rows = await self.declared.rows(connection, keys)
        return {key: orjson.loads(row.State) for key, row in rows.items() if not row.Deleted}

    async def scan(self, where: Mapping[str, Any] | None = None, *, page: int = 1000) -> AsyncIterator[Sequence[State]]:
        table, equal = self.declared.table, where or {}
        unknown = equal.keys() - self.declared.filters
        if unknown:
            raise ValueError(f"not declared as filters: {', '.join(sorted(unknown))}")
        query = select(table.c.Key, table.c.State).where(self.declared.is_present).order_by(table.c.Key)
        query = query.where(*(table.c[field].is_not_distinct_from(value) for field, value in equal.items()))
        after = ""
        while rows := await self.database.rows(query.where(table.c.Key > after).limit(page)):
            yield [orjson.loads(row.State) for row in rows]
            after = rows[-1].Key


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
