"""Leases in a relational store: a row each, taken and renewed by one conditional UPDATE."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
from sqlalchemy import Table, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.durability.lease import Lease, LeaseLost
from shared.relational.transactions import Transactions
from shared.relational.types import database_now

__all__ = ["RelationalLeases"]


class RelationalLeases:
    """See ``durability.lease.Leases``."""

    def __init__(self, transactions: Transactions, table: Table) -> None:
        self._transactions = transactions
        self._table = table

    async def take(self, name: str, holder: str, seconds: float, *, from_others: bool = False) -> Lease | None:
        table = self._table
        mine = {"Holder": holder, "LeaseUntil": database_now(seconds)}
        taking = update(table).where(table.c.Name == name).values(**mine, Fence=table.c.Fence + 1)
        if not from_others:
            taking = taking.where(
                or_(table.c.Holder.is_(None), table.c.Holder == holder, table.c.LeaseUntil < database_now())
            )
        reading = select(table.c.Fence, table.c.Record).where(table.c.Name == name)

        async def take(connection: AsyncConnection) -> Lease | None:
            taken = (await connection.execute(taking)).rowcount
            row = (await connection.execute(reading)).first()
            if row is None:
                await connection.execute(insert(table).values(Name=name, Fence=1, **mine))
                return Lease(name, holder, 1)
            return Lease(name, holder, row.Fence, _record(row.Record)) if taken else None

        return await self._transactions.write(take)

    async def renew(self, lease: Lease, seconds: float, record: Mapping[str, Any] | None = None) -> None:
        values: dict[str, Any] = {"LeaseUntil": database_now(seconds)}
        if record is not None:
            values["Record"] = orjson.dumps(record).decode()
        if not await self._update(lease, values):
            raise LeaseLost(f"the lease {lease.name} is no longer held under number {lease.fence}")

    async def release(self, lease: Lease) -> None:
        await self._update(lease, {"Holder": None, "LeaseUntil": None})

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
