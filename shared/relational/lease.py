"""Leases in a relational store: any row can be leased that has the columns of ``lease_columns``.

A service leases its own rows by the conditions and values below, many in one statement. The kit's ``leases`` table
holds leases that are nothing but a name.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import orjson
from sqlalchemy import Column, ColumnElement, Table, and_, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.schema import SchemaItem

from shared.durability.lease import Lease, LeaseLost
from shared.relational.transactions import Transactions
from shared.relational.types import UtcTimestamp, ascii_id, big_integer, database_now

RELEASED: Final[Mapping[str, None]] = {"Holder": None, "LeaseUntil": None}
"""The values of a row that nobody holds. Its fencing number stays."""


def lease_columns() -> list[SchemaItem]:
    """Who holds the row, until when by the database's clock, and under which fencing number (0 before the first)."""
    return [
        Column("Holder", ascii_id(64), nullable=True),
        Column("LeaseUntil", UtcTimestamp(), nullable=True),
        Column("Fence", big_integer(), nullable=False),
    ]


def is_free(table: Table) -> ColumnElement[bool]:
    """Nobody holds the row, or the lease has run out."""
    return or_(table.c.LeaseUntil.is_(None), table.c.LeaseUntil < database_now())


def is_held(table: Table, holder: str) -> ColumnElement[bool]:
    """This holder has the row, and the lease has not run out."""
    return and_(table.c.Holder == holder, table.c.LeaseUntil >= database_now())


def claimed(table: Table, holder: str, seconds: float) -> dict[str, Any]:
    """The values by which a holder takes a free row, under a new fencing number."""
    return {"Holder": holder, "LeaseUntil": database_now(seconds), "Fence": table.c.Fence + 1}


class RelationalLeases:
    """See ``durability.lease.Leases``."""

    def __init__(self, transactions: Transactions, table: Table) -> None:
        self._transactions = transactions
        self._table = table

    async def claim(self, name: str, holder: str, seconds: float, *, from_others: bool = False) -> Lease | None:
        table = self._table
        values = claimed(table, holder, seconds)
        taking = update(table).where(table.c.Name == name).values(values)
        if not from_others:
            taking = taking.where(or_(is_free(table), table.c.Holder == holder))
        reading = select(table.c.Fence, table.c.Record).where(table.c.Name == name)

        async def claim(connection: AsyncConnection) -> Lease | None:
            changed = (await connection.execute(taking)).rowcount
            row = (await connection.execute(reading)).first()
            if row is None:
                await connection.execute(insert(table).values({**values, "Name": name, "Fence": 1}))
                return Lease(name, holder, 1)
            return Lease(name, holder, row.Fence, _record(row.Record)) if changed else None

        return await self._transactions.write(claim)

    async def renew(self, lease: Lease, seconds: float, record: Mapping[str, Any] | None = None) -> None:
        values: dict[str, Any] = {"LeaseUntil": database_now(seconds)}
        if record is not None:
            values["Record"] = orjson.dumps(record).decode()
        if not await self._update(lease, values):
            raise LeaseLost(f"the lease {lease.name} is no longer held under number {lease.fence}")

    async def release(self, lease: Lease) -> None:
        await self._update(lease, RELEASED)

    async def record_of(self, name: str) -> Mapping[str, Any]:
        async with self._transactions.read() as connection:
            found = await connection.execute(select(self._table.c.Record).where(self._table.c.Name == name))
            return _record(found.scalar())

    async def _update(self, lease: Lease, values: Mapping[str, Any]) -> bool:
        """Whether the lease was still held under its number."""
        table = self._table
        held = (table.c.Name == lease.name, table.c.Holder == lease.holder, table.c.Fence == lease.fence)

        async def change(connection: AsyncConnection) -> bool:
            return bool((await connection.execute(update(table).where(*held).values(values))).rowcount)

        return await self._transactions.write(change)


def _record(text: str | None) -> Mapping[str, Any]:
    return {} if text is None else orjson.loads(text)
