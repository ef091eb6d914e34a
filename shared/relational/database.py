"""One service's relational store: its units of work, and what the kit keeps beside the service's own tables."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime
from pathlib import Path
from typing import Any, Final, TypeVar

from sqlalchemy import Connection

from shared.cause import Cause
from shared.durability.idempotency import IdempotencyRecord, is_final
from shared.durability.outbox import OutboxState, Publish
from shared.durability.relay import Relay
from shared.errors import Refused
from shared.relational.dead_letters import RelationalDeadLetters
from shared.relational.lease import RelationalLeases
from shared.relational.migration import migrate_alone
from shared.relational.outbox import RelationalOutbox
from shared.relational.read_models import ReadModelTable, RelationalReadModel
from shared.relational.tables import KIT_TABLES, create_missing
from shared.relational.transactions import Transactions
from shared.relational.unit_of_work import UnitOfWork

T = TypeVar("T")

_RELAY_LEASE_SECONDS: Final = 10.0
"""How long the relay of a process that died keeps the others waiting; a pause as long as this is rare."""


class Database(Transactions):
    """A relational store. ``migrate`` brings the service's tables up to date; the kit's and the read models' follow."""

    def __init__(
        self,
        address: str | Path,
        migrate: Callable[[Connection], None],
        publish: Publish,
        *,
        relay_lease_seconds: float = _RELAY_LEASE_SECONDS,
    ) -> None:
        super().__init__(address)
        self.open_entries = RelationalOutbox(self, tidy=self.purge)
        self._leases = RelationalLeases(self)
        self._read_models: list[ReadModelTable] = []
        self._migrate = migrate
        self._relay = Relay(self.open_entries, self._leases, publish, lease_seconds=relay_lease_seconds)

    def read_model(self, declared: ReadModelTable) -> RelationalReadModel:
        """What this service keeps of another service's resource. Declare it before ``start``."""
        self._read_models.append(declared)
        return RelationalReadModel(declared, self)

    def dead_letters(self) -> RelationalDeadLetters:
        return RelationalDeadLetters(self)

    def leases(self) -> RelationalLeases:
        return self._leases

    async def start(self) -> None:
        """Brings the schema up to date and starts the relay. Unavailable when the database does not answer."""
        await self.prepare()
        self._relay.start()

    async def prepare(self) -> None:
        """Brings the schema up to date."""

        def upgrade(connection: Connection) -> None:
            create_missing(connection, KIT_TABLES)
            self._migrate(connection)
            for declared in self._read_models:
                declared.bring_up_to_date(connection)

        await self.repeat(lambda: migrate_alone(self.engine, upgrade))

    async def stop(self) -> None:
        await self._relay.stop()
        await self.engine.dispose()

    @contextlib.asynccontextmanager
    async def unit(self) -> AsyncIterator[UnitOfWork]:
        """One transaction, committed at the end unless something is raised; ``write`` also tries it again."""
        async with self.begin() as connection:
            unit = UnitOfWork(connection, self.open_entries)
            yield unit
        if unit.emitted:
            self.open_entries.open_estimate += unit.emitted
            self._relay.wake()

    async def write(self, fn: Callable[[UnitOfWork], Awaitable[T]]) -> T:
        """Runs ``fn`` in one transaction, as ``repeat`` does."""

        async def attempt() -> T:
            async with self.unit() as unit:
                return await fn(unit)

        return await self.repeat(attempt)

    async def run_once(self, cause: Cause, fn: Callable[[UnitOfWork], Awaitable[dict[str, Any]]]) -> dict[str, Any]:
        """A write under a cause's id: its body, which is the stored outcome where the same request came before.

        ``fn`` runs in the transaction that stores the outcome. A Refused that it raises is stored too.
        """

        async def outcome(unit: UnitOfWork) -> IdempotencyRecord:
            return IdempotencyRecord(body=await fn(unit))

        try:
            record = await self._first_record(cause, outcome)
        except Refused as refusal:
            await self.keep_refusal(cause, refusal)
            raise
        return record.result()

    async def keep_record(self, cause: Cause, record: IdempotencyRecord) -> IdempotencyRecord:
        """Stores an outcome; the one that was stored first, if there is one."""

        async def outcome(_: UnitOfWork) -> IdempotencyRecord:
            return record

        return await self._first_record(cause, outcome)

    async def keep_refusal(self, cause: Cause, refusal: Refused) -> None:
        """Stores a refusal that is final, and raises it, or the one that was stored first."""
        if cause.id is not None and is_final(refusal):
            (await self.keep_record(cause, IdempotencyRecord(refusal=refusal))).result()

    async def _first_record(
        self, cause: Cause, outcome: Callable[[UnitOfWork], Awaitable[IdempotencyRecord]]
    ) -> IdempotencyRecord:
        async def attempt(unit: UnitOfWork) -> IdempotencyRecord:
            record = await unit.record_of(cause)
            if record is None:
                record = await outcome(unit)
                await unit.add_record(cause, record)
            return record

        return await self.write(attempt)

    async def outbox(self) -> OutboxState:
        return await self.open_entries.state()

    async def drain(self) -> None:
        """Publishes all that is open; returns when nothing is."""
        await self._relay.drain()

    async def last_instant(self) -> datetime | None:
        """The latest instant that is stored: the clock must not start before it."""
        return await self.open_entries.last_instant()

    async def purge(self) -> int:
        """Deletes idempotency records whose time is over, and inbox entries older than any record; how many rows."""
        purged = 0
        while some := await self.write(UnitOfWork.purge):
            purged += some
        return purged
