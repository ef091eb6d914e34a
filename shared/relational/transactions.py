"""Transactions on one database: for reading, and for writing with another attempt after a lost race."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

from sqlalchemy import Executable, literal, select
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from shared.durability.backoff import Backoff
from shared.relational.engine import WRITING, as_unavailable, connect, is_contention

T = TypeVar("T")

_ATTEMPTS: Final = 8
"""With the backoff below, some two seconds in all. A write that still loses then is Unavailable."""
_ATTEMPTS_AT_A_KEY: Final = 4
"""A race for a unique key is over after one attempt; a key that is still taken after four was not raced for."""
_BACKOFF: Final = Backoff(0.012, 1.5)  # a transaction takes a few milliseconds; a lock wait that times out, seconds
_PATIENCE_WHEN_CANCELLED: Final = 15.0
"""Longer than MySQL's lock wait of 10 s, so that a transaction that was begun can end by itself."""
_PING_SECONDS: Final = 5


class Transactions:
    """The database at ``address``: a MySQL URL, or the path of a SQLite file. Use it on one event loop.

    Every error that means that the database is away is raised as Unavailable.
    """

    def __init__(self, address: str | Path) -> None:
        self.engine: AsyncEngine = connect(address)
        self.dialect = self.engine.dialect.name
        self._writer = asyncio.Lock() if self.dialect == "sqlite" else None  # SQLite has one writer at a time

    async def ping(self) -> None:
        """Unavailable when no answer comes within five seconds."""
        with _unavailable_when_away():
            async with asyncio.timeout(_PING_SECONDS):
                await self.rows(select(literal(1)))

    @contextlib.asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """A connection for reading; its transaction is rolled back at the end."""
        with _unavailable_when_away():
            async with self.engine.connect() as connection:
                yield connection

    async def rows(self, query: Executable) -> Sequence[Any]:
        """What one query finds."""
        async with self.read() as connection:
            return (await connection.execute(query)).all()

    async def transact(self, fn: Callable[[AsyncConnection], Awaitable[T]]) -> T:
        """Runs ``fn`` in one writing transaction, as ``repeat`` does; it is committed unless something is raised."""
        writing = self.engine.execution_options(**{WRITING: True})

        async def attempt() -> T:
            async with self._writer or contextlib.nullcontext(), writing.begin() as connection:
                return await fn(connection)

        return await self.repeat(attempt)

    async def execute(self, *statements: Executable) -> int:
        """Executes statements in one writing transaction; how many rows the last one found."""

        async def run(connection: AsyncConnection) -> int:
            return [(await connection.execute(statement)).rowcount for statement in statements][-1]

        return await self.transact(run)

    async def repeat(self, attempt: Callable[[], Awaitable[T]]) -> T:
        """Runs one transaction, again after a deadlock, a lock wait or a lost race for a unique key.

        ``attempt`` must have no effect outside the transaction. Unavailable when the database stays away or busy. A
        caller that is cancelled waits for the transaction's end: one that is interrupted halfway would keep its locks.
        """
        task = asyncio.create_task(_repeated(attempt))
        try:
            with _unavailable_when_away():
                return await asyncio.shield(task)
        except asyncio.CancelledError:
            await asyncio.wait({task}, timeout=_PATIENCE_WHEN_CANCELLED)
            task.cancel()
            raise


async def _repeated(attempt: Callable[[], Awaitable[T]]) -> T:
    number = 0
    while True:
        number += 1
        try:
            return await attempt()
        except DBAPIError as error:
            last = _ATTEMPTS_AT_A_KEY if isinstance(error, IntegrityError) else _ATTEMPTS
            if number >= last or not is_contention(error):
                raise
        await asyncio.sleep(_BACKOFF.before(number))


@contextlib.contextmanager
def _unavailable_when_away() -> Iterator[None]:
    """Raises Unavailable in place of an error that means that the database is away, or too busy to answer in time."""
    try:
        yield
    except (DBAPIError, PoolTimeout, OSError) as error:
        away = as_unavailable(error)
        if away is None:
            raise
        raise away from error
