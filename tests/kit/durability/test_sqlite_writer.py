"""The group-commit writer: transactions that share a commit do not share their failures."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from shared.durability.sqlite_writer import Writer, connect
from shared.errors import Unavailable


@pytest.fixture
async def writer(tmp_path: Path) -> AsyncIterator[Writer]:
    writer = Writer(tmp_path / "file.db")
    await writer.start()
    await writer.run(lambda file: file.execute("CREATE TABLE numbers (number INTEGER)"))
    yield writer
    await writer.stop()


def numbers(file: sqlite3.Connection) -> list[int]:
    return [number for (number,) in file.execute("SELECT number FROM numbers ORDER BY number")]


def insert(file: sqlite3.Connection) -> None:
    file.execute("INSERT INTO numbers SELECT coalesce(max(number), 0) + 1 FROM numbers")


async def test_one_failing_transaction_leaves_the_others_of_its_commit(writer: Writer) -> None:
    def fails(file: sqlite3.Connection) -> None:
        file.execute("DELETE FROM numbers")
        raise LookupError("no")

    outcomes = await asyncio.gather(writer.run(insert), writer.run(fails), writer.run(insert), return_exceptions=True)

    assert outcomes[0] is outcomes[2] is None
    assert isinstance(outcomes[1], LookupError)
    assert await writer.run(numbers) == [1, 2]


async def test_a_disk_that_fails_is_tried_anew(writer: Writer, tmp_path: Path) -> None:
    def fails(file: sqlite3.Connection) -> None:
        file.execute("INSERT INTO numbers VALUES (99)")
        file.execute("ROLLBACK")  # as SQLite does by itself when the disk is full

    attempts = 0

    def refuse(path: Path) -> sqlite3.Connection:
        nonlocal attempts
        attempts += 1
        if attempts == 1:
            raise sqlite3.OperationalError("unable to open database file")
        return connect(path)

    await writer.run(insert)
    writer._connect = refuse
    with pytest.raises(sqlite3.OperationalError):
        await writer.run(fails)
    with pytest.raises(sqlite3.OperationalError, match="unable to open"):
        await writer.run(insert)
    await writer.run(insert)

    assert await writer.run(numbers) == [1, 2]


async def test_a_stop_writes_what_was_begun_and_then_nothing_more(writer: Writer) -> None:
    begun = [writer.run(insert) for _ in range(300)]
    await writer.stop()
    assert await asyncio.gather(*begun) == [None] * 300
    with pytest.raises(Unavailable):
        writer.run(insert)
