"""Owns one service's relational store: its transactions, inbox, outbox and kept answers, on MySQL or a SQLite file."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final, TypeVar

from sqlalchemy import MetaData, delete, insert, select, text
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from shared.cause import Cause
from shared.durability.backoff import Backoff
from shared.durability.idempotency import RETENTION_OF_MESSAGES, is_final
from shared.durability.outbox import Publish
from shared.envelope import Message
from shared.errors import Refused, Unavailable
from shared.relational.engine import WRITING, connect, url_of
from shared.relational.faults import as_unavailable, is_passing
from shared.relational.idempotency import IdempotencyRecord, IdempotencyRecords
from shared.relational.lease import RelationalLeases
from shared.relational.outbox import Outbox, OutboxState
from shared.relational.relay import Relay, last_instant
from shared.relational.tables import KitTables, kit_tables
from shared.relational.types import database_now

__all__ = ["Database", "UnitOfWork"]

T = TypeVar("T")
_ATTEMPTS: Final = 8
_BACKOFF: Final = Backoff(0.012, 1.5)  # a transaction takes a few milliseconds; a lock wait that times out, seconds
_GOODBYE: Final = 15.0
_ATTEMPTS_AT_A_KEY: Final = 4  # a race for a unique key is over after one; more than that is no race


@dataclass(slots=True)
class UnitOfWork:
    """One transaction: state, inbox, answers and outbox rows are all written, or none."""

    connection: AsyncConnection
    records: IdempotencyRecords
    _kit: KitTables
    _outbox: Outbox
    emitted: int = field(default=0)

    async def seen(self, consumer: str, message_id: str) -> bool:
        """Whether this consumer handled the message before; if not, notes that it has now."""
        inbox, key = self._kit.inbox, hashlib.blake2b(message_id.encode(), digest_size=32).hexdigest()
        known = await self.connection.execute(
            select(inbox.c.MessageId).where(inbox.c.Consumer == consumer, inbox.c.MessageId == key)
        )
        if known.first() is not None:
            return True
        await self.connection.execute(insert(inbox).values(Consumer=consumer, MessageId=key, SeenAt=database_now()))
        return False

    async def record_of(self, cause: Cause) -> IdempotencyRecord | None:
        """What this cause was answered before; None the first time."""
        return await self.records.find(self.connection, cause, writing=True)

    async def answer(self, cause: Cause, answer: IdempotencyRecord) -> None:
        """Keeps the answer with what it answers for."""
        await self.records.keep(self.connection, cause, answer)

    async def emit(self, messages: Sequence[Message]) -> None:
        """Messages that go once this transaction is committed; hold the row lock of their key before."""
        await self._outbox.add(self.connection, messages)
        self.emitted += len(messages)


class Database:
    """A relational store. ``address`` is a MySQL URL or a SQLite file's path; ``metadata`` holds the service's tables.

    Every error of a store that is away is Unavailable. Use it on one event loop.
    """

    def __init__(
        self,
        address: str | Path,
        *,
        metadata: MetaData | None = None,
        kit: KitTables | None = None,
        publish: Publish | None = None,
        migrate: Callable[[AsyncEngine], Awaitable[None]] | None = None,
    ) -> None:
        self._url = url_of(address)
        self.kit = kit if kit is not None else kit_tables(metadata if metadata is not None else MetaData())
        self.engine: AsyncEngine = connect(self._url)
        self.dialect = self.engine.dialect.name
        self.outbox_rows = Outbox(self.kit.outbox)
        self.records = IdempotencyRecords(self.kit.answers)
        self.leases = RelationalLeases(self, self.kit.leases)
        self._migrate = migrate
        self._writer = asyncio.Lock() if self.dialect == "sqlite" else None
        self._relay = None if publish is None else Relay(self, publish, poll=1.0 if self._writer else 0.2)

    async def start(self) -> None:
        """Brings the schema up to date, then starts the relay. Unavailable when the database does not answer."""
        await self.prepare()
        if self._relay is not None:
            self._relay.start()

    async def prepare(self) -> None:
        """Only brings the schema up to date."""
        if self._migrate is not None:
            async with _named_faults():
                await self._migrate(self.engine)

    async def stop(self) -> None:
        if self._relay is not None:
            await self._relay.stop()
        await self.engine.dispose()

    async def ping(self) -> None:
        """Asks the database something. Unavailable when no answer comes within seconds."""
        async with self.read() as connection:
            async with asyncio.timeout(5):
                await connection.execute(text("SELECT 1"))

    @contextlib.asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """A connection for reading; its transaction is rolled back at the end."""
        async with _named_faults(), self.engine.connect() as connection:
            yield connection

    @contextlib.asynccontextmanager
    async def unit(self) -> AsyncIterator[UnitOfWork]:
        """One transaction, committed at the end unless something was raised. On SQLite one at a time.

        A passing fault (a deadlock, a lost race) is raised as it is; ``write`` tries it again.
        """
        async with self._writer or contextlib.nullcontext(), _named_faults(passing_too=False):
            engine = self.engine.execution_options(**{WRITING: True})
            async with engine.begin() as connection:
                unit = UnitOfWork(connection, self.records, self.kit, self.outbox_rows)
                yield unit
        if unit.emitted:
            self.outbox_rows.open_estimate += unit.emitted
            if self._relay is not None:
                self._relay.wake()

    async def write(self, fn: Callable[[UnitOfWork], Awaitable[T]]) -> T:
        """Runs ``fn`` in one transaction, anew after a deadlock, a lock wait or a lost race for a unique key.

        ``fn`` must have no effect outside the transaction. Unavailable when the database stays away or busy. A caller
        that is cancelled waits for the transaction's end: one broken off halfway would keep its locks.
        """
        task = asyncio.create_task(self._write(fn))
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            await asyncio.wait({task}, timeout=_GOODBYE)
            task.cancel()
            raise

    async def _write(self, fn: Callable[[UnitOfWork], Awaitable[T]]) -> T:
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                async with self.unit() as unit:
                    return await fn(unit)
            except (DBAPIError, PoolTimeout) as error:
                attempts = _ATTEMPTS_AT_A_KEY if isinstance(error, IntegrityError) else _ATTEMPTS
                if not is_passing(error) or attempt >= attempts:
                    away = as_unavailable(error)
                    raise away if away is not None else error from error
            await asyncio.sleep(_BACKOFF.before(attempt))
        raise AssertionError("unreachable")

    async def run_once(
        self, cause: Cause, fn: Callable[[UnitOfWork], Awaitable[dict[str, Any]]]
    ) -> tuple[dict[str, Any], bool]:
        """A write under a cause's id: its body, and whether it was told before (then nothing is done).

        ``fn`` runs in the transaction that keeps the answer; a Refused it raises is kept too and raised again.
        """

        async def attempt(unit: UnitOfWork) -> tuple[IdempotencyRecord, bool]:
            before = await unit.record_of(cause)
            if before is not None:
                return before, True
            answer = IdempotencyRecord(body=await fn(unit))
            await unit.answer(cause, answer)
            return answer, False

        try:
            answer, replayed = await self.write(attempt)
        except Refused as refusal:
            await self.keep_refusal(cause, refusal)
            raise
        return answer.result(), replayed

    async def record_of(self, cause: Cause) -> IdempotencyRecord | None:
        """What this cause was answered before."""
        async with self.read() as connection:
            return await self.records.find(connection, cause)

    async def keep_record(self, cause: Cause, answer: IdempotencyRecord) -> IdempotencyRecord:
        """Keeps an answer; the one kept first, if it was kept before."""

        async def keep(unit: UnitOfWork) -> IdempotencyRecord:
            before = await unit.record_of(cause)
            if before is not None:
                return before
            await unit.answer(cause, answer)
            return answer

        return await self.write(keep)

    async def keep_refusal(self, cause: Cause, refusal: Refused) -> None:
        """Keeps a refusal, unless it only says to come again, or that the id itself was misused.

        Raises the refusal kept before, where that is another one.
        """
        if cause.id is None or not is_final(refusal):
            return
        kept = await self.keep_record(cause, IdempotencyRecord(refusal=refusal))
        if kept.refusal is not None and kept.refusal.problem() != refusal.problem():
            raise kept.refusal

    async def outbox(self) -> OutboxState:
        """What waits for the broker."""
        async with self.read() as connection:
            return await self.outbox_rows.state(connection)

    async def drain(self) -> None:
        """Publishes all that is open; returns when nothing is."""
        if self._relay is None:
            raise Unavailable("this store was given nothing to publish by")
        await self._relay.drain()

    async def last_instant(self) -> datetime | None:
        """The latest instant stored: the clock must not start before it."""
        return await last_instant(self)

    async def purge(self) -> int:
        """Drops answers whose time is over, and inbox entries older than any record; how many rows went."""

        async def purge(unit: UnitOfWork) -> int:
            inbox, past = self.kit.inbox, database_now(-RETENTION_OF_MESSAGES.total_seconds())
            seen = await unit.connection.execute(delete(inbox).where(inbox.c.SeenAt < past))
            return seen.rowcount + await self.records.purge(unit.connection)

        return await self.write(purge)


@contextlib.asynccontextmanager
async def _named_faults(*, passing_too: bool = True) -> AsyncIterator[None]:
    try:
        yield
    except (DBAPIError, PoolTimeout, OSError, TimeoutError) as error:
        away = as_unavailable(error)
        if away is None or (not passing_too and is_passing(error)):
            raise
        raise away from error
