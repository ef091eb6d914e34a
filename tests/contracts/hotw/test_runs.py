"""Runs: fleets fixed at the start, each executed exactly once, whoever works, whoever dies, and completed once."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select, update

from services.hotw_svc.adapters import reading
from services.hotw_svc.adapters import tables as t
from services.hotw_svc.app.work_run import complete_run, work_chunk
from services.hotw_svc.app.worker import RunWorker
from services.hotw_svc.domain.scope import belongs
from services.hotw_svc.domain.snapshots import event_facts, service_facts
from shared.cause import Cause
from shared.errors import BadInput, Conflict, NotFound, UnderWay
from tests.contracts.hotw.company import (
    EVENT,
    FLEET,
    Replica,
    event_body,
    fleet_body,
    projection_body,
    service_body,
    snapshot,
)


async def many(hotw: Replica, count: int) -> list[str]:
    """A company of ``count`` fleets of services with five each, every one in need of 37 hosts."""
    await hotw.keep("event", snapshot(EVENT, event_body()))
    fleets = [f"Fleet-{n}" for n in range(count)]
    services = [f"Service-{n}" for n in range((count + 4) // 5)]
    await hotw.keep("service", *(snapshot(name, service_body(name)) for name in services))
    await hotw.keep("fleet", *(snapshot(name, fleet_body(name, services[n // 5])) for n, name in enumerate(fleets)))
    await hotw.keep(
        "projection",
        *(snapshot(f"{name}#{EVENT}#Peak", projection_body(name, TotalInputTPM=170 * 250)) for name in fleets),
    )
    return fleets


async def counted(hotw: Replica, table: Any) -> int:
    async with hotw.database.read() as connection:
        return int((await connection.execute(select(func.count()).select_from(table))).scalar_one())


async def test_a_run_takes_the_fleets_of_registered_services_in_the_events_regions(hotw: Replica) -> None:
    await hotw.settle_in()
    event = event_body()
    services = {
        "Onboarding": service_body("Onboarding", ServiceType="Onboarding"),
        "Gone": service_body("Gone"),
        "Other": service_body("Other"),
    }
    fleets = {
        "F-onboarding": fleet_body("F-onboarding", "Onboarding"),
        "F-gone": fleet_body("F-gone", "Gone"),
        "F-nobody": fleet_body("F-nobody", "Nobody"),
        "F-far": fleet_body("F-far", "Other", configuration={"Region": "ap-south-1"}),
        "F-near": fleet_body("F-near", "Other", configuration={"Region": "us-west-2"}),
        "F-deleted": fleet_body("F-deleted", "Other"),
    }
    for name, body in services.items():
        await hotw.keep("service", snapshot(name, body, deleted=name == "Gone"))
    for name, body in fleets.items():
        await hotw.keep("fleet", snapshot(name, body, deleted=name == "F-deleted"))
    line = fleet_body(EventId=EVENT, configuration={"Region": "us-east-1"})
    await hotw.keep("fleet", snapshot(f"{FLEET}#{EVENT}", line))
    run = await hotw.start()
    async with hotw.database.read() as connection:
        taken = set((await connection.execute(select(t.run_fleet.c.FleetId))).scalars())
    facts = {name: service_facts(body) for name, body in services.items() if name != "Gone"}
    expected = {
        name
        for name, body in fleets.items()
        if name != "F-deleted"
        and belongs(
            event_facts(event), service_id=body["ServiceId"], region=body["FleetConfiguration"]["Region"],
            service=facts.get(body["ServiceId"]),
        )
    }  # fmt: skip
    assert taken == expected | {FLEET} == {FLEET, "F-near"}
    assert run["Fleets"] == 2


async def test_a_run_without_fleets_completes_at_once(hotw: Replica) -> None:
    await hotw.keep("event", snapshot(EVENT, event_body()))
    run = await hotw.start()
    assert (run["RunStatus"], run["Fleets"], run["Executions"]) == ("Completed", 0, 0)
    assert (await hotw.published()).topics == ["hotw.run.started", "hotw.run.completed"]


async def test_no_run_without_an_active_event_whose_peak_is_to_come(hotw: Replica) -> None:
    await hotw.settle_in()
    with pytest.raises(NotFound):
        await hotw.start(EventId="Nowhere")
    with pytest.raises(NotFound, match="Ghost"):
        await hotw.start(FleetIds=[FLEET, "Ghost"])
    with pytest.raises(NotFound):
        await hotw.execute("Ghost")
    await hotw.keep("event", snapshot(EVENT, event_body(3, IsActive=False)))
    with pytest.raises(Conflict):
        await hotw.start()
    await hotw.keep("event", snapshot(EVENT, event_body(4)))
    hotw.clock.set("2024-07-18T00:00:00Z")
    with pytest.raises(Conflict):
        await hotw.start()
    await hotw.keep("event", snapshot(EVENT, event_body(5), deleted=True))
    with pytest.raises(NotFound):
        await hotw.start()


async def test_a_named_fleet_outside_the_event_fails_and_says_why(hotw: Replica) -> None:
    await hotw.settle_in()
    await hotw.keep("service", snapshot("Other", service_body("Other", ServiceType="Onboarding")))
    await hotw.keep("fleet", snapshot("F-other", fleet_body("F-other", "Other", configuration={"Region": "mars"})))
    run = await hotw.run(FleetIds=["F-other", FLEET, FLEET])
    assert (run["RunStatus"], run["ByStatus"]) == ("Completed", {"Fail": 1, "Success": 1})
    async with hotw.database.read() as connection:
        failed = (await reading.executions_of_fleet(connection, EVENT, "F-other", before=None, limit=1))[0]
    assert "Onboarding" in failed["Reasoning"]
    assert "mars" in failed["Reasoning"]


async def test_every_fleet_is_executed_once_by_many_workers_of_two_replicas(
    hotw: Replica, another: Callable[[], Replica]
) -> None:
    fleets = await many(hotw, 120)
    run = await hotw.start()
    replicas = [hotw, another(), another()]
    workers = [RunWorker(replica.store, replica.clock, chunk=7, poll=0.05) for replica in replicas]
    for worker in workers:
        await worker.start()
    async with asyncio.timeout(60):
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
    view = await hotw.store.read(lambda unit: unit.run(run["RunId"]))
    assert view is not None
    claim = await hotw.store.write(lambda unit: unit.claim(view, "dead", 5, 6.0))
    assert len(claim.fleets) == 5
    survivor = another()
    await survivor.work(run["RunId"])
    assert (await hotw.read_run(run["RunId"]))["RunStatus"] == "Running"
    async with asyncio.timeout(20):
        while (await hotw.read_run(run["RunId"]))["RunStatus"] != "Completed":
            await survivor.work(run["RunId"])
            await asyncio.sleep(0.05)
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
    view = await hotw.store.read(lambda unit: unit.run(run["RunId"]))
    assert view is not None
    slow = await hotw.store.write(lambda unit: unit.claim(view, "slow", 5, 0.1))
    async with asyncio.timeout(20):
        while not (claim := await hotw.store.write(lambda unit: unit.claim(view, "quick", 5, 30.0))).fleets:
            await asyncio.sleep(0.05)
    assert claim.fleets[0].fence == slow.fleets[0].fence + 1
    assert await hotw.store.write(lambda unit: unit.still_held(view, "slow", slow.fleets)) == {}
    assert set(await hotw.store.write(lambda unit: unit.still_held(view, "quick", claim.fleets))) == {FLEET}


async def test_a_fleet_another_run_keeps_locked_fails_after_one_lease_and_does_not_count(hotw: Replica) -> None:
    await hotw.settle_in()
    first = await hotw.execute()
    holding = await hotw.start()
    view = await hotw.store.read(lambda unit: unit.run(holding["RunId"]))
    assert view is not None
    await hotw.store.write(lambda unit: unit.claim(view, "holder", 5, 600.0))
    run = await hotw.start(FleetIds=[FLEET])
    async with asyncio.timeout(30):
        while (await hotw.read_run(run["RunId"]))["RunStatus"] != "Completed":
            await hotw.work(run["RunId"], lease=0.3)
            await asyncio.sleep(0.05)
    async with hotw.database.read() as connection:
        latest, before = await reading.executions_of_fleet(connection, EVENT, FLEET, before=None, limit=2)
        board = await reading.dashboard(connection, EVENT, "Upscaling")
    assert (latest["Status"], latest["FailCode"]) == ("Fail", "LockHeld")
    assert f"HOTW-Run-{holding['RunId']}" in latest["Reasoning"]
    assert board[0]["Fleets"][0]["LatestExecution"]["ExecutionId"] == before["ExecutionId"] == first["ExecutionId"]


async def test_a_decision_made_while_a_fleet_is_computed_is_seen(hotw: Replica, another: Callable[[], Replica]) -> None:
    await hotw.settle_in()
    order = (await hotw.execute())["FulfillmentDetails"][0]["FulfillmentId"]
    run = await hotw.start()
    meanwhile = another()
    load = hotw.store.read
    decided = False

    async def read_then_decide(fn: Callable[..., Any]) -> Any:
        nonlocal decided
        result = await load(fn)
        if isinstance(result, list) and not decided:
            decided = True
            await meanwhile.review(order, "Reject")
        return result

    hotw.store.read = read_then_decide  # type: ignore[method-assign]
    await work_chunk(hotw.store, hotw.clock, run["RunId"])
    assert decided
    async with hotw.database.read() as connection:
        latest = (await reading.executions_of_fleet(connection, EVENT, FLEET, before=None, limit=1))[0]
    assert latest["PendingEPICFMCHostOrder"] == 30
    assert latest["OrderedHosts"] == 20


async def test_a_cancelled_run_stops_and_leaves_what_it_ordered(hotw: Replica) -> None:
    await many(hotw, 10)
    run = await hotw.start()
    await work_chunk(hotw.store, hotw.clock, run["RunId"], limit=4)
    cancelled = await hotw.cancel(run["RunId"])
    assert (cancelled["RunStatus"], cancelled["Executions"]) == ("Cancelled", 4)
    assert await hotw.cancel(run["RunId"]) == cancelled
    await hotw.work(run["RunId"])
    assert (await hotw.read_run(run["RunId"]))["Executions"] == 4
    assert await counted(hotw, t.fulfillment_details) == 12
    topics = (await hotw.published()).topics
    assert topics.count("hotw.run.cancelled") == 1
    assert "hotw.run.completed" not in topics
    done = await hotw.run()
    with pytest.raises(Conflict):
        await hotw.cancel(done["RunId"])
    with pytest.raises(NotFound):
        await hotw.cancel(4711)


async def test_a_chunk_under_way_when_its_run_is_cancelled_writes_nothing(hotw: Replica) -> None:
    await many(hotw, 3)
    run = await hotw.start()
    view = await hotw.store.read(lambda unit: unit.run(run["RunId"]))
    assert view is not None
    claim = await hotw.store.write(lambda unit: unit.claim(view, "w", 3, 30.0))
    await hotw.cancel(run["RunId"])
    assert await hotw.store.write(lambda unit: unit.still_held(view, "w", claim.fleets)) == {}
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
    async with hotw.database.read() as connection:
        failed = (await reading.executions_of_fleet(connection, EVENT, "Fleet-2", before=None, limit=1))[0]
    assert "could not be recorded" in failed["Reasoning"]


async def test_a_fleet_deleted_after_the_start_fails_and_says_so(hotw: Replica) -> None:
    await hotw.settle_in()
    run = await hotw.start()
    await hotw.keep("fleet", snapshot(FLEET, fleet_body(version=6), deleted=True))
    await hotw.work(run["RunId"])
    async with hotw.database.read() as connection:
        failed = (await reading.executions_of_fleet(connection, EVENT, FLEET, before=None, limit=1))[0]
    assert failed["Status"] == "Fail"
    assert "deleted" in failed["Reasoning"]


async def test_the_same_command_again_changes_nothing_and_answers_the_same(
    hotw: Replica, another: Callable[[], Replica]
) -> None:
    await hotw.settle_in()
    cause = hotw.cause("kcat/1")
    run = await hotw.start(cause)
    await hotw.work(run["RunId"])
    assert await another().start(cause) == run
    atomic = hotw.cause("kcat/2")
    execution = await hotw.execute(cause=atomic)
    order = (await hotw.run())["RunId"]
    assert await another().execute(cause=atomic) == execution
    assert await counted(hotw, t.hotw_run) == 3 == order
    with pytest.raises(Conflict, match="another body"):
        await hotw.start(hotw.cause("kcat/1", digest="other"))


async def test_racing_twins_of_one_command_make_one_run(hotw: Replica, another: Callable[[], Replica]) -> None:
    await hotw.settle_in()
    replicas = [hotw, another()]
    cause = hotw.cause("kcat/1")
    runs = await asyncio.gather(*(replicas[n % 2].start(cause) for n in range(6)))
    assert {run["RunId"] for run in runs} == {runs[0]["RunId"]}
    assert await counted(hotw, t.hotw_run) == 1


async def test_a_refused_command_is_refused_the_same_way_again(hotw: Replica) -> None:
    cause = hotw.cause("kcat/1")
    with pytest.raises(NotFound):
        await hotw.start(cause)
    await hotw.settle_in()
    with pytest.raises(Exception, match="there is no event") as again:
        await hotw.start(cause)
    assert again.value.status == 404  # type: ignore[attr-defined]


async def test_an_atomic_run_whose_caller_died_is_answered_once_a_worker_finished_it(hotw: Replica) -> None:
    await hotw.settle_in()
    cause: Cause = hotw.cause("kcat/1")
    from services.hotw_svc.app.execute_fleet import _open
    from shared.schemas.hotw_svc import ExecuteFleet

    command = ExecuteFleet(event_id=EVENT, fleet_id=FLEET)
    _, run_id = await hotw.store.write(lambda unit: _open(unit, command, cause))
    with pytest.raises(UnderWay):
        await hotw.execute(cause=cause)
    await hotw.work(run_id)
    execution = await hotw.execute(cause=cause)
    assert execution["RunId"] == run_id
    await hotw.review(execution["FulfillmentDetails"][0]["FulfillmentId"], "Approve")
    assert await hotw.execute(cause=cause) == execution


async def test_decisions_and_deliveries_keep_to_the_rules(hotw: Replica) -> None:
    await hotw.settle_in()
    order = (await hotw.execute())["FulfillmentDetails"][0]["FulfillmentId"]
    with pytest.raises(NotFound):
        await hotw.review("F9-9-9", "Approve")
    with pytest.raises(Conflict):
        await hotw.deliver(order, 5)
    await hotw.review(order, "Approve")
    before = len((await hotw.published()).taken)
    await hotw.review(order, "Approve")
    assert len((await hotw.published()).taken) == before
    with pytest.raises(BadInput) as future:
        await hotw.deliver(order, 5, DeliveredAt="2024-06-15T09:00:00.001Z")
    assert future.value.errors[0].pointer == "/DeliveredAt"
    await hotw.deliver(order, 5)
    assert (await hotw.deliver(order, 5))["FulfilledHosts"] == 5
    for hosts in (4, 21):
        with pytest.raises(Conflict):
            await hotw.deliver(order, hosts)


async def test_an_emergent_run_says_so_everywhere(hotw: Replica) -> None:
    await hotw.settle_in()
    hotw.clock.set("2024-07-10T00:00:00Z")
    execution = await hotw.execute()
    assert execution["OrderType"] == "Emergent"
    assert {order["IsEmergent"] for order in execution["FulfillmentDetails"]} == {True}
    assert {order["FulfillmentDate"] for order in execution["FulfillmentDetails"]} == {"2024-07-12"}
    assert (await hotw.published()).facts("hotw.order.placed")[0]["Execution"]["OrderType"] == "Emergent"
    standard = await hotw.run(OrderType="Standard")
    assert standard["OrderType"] == "Standard"


async def test_locks_are_free_after_a_run_and_say_who_has_them_during_it(hotw: Replica) -> None:
    await hotw.settle_in()
    run = await hotw.start()
    view = await hotw.store.read(lambda unit: unit.run(run["RunId"]))
    assert view is not None
    await hotw.store.write(lambda unit: unit.claim(view, "w", 3, 30.0))
    async with hotw.database.read() as connection:
        lock = (await connection.execute(select(t.fleet_lock))).one()
    assert (lock.FleetId, lock.LockedBy) == (FLEET, f"HOTW-Run-{run['RunId']}")
    assert lock.LeaseUntil - lock.LockTimestamp == timedelta(seconds=30)
    async with hotw.database.unit() as unit:
        await unit.connection.execute(update(t.fleet_lock).values(LeaseUntil=None))
        await unit.connection.execute(update(t.run_fleet).values(ClaimUntil=None))
    await hotw.work(run["RunId"])
    async with hotw.database.read() as connection:
        lock = (await connection.execute(select(t.fleet_lock))).one()
    assert (lock.LockedBy, lock.LeaseUntil, lock.LockTimestamp) == (None, None, None)


async def test_a_run_may_name_more_fleets_than_a_statement_has_parameters(hotw: Replica) -> None:
    await hotw.settle_in()
    with pytest.raises(NotFound, match="and 33980 more"):
        await hotw.start(FleetIds=[f"F{n}" for n in range(34_000)])


async def test_what_cannot_be_read_of_one_service_fails_its_fleets_alone(hotw: Replica) -> None:
    await many(hotw, 6)
    wild = service_body("Service-1", 4, Philosophy={"CapacityStrategy": "Wild"})
    await hotw.keep("service", snapshot("Service-1", wild))
    run = await hotw.run()
    assert (run["RunStatus"], run["ByStatus"]) == ("Completed", {"Fail": 1, "Success": 5})
    async with hotw.database.read() as connection:
        failed = (await reading.executions_of_fleet(connection, EVENT, "Fleet-5", before=None, limit=1))[0]
    assert "cannot be read" in failed["Reasoning"]
