"""One service's relational store: its units of work, and what the kit keeps beside the service's own tables."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.cause import Cause
from shared.durability.idempotency import IdempotencyRecord, is_final
from shared.durability.outbox import OutboxFull, Publish
from shared.durability.read_model import ReadModel
from shared.durability.relay import Relay
from shared.errors import Refused
from shared.relational.kit_stores import RelationalDeadLetters, RelationalLeases
from shared.relational.migration import migrate_alone
from shared.relational.outbox import RelationalOutbox
from shared.relational.read_models import ReadModelTable, RelationalReadModel
from shared.relational.tables import KIT_TABLES, create_missing, short_text
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
        self.open_entries = RelationalOutbox(self)
        self._leases = RelationalLeases(self)
        self._read_models: list[ReadModelTable] = []
        self._migrate = migrate
        self._relay = Relay(self.open_entries, self._leases, publish, lease_seconds=relay_lease_seconds)
        self.outbox = self.open_entries.state
        self.last_instant = self.open_entries.last_instant
        self.drain = self._relay.drain

    def declare(self, *read_models: ReadModelTable) -> None:
        """Read models to join with, in the schema from the next ``start`` on."""
        self._read_models += read_models

    def read_model(self, name: str, *, filters: Sequence[str] = ()) -> ReadModel:
        """Declares a read model that is used by itself, as a document store's are. Each filter is a text column."""
        declared = ReadModelTable(name, {field: short_text() for field in filters})
        self.declare(declared)
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

        await migrate_alone(self, upgrade)

    async def stop(self) -> None:
        await self._relay.stop()
        await self.engine.dispose()

    async def write(self, fn: Callable[[UnitOfWork], Awaitable[T]]) -> T:
        """Runs ``fn`` in one transaction, as ``repeat`` does; its messages are published once it is committed.

        It runs again when the relay has made room in an outbox that was full.
        """

        async def attempt(connection: AsyncConnection) -> tuple[T, int]:
            unit = UnitOfWork(connection, self.open_entries)
            return await fn(unit), unit.emitted

        asked_at = time.monotonic()
        while True:
            try:
                result, emitted = await self.transact(attempt)
                break
            except OutboxFull as full:
                await self._relay.wait_for_room(full, asked_at)
        if emitted:
            self.open_entries.open_estimate += emitted
            self._relay.wake()
        return result

    async def run_once(self, cause: Cause, fn: Callable[[UnitOfWork], Awaitable[dict[str, Any]]]) -> dict[str, Any]:
        """A write under a cause's id: its body, which is the stored outcome where the same request came before.

        ``fn`` runs in the transaction that stores the outcome. A Refused that it raises is stored too, unless the same
        request was done meanwhile.
        """

        async def first(unit: UnitOfWork) -> IdempotencyRecord:
            before = await unit.record_of(cause)
            return before or await unit.add_record(cause, IdempotencyRecord(body=await fn(unit)))

        try:
            record = await self.write(first)
        except Refused as refusal:
            return (await self._record_refusal(cause, refusal)).result()
        return record.result()

    async def keep_refusal(self, cause: Cause, refusal: Refused) -> None:
        """Stores a refusal that is final, and raises it, or the one that was stored first."""
        if cause.id is not None and is_final(refusal):
            (await self._record_refusal(cause, refusal)).result()

    async def _record_refusal(self, cause: Cause, refusal: Refused) -> IdempotencyRecord:
        """The outcome of a refused request: the refusal, stored if it is final, or what was stored first.

        A success is stored first where the same request was done meanwhile, and this one was refused because of it.
        """
        if cause.id is None or not is_final(refusal):
            return IdempotencyRecord(refusal=refusal)

        async def first(unit: UnitOfWork) -> IdempotencyRecord:
            before = await unit.record_of(cause)
            return before or await unit.add_record(cause, IdempotencyRecord(refusal=refusal))

        return await self.write(first)
