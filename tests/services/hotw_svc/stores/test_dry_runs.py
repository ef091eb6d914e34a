"""Dry runs: they show what a run would do, wait for nobody, and change nothing for anybody else (7.16)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from sqlalchemy import Table, select

from services.hotw_svc.adapters import tables as t
from services.hotw_svc.app.runs.work_run import work_chunk
from shared.schemas.hotw_svc import Purpose
from tests.support.hotw_store import EVENT, FLEET, Replica, counted, many

pytestmark = pytest.mark.slow

_OTHERS = (
    t.asg_details,
    t.capacity_override_details,
    t.fulfillment_details,
    t.hotw_dashboard,
    t.fleet_lock,
)
"""What a run writes besides its own rows."""


async def rows(hotw: Replica, *tables: Table) -> list[list[object]]:
    async with hotw.database.read() as connection:
        return [[tuple(row) for row in await connection.execute(select(table))] for table in tables]


async def test_a_dry_run_shows_what_a_run_would_do_and_changes_nothing_else(hotw: Replica) -> None:
    """7.16.2 to 7.16.7"""
    await hotw.settle_in()
    await hotw.execute()
    others, topics = await rows(hotw, *_OTHERS), (await hotw.published()).topics
    board = (await hotw.queries.dashboard(EVENT, Purpose.UPSCALING)).items
    dry = await hotw.run(DryRun=True, OrderType="Emergent")
    assert (dry["DryRun"], dry["RunStatus"], dry["ByStatus"]) == (True, "Completed", {"Success": 1})
    assert await rows(hotw, *_OTHERS) == others
    assert (await hotw.published()).topics == topics
    assert (await hotw.queries.dashboard(EVENT, Purpose.UPSCALING)).items == board
    newest, real = await hotw.executions()
    assert (newest["RunId"], newest["DryRun"], real["DryRun"]) == (dry["RunId"], True, False)
    assert newest["Reasoning"].startswith("Dry run: this is what a run would do. No hosts to order.")
    assert (newest["FulfillmentDetails"], newest["CapacityOverrideDetails"]) == ([], [])


async def test_an_atomic_dry_run_answers_the_hosts_that_would_be_ordered(hotw: Replica) -> None:
    await hotw.settle_in()
    cause = hotw.cause("kcat/1")
    dry = await hotw.execute(DryRun=True, cause=cause)
    assert (dry["CapacityOverrideSum"], dry["OrderedHosts"], dry["FulfillmentDetails"]) == (50, 50, [])
    assert [asg["RecommendedOverrideValue"] for asg in dry["ASGDetails"]] == [20, 20, 10]
    assert await hotw.execute(DryRun=True, cause=cause) == dry
    assert (await hotw.execute())["Reasoning"] == dry["Reasoning"].removeprefix(
        "Dry run: this is what a run would do. "
    )
    assert "hotw.run.started" in (await hotw.published()).topics
    assert {fact["RunId"] for fact in hotw.broker.facts("hotw.run.started")} == {2}


async def test_a_dry_run_waits_for_no_run_and_no_run_waits_for_it(hotw: Replica) -> None:
    """7.16.1: a run has locked every fleet, and a dry run is done meanwhile, and the other way round."""
    fleets = await many(hotw, 6)
    real = await hotw.run_state((await hotw.start())["RunId"])
    claim = await hotw.store.write(lambda unit: unit.claims.claim(real, "another", 10, 30.0))
    assert len(claim.fleets) == len(fleets)
    dry = await hotw.run(DryRun=True)
    assert (dry["RunStatus"], dry["ByStatus"]) == ("Completed", {"Success": 6})
    held = await hotw.store.write(lambda unit: unit.claims.still_held(real, "another", claim.fleets))
    assert held == {fleet.fleet_id: fleet.revision for fleet in claim.fleets}
    waiting = await hotw.run_state((await hotw.start(DryRun=True))["RunId"])
    assert (await hotw.store.write(lambda unit: unit.claims.claim(waiting, "dry", 10, 30.0))).blocked == 0
    await hotw.store.write(
        lambda unit: unit.claims.release(real, "another", [fleet.fleet_id for fleet in claim.fleets])
    )
    assert (await hotw.run())["ByStatus"] == {"Success": 6}


async def test_of_two_workers_on_a_dry_run_one_writes_each_fleet(hotw: Replica, another: Callable[[], Replica]) -> None:
    """A claim that has run out is taken by another worker; whoever writes first wins."""
    await many(hotw, 12)
    run_id = (await hotw.start(DryRun=True))["RunId"]
    replicas = (hotw, another())
    results = await asyncio.gather(
        *(work_chunk(replicas[n % 2].store, hotw.clock, run_id, limit=8, lease=0.0) for n in range(6))
    )
    assert sum(result.written for result in results) == await counted(hotw, t.hotw_execution)
    await hotw.work(run_id)
    assert (await hotw.read_run(run_id))["ByStatus"] == {"Success": 12}
    assert await counted(hotw, t.run_fleet) == 0


async def test_a_cancelled_dry_run_stops_and_publishes_nothing(hotw: Replica) -> None:
    await many(hotw, 4)
    run_id = (await hotw.start(DryRun=True))["RunId"]
    await work_chunk(hotw.store, hotw.clock, run_id, limit=1)
    state = await hotw.run_state(run_id)
    claim = await hotw.store.write(lambda unit: unit.claims.claim(state, "late", 10, 30.0))
    cancelled = await hotw.cancel(run_id)
    assert (cancelled["RunStatus"], cancelled["Executions"]) == ("Cancelled", 1)
    assert await hotw.store.write(lambda unit: unit.claims.still_held(state, "late", claim.fleets)) == {}
    assert (await hotw.published()).taken == []


async def test_a_dry_run_names_its_fleet_that_fails(hotw: Replica) -> None:
    await hotw.settle_in(configuration={"HostThroughPutTPM": None})
    dry = await hotw.execute(FLEET, DryRun=True)
    assert dry["Status"] == "Fail"
    assert "HostThroughPutTPM" in dry["Reasoning"]
    assert await counted(hotw, t.hotw_dashboard) == 0
