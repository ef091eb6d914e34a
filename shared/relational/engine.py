"""Connecting to a database (MySQL through aiomysql, or a SQLite file), and what its errors mean."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import orjson
from sqlalchemy import event
from sqlalchemy.engine import URL, Connection, make_url
from sqlalchemy.exc import DBAPIError, IntegrityError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from shared.errors import Unavailable

WRITING: Final = "epic_writing"
"""The execution option of a transaction that writes; SQLite must lock the file when such a one begins."""

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


def connect(address: str | Path) -> AsyncEngine:
    """An engine on a MySQL URL (``mysql://…``) or a SQLite file; nothing is connected yet."""
    return _sqlite(address) if isinstance(address, Path) else _mysql(address)


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
        writing = connection.get_execution_options().get(WRITING, False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")

    return engine


_CONTENTION: Final = frozenset({1213, 1205, 1020})  # deadlock, lock wait timeout, changed since the last read
# Too many connections, shutting down, read-only after a failover, unreachable, gone, lost. Also what an operator can
# repair while EPIC waits: a wrong name or password, a database that does not exist yet.
_AWAY: Final = frozenset(
    {1040, 1044, 1045, 1049, 1053, 1129, 1290, 1698, 1836, 1927}
    | {2002, 2003, 2005, 2006, 2012, 2013, 2014, 2055, 3169, 4031}
)
_SQLITE_BUSY: Final = "database is locked"
_SQLITE_AWAY: Final = ("unable to open", "disk", "readonly")


def is_contention(error: DBAPIError) -> bool:
    """Whether the same transaction may succeed when it is tried again: it lost a race for a lock or a unique key."""
    return isinstance(error, IntegrityError) or _code(error) in _CONTENTION or _is_sqlites(error, _SQLITE_BUSY)


def as_unavailable(error: DBAPIError | PoolTimeout | OSError) -> Unavailable | None:
    """The error for a database that is away or too busy to answer in time; None for an error of any other kind."""
    if not isinstance(error, DBAPIError):
        return Unavailable(f"the database does not answer ({type(error).__name__})")
    away = error.connection_invalidated or isinstance(error, InterfaceError) or _code(error) in _AWAY | _CONTENTION
    if away or _is_sqlites(error, _SQLITE_BUSY, *_SQLITE_AWAY):
        return Unavailable(f"the database does not answer: {error.orig}")
    return None


def _code(error: DBAPIError) -> int | None:
    arguments = getattr(error.orig, "args", ())
    return arguments[0] if arguments and isinstance(arguments[0], int) else None


def _is_sqlites(error: DBAPIError, *texts: str) -> bool:
    return isinstance(error, OperationalError) and any(text in str(error.orig) for text in texts)
