"""One service's relational store: a unit of work, and what the kit keeps beside the service's own tables."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final, TypeVar

from sqlalchemy import MetaData
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from shared.cause import Cause
from shared.durability.idempotency import IdempotencyRecord, is_final
from shared.durability.outbox import OutboxState, Publish
from shared.durability.relay import Relay
from shared.envelope import Message
from shared.errors import Refused, Unavailable
from shared.relational.dead_letters import RelationalDeadLetters
from shared.relational.idempotency import IdempotencyRecords
from shared.relational.inbox import Inbox
from shared.relational.lease import RelationalLeases
from shared.relational.outbox import RelationalOutbox
from shared.relational.read_models import ReadModelTable, RelationalReadModel
from shared.relational.tables import KitTables, kit_tables
from shared.relational.transactions import Transactions, unavailable_when_away

T = TypeVar("T")

Migrate = Callable[[AsyncEngine, Sequence[ReadModelTable]], Awaitable[None]]
"""Brings the service's tables to the newest revision, and creates the read models that are missing."""

_RELAY_LEASE_SECONDS: Final = 10.0
"""How long the relay of a process that died keeps the others waiting; a pause as long as this is rare."""


@dataclass(slots=True)
class UnitOfWork:
    """One transaction: state, inbox, idempotency records and outbox entries are all written, or none of them."""

    connection: AsyncConnection
    inbox: Inbox
    records: IdempotencyRecords
    _outbox: RelationalOutbox
    emitted: int = field(default=0)

    async def record_of(self, cause: Cause) -> IdempotencyRecord | None:
        """The outcome that this cause had before; None the first time."""
        return await self.records.find(self.connection, cause, writing=True)

    async def add_record(self, cause: Cause, record: IdempotencyRecord) -> None:
        """Stores the outcome together with what it is the outcome of."""
        await self.records.add(self.connection, cause, record)

    async def finish_record(self, cause: Cause, record: IdempotencyRecord) -> None:
        """Stores the outcome of what was under way, unless it has one already."""
        await self.records.finish(self.connection, cause, record)

    async def emit(self, messages: Sequence[Message]) -> None:
        """Publishes messages once this transaction is committed. The row lock of their key must be held."""
        await self._outbox.add(self.connection, messages)
        self.emitted += len(messages)


class Database:
    """A relational store. ``address`` is a MySQL URL or a SQLite file's path; ``metadata`` holds the service's tables.

    Every error that means that the database is away is raised as Unavailable. Use it on one event loop.
    """

    def __init__(
        self,
        address: str | Path,
        *,
        metadata: MetaData | None = None,
        kit: KitTables | None = None,
        publish: Publish | None = None,
        migrate: Migrate | None = None,
        relay_lease_seconds: float = _RELAY_LEASE_SECONDS,
    ) -> None:
        self.kit = kit if kit is not None else kit_tables(metadata if metadata is not None else MetaData())
        self._transactions = Transactions(address)
        self.engine = self._transactions.engine
        self.dialect = self._transactions.dialect
        self.open_entries = RelationalOutbox(self._transactions, self.kit, tidy=self.purge)
        self._leases = RelationalLeases(self._transactions, self.kit.leases)
        self._records = IdempotencyRecords(self.kit.idempotency_records)
        self._inbox = Inbox(self.kit.inbox)
        self._read_models: list[ReadModelTable] = []
        self._migrate = migrate
        self._relay: Relay | None = None
        if publish is not None:
            self._relay = Relay(self.open_entries, self._leases, publish, lease_seconds=relay_lease_seconds)

    def read_model(self, declared: ReadModelTable) -> RelationalReadModel:
        """What this service keeps of another service's resource. Declare it before ``start``."""
        self._read_models.append(declared)
        return RelationalReadModel(declared, self._transactions)

    def dead_letters(self) -> RelationalDeadLetters:
        return RelationalDeadLetters(self._transactions, self.kit.dead_letters)

    def leases(self) -> RelationalLeases:
        return self._leases

    async def start(self) -> None:
        """Brings the schema up to date and starts the relay. Unavailable when the database does not answer."""
        await self.prepare()
        if self._relay is not None:
            self._relay.start()

    async def prepare(self) -> None:
        """Brings the schema up to date."""
        migrate = self._migrate
        if migrate is not None:
            with unavailable_when_away():  # processes that start at once on a new SQLite file may find it locked
                await self._transactions.repeat(lambda: migrate(self.engine, self._read_models))

    async def stop(self) -> None:
        if self._relay is not None:
            await self._relay.stop()
        await self._transactions.close()

    async def ping(self) -> None:
        """Unavailable when the database does not answer within seconds."""
        await self._transactions.ping()

    def read(self) -> AbstractAsyncContextManager[AsyncConnection]:
        """A connection for reading; its transaction is rolled back at the end."""
        return self._transactions.read()

    @contextlib.asynccontextmanager
    async def unit(self) -> AsyncIterator[UnitOfWork]:
        """One transaction, committed at the end unless something is raised; ``write`` also tries it again."""
        async with self._transactions.begin() as connection:
            unit = UnitOfWork(connection, self._inbox, self._records, self.open_entries)
            yield unit
        if unit.emitted:
            self.open_entries.open_estimate += unit.emitted
            if self._relay is not None:
                self._relay.wake()

    async def write(self, fn: Callable[[UnitOfWork], Awaitable[T]]) -> T:
        """Runs ``fn`` in one transaction, anew after a lost race; ``fn`` has no effect outside the transaction.

        Unavailable when the database stays away or busy. A caller that is cancelled waits for the transaction's end.
        """

        async def attempt() -> T:
            async with self.unit() as unit:
                return await fn(unit)

        return await self._transactions.repeat(attempt)

    async def run_once(
        self, cause: Cause, fn: Callable[[UnitOfWork], Awaitable[dict[str, Any]]]
    ) -> tuple[dict[str, Any], bool]:
        """A write under a cause's id: its body, and whether it is the stored outcome of the same request before.

        ``fn`` runs in the transaction that stores the outcome. A Refused that it raises is stored too.
        """

        async def attempt(unit: UnitOfWork) -> tuple[IdempotencyRecord, bool]:
            before = await unit.record_of(cause)
            if before is not None:
                return before, True
            record = IdempotencyRecord(body=await fn(unit))
            await unit.add_record(cause, record)
            return record, False

        try:
            record, replayed = await self.write(attempt)
        except Refused as refusal:
            await self.keep_refusal(cause, refusal)
            raise
        return record.result(), replayed

    async def record_of(self, cause: Cause) -> IdempotencyRecord | None:
        """The outcome that this cause had before."""
        async with self.read() as connection:
            return await self._records.find(connection, cause)

    async def keep_record(self, cause: Cause, record: IdempotencyRecord) -> IdempotencyRecord:
        """Stores an outcome; the one that was stored first, if there is one."""

        async def keep(unit: UnitOfWork) -> IdempotencyRecord:
            before = await unit.record_of(cause)
            if before is not None:
                return before
            await unit.add_record(cause, record)
            return record

        return await self.write(keep)

    async def keep_refusal(self, cause: Cause, refusal: Refused) -> None:
        """Stores a refusal that is final. Raises the refusal that was stored before, where that is another one."""
        if cause.id is None or not is_final(refusal):
            return
        stored = await self.keep_record(cause, IdempotencyRecord(refusal=refusal))
        if stored.refusal is not None and stored.refusal.problem() != refusal.problem():
            raise stored.refusal

    async def outbox(self) -> OutboxState:
        return await self.open_entries.state()

    async def drain(self) -> None:
        """Publishes all that is open; returns when nothing is."""
        if self._relay is None:
            raise Unavailable("this store has nothing to publish with")
        await self._relay.drain()

    async def last_instant(self) -> datetime | None:
        """The latest instant that is stored: the clock must not start before it."""
        return await self.open_entries.last_instant()

    async def purge(self) -> int:
        """Deletes idempotency records whose time is over, and inbox entries older than any record; how many rows."""
        purged = await self.write(lambda unit: unit.inbox.purge(unit.connection))
        while some := await self.write(lambda unit: unit.records.purge(unit.connection)):
            purged += some
        return purged
