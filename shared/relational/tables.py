"""Column types that both dialects treat alike, the database's clock, and the kit's tables beside a service's own."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    DateTime,
    Dialect,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    literal,
)
from sqlalchemy.dialects import mysql
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.sql.schema import SchemaItem
from sqlalchemy.types import TypeDecorator, TypeEngine

_BINARY: Final = {"charset": "utf8mb4", "collation": "utf8mb4_bin"}

TABLE_OPTIONS: Final[dict[str, Any]] = {
    "mysql_engine": "InnoDB",
    "mysql_charset": _BINARY["charset"],
    "mysql_collate": _BINARY["collation"],
    "sqlite_autoincrement": True,
}


class UtcTimestamp(TypeDecorator[datetime]):
    """A UTC instant to the microsecond: ``TIMESTAMP(6)``, and a text on SQLite. A value without a zone is refused."""

    impl = DateTime().with_variant(mysql.TIMESTAMP(fsp=6), "mysql")
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value} has no time zone")
        return (value if value.tzinfo is UTC else value.astimezone(UTC)).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return None if value is None else value.replace(tzinfo=UTC)


def short_text(length: int = 255) -> TypeEngine[str]:
    """An id or a name, compared byte by byte. An index takes 768 characters of all its columns."""
    return String(length).with_variant(mysql.VARCHAR(length, **_BINARY), "mysql")


def long_text() -> TypeEngine[str]:
    """A text without a bound of its own, such as a JSON body."""
    return Text().with_variant(mysql.LONGTEXT(**_BINARY), "mysql")


def big_integer() -> TypeEngine[int]:
    """64 bits. On SQLite it is INTEGER, since only an INTEGER primary key is assigned there."""
    return BigInteger().with_variant(Integer(), "sqlite")


class database_now(FunctionElement[datetime]):  # noqa: N801 - used as a SQL function
    """The database's own clock, ``seconds`` from now. Leases are measured by it, whatever the hosts' clocks say."""

    type = UtcTimestamp()
    inherit_cache = True
    name = "database_now"

    def __init__(self, seconds: float = 0) -> None:
        super().__init__(literal(int(seconds * 1000)))


@compiles(database_now, "mysql")
def _mysql_now(element: database_now, compiler: SQLCompiler, **kw: Any) -> str:
    return f"TIMESTAMPADD(MICROSECOND, {compiler.process(element.clauses, **kw)} * 1000, UTC_TIMESTAMP(6))"


@compiles(database_now, "sqlite")
def _sqlite_now(element: database_now, compiler: SQLCompiler, **kw: Any) -> str:
    moved = f"({compiler.process(element.clauses, **kw)} / 1000.0) || ' seconds'"
    return f"(strftime('%Y-%m-%d %H:%M:%f', 'now', {moved}) || '000')"


def lease_columns() -> list[SchemaItem]:
    """Who holds the row, until when by the database's clock, and under which fencing number (0 before the first)."""
    return [
        Column("Holder", short_text(64), nullable=True),
        Column("LeaseUntil", UtcTimestamp(), nullable=True),
        Column("Fence", big_integer(), nullable=False),
    ]


def create_missing(connection: Connection, metadata: MetaData) -> None:
    """Creates the tables and indexes that are missing: on MySQL an earlier attempt may have ended between two."""
    for table in metadata.sorted_tables:
        table.create(connection, checkfirst=True)
        for index in sorted(table.indexes, key=lambda index: str(index.name)):
            index.create(connection, checkfirst=True)


KIT_TABLES: Final = MetaData()


def _table(name: str, *items: SchemaItem) -> Table:
    return Table(name, KIT_TABLES, *items, **TABLE_OPTIONS)


OUTBOX: Final = _table(
    "outbox",
    Column("Id", big_integer(), primary_key=True, autoincrement=True),
    Column("Topic", short_text(249), nullable=False),
    Column("MessageKey", short_text(512), nullable=False),
    Column("OccurredAt", UtcTimestamp(), nullable=False),
    Column("Headers", long_text(), nullable=False),
    Column("Body", long_text(), nullable=False),
    Index("outbox_key", "MessageKey"),
)
IDEMPOTENCY_RECORDS: Final = _table(
    "idempotency_records",
    Column("RecordId", short_text(64), primary_key=True),
    Column("Digest", short_text(64), nullable=False),
    Column("UnderWay", Boolean, nullable=False),
    Column("Reference", short_text(), nullable=True),
    Column("Outcome", long_text(), nullable=False),
    Column("ExpiresAt", UtcTimestamp(), nullable=False),
    Index("idempotency_records_expire", "ExpiresAt"),
)
LEASES: Final = _table(
    "leases",
    Column("Name", short_text(64), primary_key=True),
    *lease_columns(),
    Column("Record", long_text(), nullable=False),
)
DEAD_LETTERS: Final = _table(
    "dead_letters", Column("Id", short_text(512), primary_key=True), Column("Letter", long_text(), nullable=False)
)
META: Final = _table(
    "meta", Column("Name", short_text(64), primary_key=True), Column("Instant", UtcTimestamp(), nullable=True)
)
