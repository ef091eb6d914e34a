"""One service's document store in one SQLite file. A lease is measured by SQLite's clock."""
# ruff: noqa: S608 - only constants of this module get into a statement

from __future__ import annotations

import builtins
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any, Final

import orjson

from shared.cause import Cause
from shared.clock import parse_instant
from shared.documents.contract import SWEEP_AFTER, Documents
from shared.documents.filters import Filters, check_name
from shared.documents.sqlite import idempotency
from shared.documents.sqlite.documents import SqliteDocuments
from shared.documents.sqlite.file import SqliteFile
from shared.documents.sqlite.outbox import SqliteOutbox
from shared.documents.sqlite.parts import SqliteParts
from shared.documents.sqlite.read_models import SqliteReadModel
from shared.documents.sqlite.tables import KIT_TABLES, document_statements
from shared.documents.versions import Decision, Outcome, StoredOutcome
from shared.durability.lease import Lease, LeaseLost
from shared.durability.outbox import OutboxState, Publish
from shared.durability.read_model import ReadModel
from shared.durability.relay import Relay
from shared.errors import Refused
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


class SqliteStore:
    """See ``Store``. ``source`` is the service's name, as its messages carry it.

    Any number of stores, in any processes, may use one file; each on one event loop, once.
    """

    def __init__(self, path: Path, publish: Publish, *, source: str, sweep_after: float = SWEEP_AFTER) -> None:
        self._path = path
        self._file = SqliteFile(path)
        self._outbox = SqliteOutbox(self._file, source)
        self._relay = Relay(self._outbox, self.leases(), publish, lease_seconds=sweep_after)
        self._documents: dict[str, SqliteDocuments] = {}
        self._read_models: dict[str, SqliteReadModel] = {}
        self._started = False

    def documents(self, name: str, *, filters: Sequence[str] = (), schema_version: int = 1) -> Documents:
        if name not in self._documents:
            self._before_start(name)
            self._documents[name] = SqliteDocuments(
                document_statements(check_name(name)),
                Filters(filters),
                schema_version,
                self._file,
                self._outbox,
                self._relay,
            )
        return self._documents[name]

    def read_model(self, name: str, *, filters: Sequence[str] = ()) -> ReadModel:
        if name not in self._read_models:
            self._before_start(name)
            self._read_models[name] = SqliteReadModel(check_name(name), Filters(filters), self._file)
        return self._read_models[name]

    def parts(self) -> SqliteParts:
        return SqliteParts(self._file)

    def dead_letters(self) -> SqliteDeadLetters:
        return SqliteDeadLetters(self._file)

    def leases(self) -> SqliteLeases:
        return SqliteLeases(self._file)

    def _before_start(self, name: str) -> None:
        if self._started:
            raise RuntimeError(f"declare {name} before the store is started: its tables are made then")

    async def start(self) -> None:
        self._started = True
        self._path.parent.mkdir(parents=True, exist_ok=True)
        await self._file.start()
        await self._file.run(self._prepare)
        self._relay.start()

    def _prepare(self, connection: sqlite3.Connection) -> None:
        declared: list[SqliteDocuments | SqliteReadModel] = [*self._documents.values(), *self._read_models.values()]
        for statement in chain(KIT_TABLES, *(one.tables() for one in declared)):
            connection.execute(statement)
        self._outbox.count(connection)

    async def stop(self) -> None:
        try:
            await self._relay.stop()
        finally:
            await self._file.stop()

    async def ping(self) -> None:
        self._file.one("SELECT 1 FROM last_instant")

    async def drain(self) -> None:
        await self._relay.drain()

    async def outbox(self) -> OutboxState:
        return await self._outbox.state()

    async def keep_refusal(self, cause: Cause, refusal: Refused) -> None:
        decision = Decision(Outcome.REFUSED, None, refusal=refusal)
        if decision.must_be_stored(cause):
            outcome = StoredOutcome.of_decision(decision, cause, "", "")
            first = await self._file.run(partial(idempotency.store_first, cause=cause, outcome=outcome))
            first.again(None).result()

    async def last_instant(self) -> datetime | None:
        row = self._file.one("SELECT instant FROM last_instant")
        return None if row is None else parse_instant(row[0])


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
