"""Inserting many rows fast: one statement for many rows, and only the conversions that the columns need."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any, Final

from sqlalchemy import Dialect, Table
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.types import TypeEngine

from shared.relational.tables import UtcTimestamp

_Convert = Callable[[Any], Any] | None
_MAX_CHARACTERS: Final = 1_000_000
"""Of one statement. A server takes packets of at least 16 MB, and a character has at most four bytes."""
_MAX_PARAMETERS: Final = 5000
"""Of one statement. SQLite takes no more than 32,766, and longer statements are no faster."""


async def insert_rows(
    connection: AsyncConnection, table: Table, rows: Sequence[Mapping[str, Any]], *, or_ignore: bool = False
) -> None:
    """Inserts rows that all have the same members, by the columns' names. Members without a column are left out.

    ``or_ignore`` leaves a row out whose key is taken; the caller has made sure that nothing else is wrong with it.
    It takes a fraction of the time that SQLAlchemy's executemany, or MySQL's driver, takes for the same rows.
    """
    if not rows:
        return
    names = tuple(column.name for column in table.columns if column.name in rows[0])
    statement, columns = _prepared(table, connection.dialect, names, or_ignore=or_ignore)
    values = ([row[name] if convert is None else convert(row[name]) for name, convert in columns] for row in rows)
    if connection.dialect.name == "mysql":
        for some in _texts(values):
            await connection.exec_driver_sql(f"{statement} VALUES {some}".replace("%", "%%"))
    else:
        marks = ", ".join("?" * len(names))
        await connection.exec_driver_sql(f"{statement} VALUES ({marks})", [tuple(row) for row in values])


def slices(values: Sequence[str]) -> Iterator[Sequence[str]]:
    """Parts of a list, each of which one statement can name."""
    for start in range(0, len(values), _MAX_PARAMETERS):
        yield values[start : start + _MAX_PARAMETERS]


@lru_cache(maxsize=256)
def _prepared(
    table: Table, dialect: Dialect, names: tuple[str, ...], *, or_ignore: bool
) -> tuple[str, list[tuple[str, _Convert]]]:
    quote = dialect.identifier_preparer.quote
    converts = [(column.name, _convert(column.type, dialect)) for column in table.columns if column.name in names]
    ignoring = ("IGNORE " if dialect.name == "mysql" else "OR IGNORE ") if or_ignore else ""
    return f"INSERT {ignoring}INTO {quote(table.name)} ({', '.join(map(quote, names))})", converts


def _convert(type_: TypeEngine[Any], dialect: Dialect) -> _Convert:
    convert = type_.dialect_impl(dialect).bind_processor(dialect)
    if convert is None or not isinstance(type_, UtcTimestamp):
        return convert
    return lru_cache(maxsize=1024)(convert)  # rows that are written together share a few instants


def _texts(rows: Iterator[list[Any]]) -> Iterator[str]:
    """Rows as MySQL's literals, as many together as one statement takes."""
    parts: list[str] = []
    length = 0
    for row in rows:
        part = f"({','.join([_LITERALS.get(value.__class__, _text)(value) for value in row])})"
        length += len(part) + 1
        if length > _MAX_CHARACTERS and parts:
            yield ",".join(parts)
            parts, length = [], len(part)
        parts.append(part)
    yield ",".join(parts)


def _text(value: str) -> str:
    """A literal that no character of the text can end: a text with a quote or a backslash is written as its bytes."""
    if "'" in value or "\\" in value:
        return f"_utf8mb4 X'{value.encode().hex()}'"
    return f"'{value}'"


_LITERALS: Final[dict[type, Callable[[Any], str]]] = {
    int: str,
    bool: lambda value: "1" if value else "0",
    type(None): lambda value: "NULL",
    datetime: lambda value: f"'{value.isoformat(' ')}'",
    date: lambda value: f"'{value.isoformat()}'",
    Decimal: str,
}
"""How a value is written as a literal that is no text. No column has values of another type."""
