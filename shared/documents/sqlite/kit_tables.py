"""The dead letters and the leases of a service, in its SQLite file. A lease is measured by SQLite's clock."""
# ruff: noqa: S608 - only constants of this module get into a statement

from __future__ import annotations

import builtins
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson

from shared.documents.sqlite.file import SqliteFile
from shared.durability.lease import Lease, LeaseLost
from shared.schemas.results import DeadLetter

_NOW: Final = "(julianday('now') - 2440587.5) * 86400.0"  # seconds since 1970, to the millisecond
_CLAIM: Final = f"""
    INSERT INTO leases (name, holder, lease_until, fence) VALUES (?1, ?2, {_NOW} + ?3, 1)
    ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, lease_until = excluded.lease_until, fence = fence + 1
    WHERE ?4 OR holder IS NULL OR holder = excluded.holder OR lease_until < {_NOW}
    RETURNING fence, record"""
_HELD: Final = "WHERE name = ? AND holder = ? AND fence = ? RETURNING fence"
_RENEW: Final = f"UPDATE leases SET lease_until = {_NOW} + ?, record = coalesce(?, record) {_HELD}"
_RELEASE: Final = f"UPDATE leases SET holder = NULL, lease_until = NULL {_HELD}"


@dataclass(frozen=True, slots=True)
class SqliteDeadLetters:
    """See ``DeadLetterStore``."""

    file: SqliteFile

    async def put(self, letter: DeadLetter) -> None:
        await self.file.execute("REPLACE INTO dead_letters VALUES (?, ?)", (letter.id, orjson.dumps(letter.wire())))

    async def get(self, letter_id: str) -> DeadLetter | None:
        row = self.file.one("SELECT letter FROM dead_letters WHERE id = ?", (letter_id,))
        return None if row is None else DeadLetter.model_validate_json(row[0])

    async def list(self, after: str | None = None, limit: int = 100) -> builtins.list[DeadLetter]:
        query = "SELECT letter FROM dead_letters WHERE id > ? ORDER BY id LIMIT ?"
        return [DeadLetter.model_validate_json(row[0]) for row in await self.file.rows(query, (after or "", limit))]

    async def delete(self, letter_id: str) -> bool:
        return bool(await self.file.execute("DELETE FROM dead_letters WHERE id = ? RETURNING id", (letter_id,)))


@dataclass(frozen=True, slots=True)
class SqliteLeases:
    """See ``durability.lease.Leases``."""

    file: SqliteFile

    async def claim(self, name: str, holder: str, seconds: float, *, from_others: bool = False) -> Lease | None:
        rows = await self.file.execute(_CLAIM, (name, holder, seconds, from_others))
        return Lease(name, holder, rows[0][0], _record(rows[0][1])) if rows else None

    async def renew(self, lease: Lease, seconds: float, record: Mapping[str, Any] | None = None) -> None:
        text = None if record is None else orjson.dumps(record).decode()
        if not await self.file.execute(_RENEW, (seconds, text, lease.name, lease.holder, lease.fence)):
            raise LeaseLost(f"the lease {lease.name} is no longer held under number {lease.fence}")

    async def release(self, lease: Lease) -> None:
        await self.file.execute(_RELEASE, (lease.name, lease.holder, lease.fence))

    async def record_of(self, name: str) -> Mapping[str, Any]:
        row = self.file.one("SELECT record FROM leases WHERE name = ?", (name,))
        return {} if row is None else _record(row[0])


def _record(text: str | None) -> Mapping[str, Any]:
    return {} if text is None else orjson.loads(text)
