"""Leases in a relational store: a row each, taken and renewed by one conditional UPDATE."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import orjson
from sqlalchemy import Table, insert, or_, select, update

from shared.durability.lease import Lease, LeaseLost
from shared.relational.types import database_now

if TYPE_CHECKING:
    from shared.relational.database import Database, UnitOfWork

__all__ = ["RelationalLeases"]


class RelationalLeases:
    """See ``durability.lease.Leases``."""

    def __init__(self, database: Database, table: Table) -> None:
        self._database = database
        self._table = table

    async def take(self, name: str, holder: str, seconds: float, *, from_others: bool = False) -> Lease | None:
        table = self._table
        free = or_(table.c.Holder.is_(None), table.c.Holder == holder, table.c.LeaseUntil < database_now())

        async def take(unit: UnitOfWork) -> Lease | None:
            taken = update(table).values(Holder=holder, LeaseUntil=database_now(seconds), Fence=table.c.Fence + 1)
            condition = (table.c.Name == name,) if from_others else (table.c.Name == name, free)
            found = (await unit.connection.execute(taken.where(*condition))).rowcount
            row = (
                await unit.connection.execute(select(table.c.Fence, table.c.Record).where(table.c.Name == name))
            ).first()
            if row is None:
                first = insert(table).values(Name=name, Holder=holder, LeaseUntil=database_now(seconds), Fence=1)
                await unit.connection.execute(first)
                return Lease(name, holder, 1)
            return Lease(name, holder, row.Fence, _record(row.Record)) if found else None

        return await self._database.write(take)

    async def renew(self, lease: Lease, seconds: float, record: Mapping[str, Any] | None = None) -> None:
        values: dict[str, Any] = {"LeaseUntil": database_now(seconds)}
        if record is not None:
            values["Record"] = orjson.dumps(record).decode()
        if not await self._update(lease, values):
            raise LeaseLost(f"the lease {lease.name} is no longer held under number {lease.fence}")

    async def release(self, lease: Lease) -> None:
        await self._update(lease, {"Holder": None, "LeaseUntil": None})

    async def record_of(self, name: str) -> Mapping[str, Any]:
        async with self._database.read() as connection:
            found = await connection.execute(select(self._table.c.Record).where(self._table.c.Name == name))
            return _record(found.scalar())

    async def _update(self, lease: Lease, values: Mapping[str, Any]) -> bool:
        """Whether the lease was still held under its number."""
        table = self._table
        changed = (
            update(table)
            .where(table.c.Name == lease.name, table.c.Holder == lease.holder, table.c.Fence == lease.fence)
            .values(values)
        )
        return await self._database.write(lambda unit: _matched(unit, changed))


async def _matched(unit: UnitOfWork, statement: Any) -> bool:
    return bool((await unit.connection.execute(statement)).rowcount)


def _record(text: str | None) -> Mapping[str, Any]:
    return {} if text is None else orjson.loads(text)
