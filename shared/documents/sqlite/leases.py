"""Leases in a service's SQLite file: a row each, measured by SQLite's clock."""
# ruff: noqa: S608 - only constants of this module get into a statement

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson

from shared.documents.sqlite.reader import Reader
from shared.durability.lease import Lease, LeaseLost
from shared.durability.sqlite_writer import Writer

LEASE_TABLE: Final = """CREATE TABLE IF NOT EXISTS leases (
    name TEXT PRIMARY KEY, holder TEXT, lease_until REAL, fence INTEGER NOT NULL, record TEXT)"""

_NOW: Final = "(julianday('now') - 2440587.5) * 86400.0"  # seconds since 1970, to the millisecond
_CLAIM: Final = f"""
    INSERT INTO leases (name, holder, lease_until, fence) VALUES (:name, :holder, {_NOW} + :seconds, 1)
    ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, lease_until = excluded.lease_until, fence = fence + 1
    WHERE :from_others OR holder IS NULL OR holder = excluded.holder OR lease_until < {_NOW}
    RETURNING fence, record"""
_RENEW: Final = f"""
    UPDATE leases SET lease_until = {_NOW} + :seconds, record = coalesce(:record, record)
    WHERE name = :name AND holder = :holder AND fence = :fence"""
_RELEASE: Final = """
    UPDATE leases SET holder = NULL, lease_until = NULL WHERE name = :name AND holder = :holder AND fence = :fence"""


@dataclass(frozen=True, slots=True)
class SqliteLeases:
    """See ``durability.lease.Leases``."""

    writer: Writer
    reader: Reader

    async def claim(self, name: str, holder: str, seconds: float, *, from_others: bool = False) -> Lease | None:
        parameters = {"name": name, "holder": holder, "seconds": seconds, "from_others": from_others}
        rows = await self.writer.run(lambda connection: connection.execute(_CLAIM, parameters).fetchall())
        return Lease(name, holder, rows[0][0], _record(rows[0][1])) if rows else None

    async def renew(self, lease: Lease, seconds: float, record: Mapping[str, Any] | None = None) -> None:
        text = None if record is None else orjson.dumps(record).decode()
        if not await self._update(_RENEW, lease, {"seconds": seconds, "record": text}):
            raise LeaseLost(f"the lease {lease.name} is no longer held under number {lease.fence}")

    async def release(self, lease: Lease) -> None:
        await self._update(_RELEASE, lease, {})

    async def record_of(self, name: str) -> Mapping[str, Any]:
        row = self.reader.one("SELECT record FROM leases WHERE name = ?", (name,))
        return {} if row is None else _record(row[0])

    async def _update(self, sql: str, lease: Lease, values: Mapping[str, Any]) -> bool:
        """Whether the lease was still held under its number."""
        parameters = {"name": lease.name, "holder": lease.holder, "fence": lease.fence, **values}

        def update(connection: sqlite3.Connection) -> bool:
            return connection.execute(sql, parameters).rowcount > 0

        return await self.writer.run(update)


def _record(text: str | None) -> Mapping[str, Any]:
    return {} if text is None else orjson.loads(text)
