"""Leases and dead letters in a relational store. Any row can be leased that has the columns of ``lease_columns``.

A service leases its own rows by the conditions and values below, many in one statement. The kit's ``leases`` table
holds leases that are nothing but a name.
"""

from __future__ import annotations

import builtins
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson
from sqlalchemy import ColumnElement, Table, and_, delete, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.durability.lease import Lease, LeaseLost
from shared.relational.tables import DEAD_LETTERS, LEASES, database_now
from shared.relational.transactions import Transactions
from shared.schemas.results import DeadLetter

RELEASED: Final[Mapping[str, None]] = {"Holder": None, "LeaseUntil": None}
"""The values of a row that nobody holds. Its fencing number stays."""


def is_free(table: Table) -> ColumnElement[bool]:
    """Nobody holds the row, or the lease has run out."""
    return or_(table.c.LeaseUntil.is_(None), table.c.LeaseUntil < database_now())


def is_held(table: Table, holder: str) -> ColumnElement[bool]:
    """This holder has the row, and the lease has not run out."""
    return and_(table.c.Holder == holder, table.c.LeaseUntil >= database_now())


def claimed(table: Table, holder: str, seconds: float) -> dict[str, Any]:
    """The values by which a holder takes a free row, under a new fencing number."""
    return {"Holder": holder, "LeaseUntil": database_now(seconds), "Fence": table.c.Fence + 1}


@dataclass(frozen=True, slots=True)
class RelationalLeases:
    """See ``durability.lease.Leases``."""

    transactions: Transactions

    async def claim(self, name: str, holder: str, seconds: float, *, from_others: bool = False) -> Lease | None:
        values = claimed(LEASES, holder, seconds)
        taking = update(LEASES).where(LEASES.c.Name == name).values(values)
        if not from_others:
            taking = taking.where(or_(is_free(LEASES), LEASES.c.Holder == holder))

        async def claim(connection: AsyncConnection) -> Lease | None:
            changed = (await connection.execute(taking)).rowcount
            row = (await connection.execute(select(LEASES).where(LEASES.c.Name == name))).first()
            if row is None:
                await connection.execute(insert(LEASES).values({**values, "Name": name, "Fence": 1, "Record": "{}"}))
                return Lease(name, holder, 1)
            return Lease(name, holder, row.Fence, orjson.loads(row.Record)) if changed else None

        return await self.transactions.transact(claim)

    async def renew(self, lease: Lease, seconds: float, record: Mapping[str, Any] | None = None) -> None:
        values: dict[str, Any] = {"LeaseUntil": database_now(seconds)}
        if record is not None:
            values["Record"] = orjson.dumps(record).decode()
        if not await self._update(lease, values):
            raise LeaseLost(f"the lease {lease.name} is no longer held under number {lease.fence}")

    async def release(self, lease: Lease) -> None:
        await self._update(lease, RELEASED)

    async def record_of(self, name: str) -> Mapping[str, Any]:
        rows = await self.transactions.rows(select(LEASES.c.Record).where(LEASES.c.Name == name))
        return orjson.loads(rows[0].Record) if rows else {}

    async def _update(self, lease: Lease, values: Mapping[str, Any]) -> int:
        """1 where the lease was still held under its number, else 0."""
        held = (LEASES.c.Name == lease.name, LEASES.c.Holder == lease.holder, LEASES.c.Fence == lease.fence)
        return await self.transactions.execute(update(LEASES).where(*held).values(values))


@dataclass(frozen=True, slots=True)
class RelationalDeadLetters:
    """See ``durability.dead_letters.DeadLetterStore``."""

    transactions: Transactions

    async def put(self, letter: DeadLetter) -> None:
        row = {"Id": letter.id, "Letter": orjson.dumps(letter.wire()).decode()}
        before = delete(DEAD_LETTERS).where(DEAD_LETTERS.c.Id == letter.id)
        await self.transactions.execute(before, insert(DEAD_LETTERS).values(row))

    async def get(self, letter_id: str) -> DeadLetter | None:
        rows = await self.transactions.rows(select(DEAD_LETTERS.c.Letter).where(DEAD_LETTERS.c.Id == letter_id))
        return DeadLetter.model_validate_json(rows[0].Letter) if rows else None

    async def list(self, after: str | None = None, limit: int = 100) -> builtins.list[DeadLetter]:
        query = select(DEAD_LETTERS.c.Letter).where(DEAD_LETTERS.c.Id > (after or ""))
        rows = await self.transactions.rows(query.order_by(DEAD_LETTERS.c.Id).limit(limit))
        return [DeadLetter.model_validate_json(row.Letter) for row in rows]

    async def delete(self, letter_id: str) -> bool:
        return bool(await self.transactions.execute(delete(DEAD_LETTERS).where(DEAD_LETTERS.c.Id == letter_id)))
