"""The workers of a run: each fleet is executed exactly once, whoever works, whoever dies, whatever one fleet holds."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from services.hotw_svc.adapters import tables as t
from services.hotw_svc.app.ports import Store
from services.hotw_svc.app.runs.work_run import complete_run, work_chunk
from services.hotw_svc.app.runs.worker import run_worker
from shared.relational import database_now
from shared.schemas.hotw_svc import Purpose
from tests.support.hotw_store import EVENT, FLEET, Replica, counted, fleet_body, many, service_body, snapshot

pytestmark = pytest.mark.slow


async def test_every_fleet_is_executed_once_by_many_workers_of_two_replicas(
    hotw: Replica, another: Callable[[], Replica]
) -> None:
    fleets = await many(hotw, 120)
    run = await hotw.start()
    replicas = [hotw, another(), another()]
    workers = [run_worker(replica.store, replica.clock, chunk=7, poll=0.05) for replica in replicas]
    for worker in workers:
        await worker.start()
    async with asyncio.timeout(180):
        while (await hotw.read_run(run["RunId"]))["RunStatus"] != "Completed":
            await asyncio.sleep(0.05)
    for worker in workers:
        await worker.stop()
    done = await hotw.read_run(run["RunId"])
    assert (done["Executions"], done["OrderedHosts"]) == (120, 120 * 37)
    assert await counted(hotw, t.hotw_execution) == 120
    broker = await hotw.published()
    placed = Counter(fact["FleetId"] for fact in broker.facts("hotw.order.placed"))
    assert placed == dict.fromkeys(fleets, 1)
    assert broker.topics.count("hotw.run.completed") == 1
    services = broker.facts("hotw.run.completed")[0]["Services"]
    assert [(s["OrderingExecutions"], s["OrderedHosts"]) for s in services] == [(5, 185)] * 24


async def test_a_worker_that_dies_holding_a_chunk_is_succeeded(hotw: Replica, another: Callable[[], Replica]) -> None:
    await many(hotw, 12)
    run = await hotw.start()
    view = await hotw.run_state(run["RunId"])
    claim = await hotw.store.write(lambda unit: unit.claims.claim(view, "dead", 5, 600.0))
    assert len(claim.fleets) == 5
    survivor = another()
    await survivor.work(run["RunId"])
    halfway = await hotw.read_run(run["RunId"])
    assert (halfway["RunStatus"], halfway["Executions"]) == ("Running", 7)
    await hotw.database.execute(
        update(t.fleet_lock).values(LeaseUntil=database_now(-1)),
        update(t.run_fleet).values(ClaimUntil=database_now(-1)),
    )
    await survivor.work(run["RunId"])
    assert (await hotw.read_run(run["RunId"]))["RunStatus"] == "Completed"
    assert await counted(hotw, t.hotw_execution) == 12
    assert len((await hotw.published()).facts("hotw.order.placed")) == 12


async def test_a_run_left_without_open_fleets_is_completed_by_whoever_looks(hotw: Replica) -> None:
    await many(hotw, 3)
    run = await hotw.start()
    await work_chunk(hotw.store, hotw.clock, run["RunId"])
    assert (await hotw.read_run(run["RunId"]))["RunStatus"] == "Running"
    done = await asyncio.gather(*(complete_run(hotw.store, hotw.clock, run["RunId"]) for _ in range(5)))
    assert sorted(done) == [False, False, False, False, True]
    assert (await hotw.published()).topics.count("hotw.run.completed") == 1


async def test_a_slow_worker_that_lost_its_lease_writes_nothing(hotw: Replica, another: Callable[[], Replica]) -> None:
    await hotw.settle_in()
    run = await hotw.start()
    view = await hotw.run_state(run["RunId"])
    slow = await hotw.store.write(lambda unit: unit.claims.claim(view, "slow", 5, 0.1))
    async with asyncio.timeout(60):
        while not (claim := await hotw.store.write(lambda unit: unit.claims.claim(view, "quick", 5, 30.0))).fleets:
            await asyncio.sleep(0.05)
    assert claim.fleets[0].fence == slow.fleets[0].fence + 1
    assert await hotw.store.write(lambda unit: unit.claims.still_held(view, "slow", slow.fleets)) == {}
    assert set(await hotw.store.write(lambda unit: unit.claims.still_held(view, "quick", claim.fleets))) == {FLEET}


async def test_a_fleet_another_run_keeps_locked_fails_after_one_lease_and_does_not_count(hotw: Replica) -> None:
    await hotw.settle_in()
    first = await hotw.execute()
    holding = await hotw.start()
    view = await hotw.run_state(holding["RunId"])
    await hotw.store.write(lambda unit: unit.claims.claim(view, "holder", 5, 600.0))
    run = await hotw.start(FleetIds=[FLEET])
    async with asyncio.timeout(90):
        while (await hotw.read_run(run["RunId"]))["RunStatus"] != "Completed":
            await hotw.work(run["RunId"], lease=0.3)
            await asyncio.sleep(0.05)
    latest, before = await hotw.executions(limit=2)
    board = (await hotw.queries.dashboard(EVENT, Purpose.UPSCALING)).items
    assert (latest["Status"], latest["FailCode"]) == ("Fail", "LockHeld")
    assert f"HOTW-Run-{holding['RunId']}" in latest["Reasoning"]
    assert board[0]["Fleets"][0]["LatestExecution"]["ExecutionId"] == before["ExecutionId"] == first["ExecutionId"]


async def test_a_decision_made_while_a_fleet_is_computed_is_seen(
    hotw: Replica, another: Callable[[], Replica], monkeypatch: pytest.MonkeyPatch
) -> None:
    await hotw.settle_in()
    order = (await hotw.execute())["FulfillmentDetails"][0]["FulfillmentId"]
    run = await hotw.start()
    meanwhile = another()
    load = Store.read
    decided = False

    async def read_then_decide(store: Store, fn: Callable[..., Any]) -> Any:
        nonlocal decided
        result = await load(store, fn)
        if isinstance(result, list) and not decided:
            decided = True
            await meanwhile.review(order, "Reject")
        return result

    monkeypatch.setattr(Store, "read", read_then_decide)
    await work_chunk(hotw.store, hotw.clock, run["RunId"])
    assert decided
    latest = (await hotw.executions(FLEET))[0]
    assert latest["PendingEPICFMCHostOrder"] == 30
    assert latest["OrderedHosts"] == 20


async def test_a_chunk_under_way_when_its_run_is_cancelled_writes_nothing(hotw: Replica) -> None:
    await many(hotw, 3)
    run = await hotw.start()
    view = await hotw.run_state(run["RunId"])
    claim = await hotw.store.write(lambda unit: unit.claims.claim(view, "w", 3, 30.0))
    await hotw.cancel(run["RunId"])
    assert await hotw.store.write(lambda unit: unit.claims.still_held(view, "w", claim.fleets)) == {}
    again = await hotw.run()
    assert again["Executions"] == 3


async def test_one_fleet_that_cannot_be_recorded_fails_alone(hotw: Replica) -> None:
    await many(hotw, 4)
    names = [f"Fleet/{az}" for az in ("1a", "1b")]
    asgs = [{"AutoScalingGroupName": name, "AvailabilityZone": "us-east-1a", "AsgTag": "x" * 255} for name in names]
    asgs[1]["AutoScalingGroupName"] = names[0]  # no contract lets this through; the primary key refuses it
    await hotw.keep(
        "fleet", snapshot("Fleet-2", fleet_body("Fleet-2", "Service-0", 6, configuration={"ASGProperties": asgs}))
    )
    run = await hotw.run()
    assert (run["RunStatus"], run["ByStatus"]) == ("Completed", {"Fail": 1, "Success": 3})
    failed = (await hotw.executions("Fleet-2"))[0]
    assert "could not be recorded" in failed["Reasoning"]


async def test_locks_are_free_after_a_run_and_say_who_has_them_during_it(hotw: Replica) -> None:
    await hotw.settle_in()
    run = await hotw.start()
    view = await hotw.run_state(run["RunId"])
    await hotw.store.write(lambda unit: unit.claims.claim(view, "w", 3, 30.0))
    async with hotw.database.read() as connection:
        lock = (await connection.execute(select(t.fleet_lock))).one()
    assert (lock.FleetId, lock.LockedBy) == (FLEET, f"HOTW-Run-{run['RunId']}")
    assert lock.LeaseUntil - lock.LockTimestamp == timedelta(seconds=30)
    await hotw.database.execute(
        update(t.fleet_lock).values(LeaseUntil=None),
        update(t.run_fleet).values(ClaimUntil=None),
    )
    await hotw.work(run["RunId"])
    async with hotw.database.read() as connection:
        lock = (await connection.execute(select(t.fleet_lock))).one()
    assert (lock.LockedBy, lock.LeaseUntil, lock.LockTimestamp) == (None, None, None)


async def test_what_cannot_be_read_of_one_service_fails_its_fleets_alone(hotw: Replica) -> None:
    await many(hotw, 6)
    wild = service_body("Service-1", 4, Philosophy={"CapacityStrategy": "Wild"})
    await hotw.keep("service", snapshot("Service-1", wild))
    run = await hotw.run()
    assert (run["RunStatus"], run["ByStatus"]) == ("Completed", {"Fail": 1, "Success": 5})
    failed = (await hotw.executions("Fleet-5"))[0]
    assert "cannot be read" in failed["Reasoning"]
