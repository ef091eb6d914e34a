"""Many rows at once: what is written is what is read, whatever characters it has and however much it is."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.exc import StatementError

from shared.relational import Database, UnitOfWork, insert_rows
from tests.support.relational import SAMPLES

AWKWARD = (
    "",
    "plain",
    "it's",
    "'); DROP TABLE samples; -- ",
    "\\",
    "\\'",
    "ends in a backslash\\",
    '{"a": "b\\"c", "d": "e\'f"}',
    "100 % of %s and %(name)s",
    "line\nline\r\tend",
    "nul\x00 and sub\x1a",
    "Größe 日本語 🚀",
    "/* no comment */ # -- `x` ? :name",
)


async def inserted(database: Database, rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    async def write(unit: UnitOfWork) -> None:
        await insert_rows(unit.connection, SAMPLES, rows)

    await database.write(write)
    async with database.read() as connection:
        found = await connection.execute(select(SAMPLES).order_by(SAMPLES.c.Number))
        return [dict(row) for row in found.mappings()]


def row(number: int, **members: Any) -> dict[str, Any]:
    nothing = dict.fromkeys(("Words", "Name", "Factor", "Flag", "At", "Day"))
    return {"Number": number, **nothing, "Members": {}, **members}


async def test_texts_of_any_characters_come_back_as_they_were(database: Database) -> None:
    rows = [row(number, Words=text, Name=text, Members={"it's": text}) for number, text in enumerate(AWKWARD)]
    assert await inserted(database, rows) == rows


async def test_every_type_comes_back_as_it_was(database: Database) -> None:
    at = datetime(2024, 2, 29, 23, 59, 59, 123456, tzinfo=UTC)
    rows = [
        row(1),
        row(2, Factor=Decimal("-0.07"), Flag=True, At=at, Day=date(2024, 2, 29), Members=[1, {"a": None}, "x"]),
        row(-3, Factor=Decimal("1234567.80"), Flag=False, At=at.replace(microsecond=0), Day=date(1970, 1, 2)),
    ]
    assert await inserted(database, rows) == sorted(rows, key=lambda one: one["Number"])


async def test_an_instant_of_another_zone_is_kept_as_utc_and_one_of_none_is_refused(database: Database) -> None:
    local = datetime(2024, 6, 15, 11, 0, tzinfo=timezone(timedelta(hours=2)))
    [found] = await inserted(database, [row(1, At=local)])
    assert found["At"] == datetime(2024, 6, 15, 9, 0, tzinfo=UTC)
    with pytest.raises((ValueError, StatementError), match="no time zone"):
        await inserted(database, [row(2, At=local.replace(tzinfo=None))])


async def test_rows_larger_than_one_statement_are_all_written_once(database: Database) -> None:
    rows = [row(number, Words=f"{number}'" * 60_000) for number in range(12)] + [row(99, Words="x" * 2_000_000)]
    assert await inserted(database, rows) == rows


async def test_no_rows_are_no_statement_and_unknown_members_are_left_out(database: Database) -> None:
    assert await inserted(database, []) == []
    assert await inserted(database, [row(1) | {"Unknown": object()}]) == [row(1)]
