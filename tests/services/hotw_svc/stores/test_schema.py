"""The schema: what the revisions make is what the code reads, on both dialects, whoever runs them and however often."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, MetaData, event, inspect, text
from sqlalchemy.dialects import mysql, sqlite
from sqlalchemy.schema import CreateIndex, CreateTable, DDLElement

from services.hotw_svc.adapters import store
from services.hotw_svc.adapters.store import migrate
from services.hotw_svc.adapters.tables import METADATA
from shared.errors import EpicError, Unavailable
from shared.relational import KIT_TABLES, Database
from tests.support.broker import Broker

REFERENCE = {
    "hotw_run": "RunId EventIndexId RunStatus OrderType CreatedAt",
    "hotw_execution": (
        "ExecutionId FleetIndexId ServiceIndexId EventIndexId RunId PeakTPM BAUTPM CTPeakFactor BufferFactor "
        "HostThroughPutTPM RequiredHosts HostsPresentInApollo CapacityOverrideSum PendingEPICFMCHostOrder "
        "PreferredHostType Homogeneous Status Reasoning FleetVersionId DesiredCapacity ChildDesiredCapacity "
        "HostDistribution User CreatedAt"
    ),
    "asg_details": (
        "FleetIndexId AutoScalingGroupName AsgTag HostType AutoScalingGroupRegion EAPOnboardingStatus EAPEnableStatus "
        "AsgCapacityLowerBound AutoScalingGroupARN"
    ),
    "asg_details_run": (
        "FleetIndexId AutoScalingGroupName AsgTag HostType AutoScalingGroupRegion EAPOnboardingStatus EAPEnableStatus "
        "AsgCapacityLowerBound AutoScalingGroupARN RunId RecommendedOverrideValue"
    ),
    "capacity_override_details": (
        "CapacityOverrideName StartTime Duration OverrideValue OverrideExpiryValue OverrideTag StartOffset EndOffset "
        "PlaceOrderIfRequired OverrideType Justification RunId FleetIndexId AutoScalingGroupName"
    ),
    "fulfillment_details": (
        "FulfillmentId AutoScalingGroupName FulfillmentType FulfillmentStatus FulfillmentValue FulfillmentDate "
        "FulfillmentLink IsEmergent RunId FleetIndexId"
    ),
    "preferred_asg": "RecordId FleetIndexId EventIndexId ASGs UpdatedBy UpdatedAt",
    "hotw_dashboard": "ServiceIndexId FleetIndexId EventIndexId CapacityOverrideSum Purpose",
    "fleet_index": "FleetId FleetIndexId",
    "service_index": "ServiceId ServiceIndexId",
    "event_index": "EventId EventIndexId",
}


TABLES = MetaData()
for declared in (*METADATA.sorted_tables, *KIT_TABLES.sorted_tables):
    declared.to_metadata(TABLES)
SCHEMAS = Path(__file__).parent / "schemas"
"""The statements that make the tables of each revision, on both dialects; a released one never changes."""


async def opened(address: str | Path) -> Database:
    database = Database(address, migrate, Broker().publish)
    await database.prepare()
    return database


def differences(connection: Connection) -> list[Any]:
    """How the tables of a database differ from what the code reads."""
    context = MigrationContext.configure(connection, opts={"compare_type": True})
    found = compare_metadata(context, TABLES)
    return [difference for difference in found if "alembic_version" not in str(difference)]


def statements(dialect: str) -> str:
    """What makes the tables that the code reads."""
    of = {"mysql": mysql.dialect, "sqlite": sqlite.dialect}[dialect]()
    made: list[DDLElement] = []
    for table in TABLES.sorted_tables:
        made += [CreateTable(table), *map(CreateIndex, sorted(table.indexes, key=lambda index: str(index.name)))]
    texts = [f"{str(one.compile(dialect=of)).strip()};" for one in made]
    return "\n".join(line.strip() for text in texts for line in text.splitlines()) + "\n"


@pytest.mark.parametrize("of", ["sqlite", "mysql"])
def test_a_change_of_the_tables_comes_with_a_revision(of: str) -> None:
    """Where it fails, add a revision, and the new statements under the revision's number."""
    head = ScriptDirectory(str(Path(store.__file__).parent / "migrations")).get_current_head()
    assert statements(of) == (SCHEMAS / f"{head}.{of}.sql").read_text()


@pytest.mark.parametrize("revision", sorted({path.name.split(".")[0] for path in SCHEMAS.iterdir()}))
async def test_the_tables_of_each_revision_become_what_the_code_reads(
    address: str | Path, dialect: str, revision: str
) -> None:
    database = Database(address, migrate, Broker().publish)
    made = (SCHEMAS / f"{revision}.{dialect}.sql").read_text().split(";\n")
    version = ["CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY)"]
    async with database.engine.begin() as connection:
        for statement in [*filter(None, made), *version, f"INSERT INTO alembic_version VALUES ('{revision}')"]:
            await connection.exec_driver_sql(statement)
    await database.prepare()
    async with database.engine.connect() as connection:
        assert await connection.run_sync(differences) == []
    await database.stop()


async def test_the_revisions_make_what_the_code_reads(address: str | Path) -> None:
    database = await opened(address)
    async with database.engine.connect() as connection:
        assert await connection.run_sync(differences) == []
    await database.stop()


async def test_every_table_and_column_of_the_reference_is_there(address: str | Path) -> None:
    database = await opened(address)

    def columns(connection: Connection) -> dict[str, set[str]]:
        look = inspect(connection)
        return {name: {column["name"] for column in look.get_columns(name)} for name in look.get_table_names()}

    async with database.engine.connect() as connection:
        present = await connection.run_sync(columns)
    for table, names in REFERENCE.items():
        assert set(names.split()) <= present[table], table
    await database.stop()


async def test_several_replicas_may_start_at_once_and_again(address: str | Path) -> None:
    databases = await asyncio.gather(*(opened(address) for _ in range(3)))
    await databases[0].prepare()
    async with databases[1].read() as connection:
        assert (await connection.execute(text("SELECT version_num FROM alembic_version"))).scalars().all() == ["0001"]
    for database in databases:
        await database.stop()


async def test_a_migration_broken_off_is_finished_by_the_next_start(address: str | Path) -> None:
    database = await opened(address)
    async with database.engine.begin() as connection:
        await connection.execute(text("DELETE FROM alembic_version"))
        await connection.execute(text("DROP TABLE fleet_lock"))
        await connection.execute(
            text(
                "DROP INDEX dashboard_due"
                if database.dialect == "sqlite"
                else "ALTER TABLE hotw_dashboard DROP INDEX dashboard_due"
            )
        )
    await database.prepare()
    async with database.engine.connect() as connection:
        indexes = await connection.run_sync(lambda sync: inspect(sync).get_indexes("hotw_dashboard"))
        tables = await connection.run_sync(lambda sync: inspect(sync).get_table_names())
    assert "dashboard_due" in {index["name"] for index in indexes}
    assert "fleet_lock" in tables
    await database.stop()


async def test_ids_are_compared_byte_by_byte(address: str | Path) -> None:
    database = await opened(address)
    await database.execute(
        *(text(f"INSERT INTO fleet_index (FleetId) VALUES ('{name}')") for name in ("Fleet", "fleet", "FLEET"))
    )
    async with database.read() as connection:
        found = await connection.execute(text("SELECT FleetId FROM fleet_index WHERE FleetId = 'fleet'"))
        assert found.scalars().all() == ["fleet"]
    await database.stop()


async def test_who_migrates_next_sees_what_was_migrated_before_it(address: str | Path) -> None:
    """The first commits slowly: no other may begin between its work and its commit."""
    began, got_in_between = threading.Event(), threading.Event()

    def slowly(_: Connection) -> None:
        began.set()
        got_in_between.wait(0.5)

    async def migrated(*, first: bool) -> None:
        database = Database(address, migrate, Broker().publish)
        if first:
            event.listen(database.engine.sync_engine, "commit", slowly)
        await database.prepare()
        await database.stop()

    one = asyncio.create_task(asyncio.to_thread(asyncio.run, migrated(first=True)))
    assert await asyncio.to_thread(began.wait, 180)
    await migrated(first=False)
    got_in_between.set()
    await one


async def test_tables_of_a_newer_version_are_refused_and_left_as_they_are(address: str | Path) -> None:
    database = await opened(address)
    async with database.engine.begin() as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = '0999'"))
    with pytest.raises(EpicError, match=r"hotw_svc.*0999.*start the version") as refused:
        await database.prepare()
    assert not isinstance(refused.value, Unavailable), "waiting would not help"
    async with database.read() as connection:
        assert (await connection.execute(text("SELECT version_num FROM alembic_version"))).scalars().all() == ["0999"]
    await database.stop()
