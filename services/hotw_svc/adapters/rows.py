"""Reads and writes many rows at once, gives string ids their numbers, and turns rows into JSON."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, Table, bindparam, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.clock import iso
from shared.relational import insert_rows

Row = dict[str, Any]


async def replace_rows(
    connection: AsyncConnection, table: Table, present: ColumnElement[bool], rows: Sequence[Mapping[str, Any]]
) -> None:
    """Puts rows in the place of those that are ``present``; both dialects do this for many rows at once."""
    await connection.execute(delete(table).where(present))
    await insert_rows(connection, table, rows)


async def update_rows(
    connection: AsyncConnection, table: Table, rows: Sequence[Mapping[str, Any]], *, keep: Collection[str] = ()
) -> None:
    """Updates rows by their primary key; members in ``keep`` stay as they are in the table."""
    if not rows:
        return
    keys = [column.name for column in table.primary_key]
    values = [c.name for c in table.columns if c.name in rows[0] and c.name not in keys and c.name not in keep]
    statement = (
        update(table)
        .where(*(table.c[name] == bindparam(f"key_{name}") for name in keys))
        .values({name: bindparam(f"new_{name}") for name in values})
    )
    parameters = [
        {f"key_{name}": row[name] for name in keys} | {f"new_{name}": row[name] for name in values} for row in rows
    ]
    await connection.execute(statement, parameters)


async def index_ids(connection: AsyncConnection, table: Table, ids: Iterable[str]) -> dict[str, int]:
    """The numbers of string ids, given now where there is none yet; once given, a number never changes."""
    number, name = table.columns
    wanted = sorted(set(ids))
    query = select(name, number).where(name.in_(wanted))
    found = {row[0]: row[1] for row in (await connection.execute(query)).all()}
    missing = [value for value in wanted if value not in found]
    if missing:
        await connection.execute(insert(table), [{name.name: value} for value in missing])
        found = {row[0]: row[1] for row in (await connection.execute(query)).all()}
    return found


def wire(row: Mapping[str, Any]) -> Row:
    """The JSON form of a row: decimals as numbers, instants with ``Z``, days as days."""
    return {name: _wire_value(value) for name, value in row.items()}


def _wire_value(value: Any) -> Any:
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, datetime):
        return iso(value)
    if isinstance(value, date):
        return value.isoformat()
    return value
