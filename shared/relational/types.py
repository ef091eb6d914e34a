"""The column types that both dialects treat alike (ids, names, long texts, UTC instants), and the database's clock."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import BigInteger, DateTime, Dialect, Integer, String, Text, literal
from sqlalchemy.dialects import mysql
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeDecorator, TypeEngine


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


class AsciiId(TypeDecorator[str]):
    """ASCII, compared byte by byte. A value with other characters equals no stored one; MySQL would not compare it."""

    impl = String
    cache_ok = True

    def __init__(self, length: int) -> None:
        super().__init__(length)
        self.length = length

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        ascii_text = mysql.VARCHAR(self.length, charset="ascii", collation="ascii_bin")
        return ascii_text if dialect.name == "mysql" else String(self.length)

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        if value is None:
            return None
        return str(value) if value.isascii() else value.encode("ascii", "backslashreplace").decode()


def ascii_id(length: int = 128) -> TypeEngine[str]:
    """An id: ASCII, compared byte by byte."""
    return AsciiId(length)


def name_text(length: int = 255) -> TypeEngine[str]:
    """A name of any printable characters, compared byte by byte."""
    return String(length).with_variant(mysql.VARCHAR(length, charset="utf8mb4", collation="utf8mb4_bin"), "mysql")


def long_text() -> TypeEngine[str]:
    """A text without a bound of its own, such as a JSON body."""
    return Text().with_variant(mysql.LONGTEXT(charset="utf8mb4", collation="utf8mb4_bin"), "mysql")


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
