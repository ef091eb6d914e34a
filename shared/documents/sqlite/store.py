"""Owns one service's document store in one SQLite file."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Final

from shared.cause import Cause
from shared.documents.contract import Documents, OutboxState, Publish, ReadModel
from shared.documents.filters import Filters, check_name
from shared.documents.sqlite import idempotency
from shared.documents.sqlite.deadletters import SqliteDeadLetters
from shared.documents.sqlite.documents import SqliteDocuments
from shared.documents.sqlite.leases import LEASE_TABLE, SqliteLeases
from shared.documents.sqlite.outbox import Outbox
from shared.documents.sqlite.read_models import SqliteReadModel
from shared.documents.sqlite.reader import Reader
from shared.documents.sqlite.relay import Relay
from shared.documents.sqlite.rows import KIT_TABLES, add_missing_columns, instant, read_model_tables, resource_tables
from shared.documents.sqlite.statements import DocumentStatements, ReadModelStatements
from shared.documents.sqlite.writing import Writing
from shared.durability.idempotency import IdempotencyRecord
from shared.durability.sqlite_writer import Writer

__all__ = ["SWEEP_AFTER", "SqliteStore"]

SWEEP_AFTER: Final = 5.0
"""Seconds after which another process publishes in place of one that is gone."""


class SqliteStore:
    """See ``contract.Store``. ``source`` is the service's name, as its messages carry it.

    Any number of stores, in any processes, may use one file; each on one event loop, once.
    """

    def __init__(self, path: Path, publish: Publish, *, source: str, sweep_after: float = SWEEP_AFTER) -> None:
        self._path = path
        self._writer = Writer(path)
        self._reader = Reader(path)
        self._outbox = Outbox(source)
        self._relay = Relay(self._writer, self._reader, self._outbox, publish, sweep_after)
        self._documents: dict[str, SqliteDocuments] = {}
        self._read_models: dict[str, SqliteReadModel] = {}
        self._started = False

    def documents(self, name: str, *, filters: Sequence[str] = (), schema_version: int = 1) -> Documents:
        if name not in self._documents:
            self._before_start(name)
            writing = Writing(DocumentStatements(check_name(name)), schema_version, self._outbox)
            self._documents[name] = SqliteDocuments(
                writing, Filters(filters), self._writer, self._reader, self._relay.wake
            )
        return self._documents[name]

    def read_model(self, name: str, *, filters: Sequence[str] = ()) -> ReadModel:
        if name not in self._read_models:
            self._before_start(name)
            self._read_models[name] = SqliteReadModel(
                ReadModelStatements(check_name(name)), Filters(filters), self._writer, self._reader
            )
        return self._read_models[name]

    def dead_letters(self) -> SqliteDeadLetters:
        return SqliteDeadLetters(self._writer, self._reader)

    def leases(self) -> SqliteLeases:
        return SqliteLeases(self._writer, self._reader)

    def _before_start(self, name: str) -> None:
        if self._started:
            raise RuntimeError(f"declare {name} before the store is started: its tables are made then")

    async def start(self) -> None:
        self._started = True
        self._path.parent.mkdir(parents=True, exist_ok=True)
        await self._writer.start()
        await self._writer.run(self._prepare)
        await self._writer.run(self._outbox.count)
        self._reader.start()
        await self._relay.start()

    def _prepare(self, connection: sqlite3.Connection) -> None:
        statements = [*KIT_TABLES, LEASE_TABLE]
        for name, documents in self._documents.items():
            statements += resource_tables(name, documents.filters)
        for name, replica in self._read_models.items():
            statements += read_model_tables(name, replica.filters)
        for statement in statements:
            connection.execute(statement)
        add_missing_columns(connection)

    async def stop(self) -> None:
        try:
            await self._relay.stop()
        finally:
            await self._reader.stop()
            await self._writer.stop()

    async def ping(self) -> None:
        self._reader.one("SELECT 1 FROM meta LIMIT 1")

    async def drain(self) -> None:
        await self._relay.drain()

    async def outbox(self) -> OutboxState:
        return await self._relay.state()

    async def record_of(self, cause: Cause) -> IdempotencyRecord | None:
        return await self._reader.read(partial(idempotency.find_record, cause=cause))

    async def keep_record(self, cause: Cause, answer: IdempotencyRecord) -> IdempotencyRecord:
        return await self._writer.run(partial(idempotency.keep_record, cause=cause, answer=answer))

    async def last_instant(self) -> datetime | None:
        row = self._reader.one("SELECT number FROM meta WHERE name = 'instant'")
        return None if row is None else instant(row[0])
