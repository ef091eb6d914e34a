"""The tables of read models: columns to join by, filled from what is stored when a filter is declared later."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import select

from shared.relational import Database, ReadModelTable, UnitOfWork, short_text
from shared.relational.read_models import RelationalReadModel
from tests.support.broker import Broker
from tests.support.relational import COUNTERS, METADATA

FLEETS = ReadModelTable("fleet", {"ServiceId": short_text(), "Place.Region": short_text()})


def fleet(number: int, version: int = 1, **more: object) -> tuple[str, int, dict[str, object]]:
    return f"F{number}", version, {"ServiceId": f"S{number % 3}", "Place": {"Region": "NA"}, **more}


async def opened(address: str | Path, declared: ReadModelTable) -> Database:
    database = Database(address, METADATA.create_all, Broker().publish)
    database.declare(declared)
    await database.prepare()
    return database


async def test_a_query_joins_by_the_declared_columns_and_leaves_tombstones_out(address: str | Path) -> None:
    database, table = await opened(address, FLEETS), FLEETS.table

    async def write(unit: UnitOfWork) -> None:
        await unit.connection.execute(COUNTERS.insert(), [{"Name": f"S{n}", "Value": n} for n in range(3)])
        given = [*(fleet(n) for n in range(6)), fleet(6, Deleted=True), fleet(7, Place=None)]
        assert await FLEETS.put(unit.connection, given) == {f"F{n}" for n in range(8)}

    await database.write(write)
    joined = (
        select(table.c.Key, COUNTERS.c.Value)
        .join(COUNTERS, COUNTERS.c.Name == table.c.ServiceId)
        .where(FLEETS.is_present, table.c["Place.Region"] == "NA")
        .order_by(table.c.Key)
    )
    async with database.read() as connection:
        assert [tuple(row) for row in await connection.execute(joined)] == [(f"F{n}", n % 3) for n in range(6)]
        rows = await FLEETS.rows(connection, ["F6", "F7", "unknown"])
    assert {key: row.Deleted for key, row in rows.items()} == {"F6": True, "F7": False}
    await database.stop()


async def test_more_keys_than_one_statement_names_are_read_and_written(address: str | Path) -> None:
    database = await opened(address, FLEETS)
    model = RelationalReadModel(FLEETS, database)
    keys = {f"F{n}" for n in range(6000)}
    for version in (1, 2):
        assert await model.put([fleet(n, version) for n in range(6000)]) == keys
    assert set(await model.get_many(sorted(keys))) == keys
    await database.stop()


async def test_a_filter_declared_later_finds_what_is_stored_already(address: str | Path) -> None:
    before = await opened(address, ReadModelTable("fleet", {"ServiceId": short_text()}))
    await before.write(lambda unit: FLEETS_BEFORE.put(unit.connection, [fleet(n) for n in range(1500)]))
    await before.stop()
    for _ in range(2):
        after = await opened(address, FLEETS)
        model = RelationalReadModel(FLEETS, after)
        pages = [len(page) async for page in model.scan({"Place.Region": "NA", "ServiceId": "S1"})]
        assert sum(pages) == 500
        await after.stop()


FLEETS_BEFORE = ReadModelTable("fleet", {"ServiceId": short_text()})
