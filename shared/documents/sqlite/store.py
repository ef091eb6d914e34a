"""One service's document store in one SQLite file."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from datetime import datetime
from functools import partial
from itertools import chain
from pathlib import Path

from shared.cause import Cause
from shared.clock import parse_instant
from shared.documents.contract import SWEEP_AFTER, Documents
from shared.documents.filters import Filters, check_name
from shared.documents.sqlite import idempotency
from shared.documents.sqlite.documents import SqliteDocuments
from shared.documents.sqlite.file import SqliteFile
from shared.documents.sqlite.kit_tables import SqliteDeadLetters, SqliteLeases
from shared.documents.sqlite.outbox import SqliteOutbox
from shared.documents.sqlite.read_models import SqliteReadModel
from shared.documents.sqlite.tables import KIT_TABLES, document_statements
from shared.documents.versions import Decision, Outcome, StoredOutcome
from shared.durability.outbox import OutboxState, Publish
from shared.durability.read_model import ReadModel
from shared.durability.relay import Relay
from shared.errors import Refused


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
                self._relay.wake,
            )
        return self._documents[name]

    def read_model(self, name: str, *, filters: Sequence[str] = ()) -> ReadModel:
        if name not in self._read_models:
            self._before_start(name)
            self._read_models[name] = SqliteReadModel(check_name(name), Filters(filters), self._file)
        return self._read_models[name]

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
