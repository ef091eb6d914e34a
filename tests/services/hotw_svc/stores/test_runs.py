"""Runs: which fleets they take, how they end, and that the same command again gets the same answer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from sqlalchemy import select

from services.hotw_svc.adapters import tables as t
from services.hotw_svc.adapters.inputs.facts import event_facts, service_facts
from services.hotw_svc.app.runs.execute_fleet import open_record
from services.hotw_svc.app.runs.work_run import work_chunk
from services.hotw_svc.domain.membership import why_outside
from shared.cause import Cause
from shared.errors import BadInput, Conflict, NotFound, UnderWay
from shared.schemas.hotw_svc import ExecuteFleet
from tests.support.hotw_store import (
    EVENT,
    FLEET,
    Replica,
    counted,
    event_body,
    fleet_body,
    many,
    service_body,
    snapshot,
)

pytestmark = pytest.mark.slow


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
        and not why_outside(
            event_facts(event),
            service_id=body["ServiceId"],
            region=body["FleetConfiguration"]["Region"],
            service=facts.get(body["ServiceId"]),
        )
    }
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
    failed = (await hotw.executions("F-other"))[0]
    assert "Onboarding" in failed["Reasoning"]
    assert "mars" in failed["Reasoning"]


async def test_a_cancelled_run_stops_and_leaves_what_it_ordered(hotw: Replica) -> None:
    await many(hotw, 10)
    run = await hotw.start()
    await work_chunk(hotw.store, hotw.clock, run["RunId"], limit=4)
    cancelled = await hotw.cancel(run["RunId"])
    assert (cancelled["RunStatus"], cancelled["Executions"]) == ("Cancelled", 4)
    with pytest.raises(Conflict):
        await hotw.cancel(run["RunId"])
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


async def test_a_fleet_deleted_after_the_start_fails_and_says_so(hotw: Replica) -> None:
    await hotw.settle_in()
    run = await hotw.start()
    await hotw.keep("fleet", snapshot(FLEET, fleet_body(version=6), deleted=True))
    await hotw.work(run["RunId"])
    failed = (await hotw.executions(FLEET))[0]
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
    with pytest.raises(Conflict, match="another request"):
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
    command = ExecuteFleet(event_id=EVENT, fleet_id=FLEET)
    _, run_id = await hotw.store.write(lambda unit: open_record(unit, command, cause))
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


async def test_a_run_may_name_more_fleets_than_a_statement_has_parameters(hotw: Replica) -> None:
    await hotw.settle_in()
    with pytest.raises(NotFound, match="and 33980 more"):
        await hotw.start(FleetIds=[f"F{n}" for n in range(34_000)])
