"""Transactions on one database: MySQL through aiomysql, or a SQLite file. A lost race is tried again."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

import orjson
from sqlalchemy import Executable, event, literal, select
from sqlalchemy.engine import URL, Connection, make_url
from sqlalchemy.exc import DBAPIError, IntegrityError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from shared.durability.backoff import Backoff
from shared.errors import Unavailable

T = TypeVar("T")

_WRITING: Final = "epic_writing"
"""The execution option of a transaction that writes; SQLite must lock the file when such a one begins."""
_ATTEMPTS: Final = 8
"""With the backoff below, some two seconds in all. A write that still loses then is Unavailable."""
_ATTEMPTS_AT_A_KEY: Final = 4
"""A race for a unique key is over after one attempt; a key that is still taken after four was not raced for."""
_BACKOFF: Final = Backoff(0.012, 1.5)  # a transaction takes a few milliseconds; a lock wait that times out, seconds
_PATIENCE_WHEN_CANCELLED: Final = 15.0
"""Longer than MySQL's lock wait of 10 s, so that a transaction that was begun can end by itself."""
_PING_SECONDS: Final = 5
_SQL_MODE: Final = "STRICT_ALL_TABLES,NO_ZERO_DATE,NO_ZERO_IN_DATE,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION"

_SQLITE_PRAGMAS: Final = (
    "journal_mode=WAL",
    "synchronous=FULL",
    "foreign_keys=ON",
    "busy_timeout=30000",
    "cache_size=-32000",
    "temp_store=MEMORY",
)

_JSON: Final[dict[str, Any]] = {
    "json_serializer": lambda value: orjson.dumps(value).decode(),
    "json_deserializer": orjson.loads,
}
_CONTENTION: Final = frozenset({1213, 1205, 1020})  # deadlock, lock wait timeout, changed since the last read
# Too many connections, shutting down, read-only after a failover, unreachable, gone, lost. Also what an operator can
# repair while EPIC waits: a wrong name or password, a database that does not exist yet.
_AWAY: Final = frozenset(
    {1040, 1044, 1045, 1049, 1053, 1129, 1290, 1698, 1836, 1927}
    | {2002, 2003, 2005, 2006, 2012, 2013, 2014, 2055, 3169, 4031}
)
_SQLITE_AWAY: Final = ("unable to open", "disk", "readonly")


class Transactions:
    """The database at ``address``: a MySQL URL, or the path of a SQLite file. Use it on one event loop.

    Every error that means that the database is away is raised as Unavailable.
    """

    def __init__(self, address: str | Path) -> None:
        self.engine = _sqlite(address) if isinstance(address, Path) else _mysql(address)
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
        writing = self.engine.execution_options(**{_WRITING: True})

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
            if number >= last or not (isinstance(error, IntegrityError) or _is_contention(error)):
                raise
        await asyncio.sleep(_BACKOFF.before(number))


@contextlib.contextmanager
def _unavailable_when_away() -> Iterator[None]:
    """Raises Unavailable in place of an error that means that the database is away, or too busy to answer in time."""
    try:
        yield
    except (PoolTimeout, OSError) as error:
        raise Unavailable(f"the database does not answer ({type(error).__name__})") from error
    except DBAPIError as error:
        is_lost = error.connection_invalidated or isinstance(error, InterfaceError) or _code(error) in _AWAY
        if is_lost or _is_contention(error) or _is_sqlites(error, *_SQLITE_AWAY):
            raise Unavailable(f"the database does not answer: {error.orig}") from error
        raise


def _is_contention(error: DBAPIError) -> bool:
    """Whether it lost a race for a lock, so that the same transaction may succeed when it is tried again."""
    return _code(error) in _CONTENTION or _is_sqlites(error, "database is locked")


def _code(error: DBAPIError) -> int | None:
    arguments = getattr(error.orig, "args", ())
    return arguments[0] if arguments and isinstance(arguments[0], int) else None


def _is_sqlites(error: DBAPIError, *texts: str) -> bool:
    return isinstance(error, OperationalError) and any(text in str(error.orig) for text in texts)


def _mysql(address: str) -> AsyncEngine:
    return create_async_engine(
        make_url(address).set(drivername="mysql+aiomysql"),
        isolation_level="READ COMMITTED",
        pool_size=12,
        max_overflow=12,
        pool_timeout=15,
        pool_recycle=1800,
        pool_pre_ping=True,
        **_JSON,
        connect_args={
            "charset": "utf8mb4",
            "connect_timeout": 5,
            "init_command": f"SET time_zone = '+00:00', sql_mode = '{_SQL_MODE}', innodb_lock_wait_timeout = 10",
        },
    )


def _sqlite(path: Path) -> AsyncEngine:
    path.parent.mkdir(parents=True, exist_ok=True)
    url = URL.create("sqlite+aiosqlite", database=str(path))
    engine = create_async_engine(
        url, pool_size=6, max_overflow=6, pool_timeout=30, connect_args={"timeout": 30}, **_JSON
    )

    @event.listens_for(engine.sync_engine, "connect")
    def _prepare(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # so that the driver begins no transaction by itself; _begin does
        cursor = connection.cursor()
        for pragma in _SQLITE_PRAGMAS:
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def _begin(connection: Connection) -> None:
        writing = connection.get_execution_options().get(_WRITING, False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")

    return engine
