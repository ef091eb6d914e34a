"""An outside engine records its runs, executions and sums with the reference's own bodies (7.0.19 to 7.0.54)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from services.hotw_svc.adapters import tables as t
from tests.support.hotw_store import EVENT, Replica, counted, event_body, fleet_body, service_body, snapshot
from tests.support.http import pointers
from tests.support.outside_engine import (
    ASG,
    ASG_DETAILS,
    DASHBOARD,
    FLEET,
    SERVICE,
    execution,
    fulfillment,
    override,
    posting,
    ripe,
)

pytestmark = pytest.mark.slow
EXECUTIONS = "/hotw/executionDetail"


@pytest.fixture
async def http(hotw: Replica) -> AsyncIterator[httpx.AsyncClient]:
    await ripe(hotw)
    async with posting(hotw) as client:
        yield client


async def begun(http: httpx.AsyncClient, **body: Any) -> int:
    return int((await http.post("/hotw/runDetail", json={"EventId": EVENT} | body)).json()["RunId"])


async def recorded(http: httpx.AsyncClient, body: dict[str, Any]) -> dict[str, Any]:
    answer = await http.post("/hotw/executionDetail", json=body)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def refused(http: httpx.AsyncClient, body: dict[str, Any], path: str = EXECUTIONS) -> tuple[int, str]:
    answer = await http.post(path, json=body)
    return answer.status_code, answer.json()["detail"]


async def latest(http: httpx.AsyncClient) -> dict[str, Any]:
    return dict((await http.get(f"/hotw/executionDetail/{EVENT}/{FLEET}")).json()["Items"][0])


async def row(http: httpx.AsyncClient) -> dict[str, Any]:
    """The fleet's row of the dashboard."""
    board = (await http.get(f"/hotw/dashboard/{EVENT}/Upscaling")).json()
    return dict(board["Services"][0]["Fleets"][0])


async def test_a_run_is_made_and_updated_and_nobody_works_on_it(hotw: Replica, http: httpx.AsyncClient) -> None:
    """7.0.21 to 7.0.26: it is Running and has no order type until they are given."""
    made = (await http.post("/hotw/runDetail", json={"EventId": EVENT})).json()
    assert (made["RunStatus"], made["OrderType"], made["Engine"], made["Fleets"]) == ("Running", None, "External", 0)
    assert await hotw.store.read(lambda unit: unit.runs.running()) == []
    ids = {"EventId": EVENT, "RunId": str(made["RunId"])}
    typed = (await http.post("/hotw/runDetail", json=ids | {"OrderType": "Standard"})).json()
    assert (typed["RunId"], typed["RunStatus"], typed["OrderType"]) == (made["RunId"], "Running", "Standard")
    for _ in range(2):
        ended = (await http.put("/hotw/runDetail", json=ids | {"RunStatus": "Completed"})).json()
        assert (ended["RunStatus"], ended["OrderType"]) == ("Completed", "Standard")
    again = await http.put("/hotw/runDetail", json=ids | {"RunStatus": "Running"})
    assert again.status_code == 409
    assert (await hotw.published()).topics == ["hotw.run.started", "hotw.run.completed"]


async def test_a_run_that_is_not_the_engines_own_is_refused(hotw: Replica, http: httpx.AsyncClient) -> None:
    epics = (await hotw.start())["RunId"]
    await hotw.keep("event", snapshot("BF2024", event_body(EventId="BF2024")))
    other = await begun(http, EventId="BF2024")
    for body, status, names in (
        ({"EventId": "Nope"}, 404, "Nope"),
        ({"EventId": EVENT, "RunId": 99}, 404, "99"),
        ({"EventId": EVENT, "RunId": other}, 404, f"run {other} of {EVENT}"),
        ({"EventId": EVENT, "RunId": epics}, 409, "EPIC's own"),
    ):
        found = await refused(http, body, "/hotw/runDetail")
        assert (found[0], names in found[1]) == (status, True), found
    assert (await http.put("/hotw/runDetail", json={"EventId": EVENT})).status_code == 400
    assert (await refused(http, execution(RunId=epics)))[0] == 409


async def test_the_references_execution_is_recorded_as_it_stands(hotw: Replica, http: httpx.AsyncClient) -> None:
    """7.0.27, 7.0.30, 7.0.33, 7.0.50 to 7.0.54."""
    run = await begun(http)
    body = execution(RunId=run)
    body["HotwExecutionDetails"] |= {"PeakTPM": "50000", "CTPeakFactor": "1.5", "FleetIndexId": 42}
    answer = await recorded(http, body)
    assert answer == {
        "ExecutionId": 1,
        "RunId": run,
        "EventId": EVENT,
        "FleetId": FLEET,
        "ServiceId": SERVICE,
        "Status": "Success",
    }
    seen = await latest(http)
    given = {**body["HotwExecutionDetails"], "PeakTPM": 50000, "CTPeakFactor": 1.5}
    assert {name: seen[name] for name in given if name != "FleetIndexId"} == {
        name: value for name, value in given.items() if name != "FleetIndexId"
    }
    assert (seen["Engine"], seen["Reasoning"], seen["OrderType"]) == (
        "External",
        "EAP enabled successfully",
        "Standard",
    )
    assert (seen["OrderedHosts"], seen["Shortfall"], seen["DesiredCapacity"]) == (0, 0, 50)
    assert (seen["Needed"], seen["InputVersions"], seen["HostDistribution"]) == (None, None, {})
    assert (await row(http))["LatestExecution"]["RequiredHosts"] == 200
    shown = (await http.get(f"/hotw/run/{run}")).json()
    assert (shown["Fleets"], shown["ByStatus"]) == (1, {"Success": 1})
    assert (await hotw.published()).topics == ["hotw.run.started", "hotw.execution.completed"]


async def test_the_same_body_has_the_same_answer_and_another_is_refused(http: httpx.AsyncClient) -> None:
    """7.0.35 to 7.0.37."""
    run = await begun(http)
    body = execution(fulfillment(), RunId=run)
    answers = await asyncio.gather(*(recorded(http, body) for _ in range(3)))
    assert answers == [answers[0]] * 3
    await http.put("/hotw/order/FMC-1", json={"Decision": "Approve"})
    same = body | {"RunId": str(run)}
    assert await recorded(http, same) == answers[0]
    assert await refused(http, body | {"Reasoning": "Another"}) == (
        409,
        f"run {run} has an execution of {FLEET} already, from another body",
    )
    assert (await http.get("/hotw/order")).json()["Items"][0]["FulfillmentStatus"] == "Approved"


async def test_what_is_unknown_is_named(hotw: Replica, http: httpx.AsyncClient) -> None:
    """7.0.34, 7.0.38, 7.0.39."""
    run = await begun(http)
    await hotw.keep("fleet", snapshot("Lone", fleet_body("Lone", "Nobody")))
    await hotw.keep("service", snapshot("Other", service_body("Other")))
    for body, name in (
        (execution(RunId=99), "99"),
        (execution(RunId=run, EventId="Nope"), "Nope"),
        (execution(RunId=run, FleetId="Gone"), "Gone"),
        (execution(RunId=run, FleetId="Lone"), "Nobody"),
    ):
        found = await refused(http, body)
        assert (found[0], name in found[1]) == (404, True), found
    for member, name in (("EventId", "Nope"), ("FleetId", "Gone"), ("ServiceId", "Nobody"), ("ServiceId", "Other")):
        found = await refused(http, DASHBOARD | {member: name}, "/hotw/dashboardDetail")
        assert (found[0], name in found[1]) == (404, True), found
    assert await counted(hotw, t.hotw_execution) == 0


async def test_fulfillments_become_orders_of_the_fleets_book(hotw: Replica, http: httpx.AsyncClient) -> None:
    """7.0.40, 7.0.44, 7.0.45, 7.0.32: a Fulfilled one was delivered on its date, or now if that is to come."""
    run = await begun(http, OrderType="Emergent")
    past = fulfillment("Fulfilled", "FMC-2", FulfillmentDate="2024-06-01", FulfillmentValue=20)
    coming = fulfillment("Fulfilled", "FMC-3", FulfillmentValue=10)
    lean = {"FulfillmentId": "FMC-4", "AutoScalingGroupName": "Elsewhere/1x", "FulfillmentStatus": "Approved"}
    await recorded(http, execution(fulfillment(), past, coming, {**lean, "FulfillmentValue": 1}, RunId=run))
    orders = {order["FulfillmentId"]: order for order in (await http.get("/hotw/order")).json()["Items"]}
    assert {name: order["FulfillmentStatus"] for name, order in orders.items()} == {
        "FMC-1": "Pending",
        "FMC-2": "Fulfilled",
        "FMC-3": "Fulfilled",
        "FMC-4": "Approved",
    }
    delivered = {name: [d["DeliveredAt"] for d in order["Deliveries"]] for name, order in orders.items()}
    assert (delivered["FMC-2"], delivered["FMC-3"]) == (["2024-06-01T00:00:00.000Z"], ["2024-06-15T09:00:00.000Z"])
    assert orders["FMC-1"]["FulfillmentLink"] == "https://fmc.example/FMC-1"
    assert (orders["FMC-1"]["AvailabilityZone"], orders["FMC-1"]["FulfillmentType"]) == ("us-east-1a", "Standard")
    assert (orders["FMC-4"]["AvailabilityZone"], orders["FMC-4"]["FulfillmentType"]) == (None, "Emergent")
    assert (orders["FMC-4"]["FulfillmentDate"], orders["FMC-4"]["IsEmergent"]) == ("2024-06-17", True)
    seen = await latest(http)
    assert (seen["OrderedHosts"], seen["HostDistribution"]) == (81, {"m5": 80, "c5.2xlarge": 1})
    line = await row(http)
    assert (line["CapacityOverrideSum"], line["ApprovedHosts"], line["FulfilledHosts"]) == (81, 31, 30)
    facts = (await hotw.published()).facts("hotw.order.placed")
    assert facts[0]["FulfillmentIds"] == ["FMC-1", "FMC-2", "FMC-3", "FMC-4"]


async def test_epics_next_run_counts_what_the_engine_ordered(hotw: Replica, http: httpx.AsyncClient) -> None:
    """7.0.40: 50 are pending and 20 arrive with the event, so that EPIC orders 200 − 50 − 20 − 50 more."""
    run = await begun(http)
    arrived = fulfillment("Fulfilled", "FMC-2", FulfillmentDate="2024-06-10", FulfillmentValue=20)
    await recorded(http, execution(fulfillment(), arrived, RunId=run))
    done = await hotw.execute(FLEET)
    assert done["Status"] == "Fail", "nobody gives the fleet a TPM"
    await hotw.keep("projection", snapshot(f"{FLEET}#{EVENT}#Peak", projection()))
    done = await hotw.execute(FLEET)
    assert (done["RequiredHosts"], done["HostsPresentInApollo"], done["PendingEPICFMCHostOrder"]) == (200, 70, 50)
    assert (done["CapacityOverrideSum"], done["Engine"]) == (80, "EPIC")


def projection() -> dict[str, Any]:
    ids = {"ProjectionId": f"{FLEET}#{EVENT}#Peak", "FleetId": FLEET, "EventId": EVENT}
    audit = {"AuditMetadata": {"User": "jsmith", "Timestamp": "2024-06-01T10:00:00Z"}}
    return ids | audit | {"VersionId": 1, "ProjectionType": "Peak", "TotalInputTPM": 50000}


async def test_a_known_fulfillment_follows_the_states_of_orders(hotw: Replica, http: httpx.AsyncClient) -> None:
    """7.0.41, 7.0.42: approved, then delivered; its value is fixed, and what 7.8 does not know is refused whole."""
    runs = [await begun(http) for _ in range(6)]
    await recorded(http, execution(fulfillment(), RunId=runs[0]))
    early = await refused(http, execution(fulfillment("Fulfilled"), RunId=runs[1]))
    assert (early[0], "Pending" in early[1]) == (409, True)
    await recorded(http, execution(fulfillment("Approved"), RunId=runs[2]))
    value = await refused(http, execution(fulfillment("Approved", FulfillmentValue=51), RunId=runs[3]))
    assert value == (409, "Order FMC-1 is for 50 hosts; its FulfillmentValue is fixed.")
    await recorded(http, execution(fulfillment("Fulfilled"), RunId=runs[3]))
    back = await refused(http, execution(fulfillment("Approved"), RunId=runs[4]))
    assert back == (409, "Order FMC-1 is Fulfilled and cannot become Approved.")
    await recorded(http, execution(fulfillment("Fulfilled"), RunId=runs[5]))
    seen = (await http.get(f"/hotw/executionDetail/{EVENT}/{FLEET}")).json()["Items"]
    assert [one["OrderedHosts"] for one in seen] == [0, 0, 0, 50], "an order is counted where it was placed"
    (order,) = (await http.get("/hotw/order")).json()["Items"]
    assert (order["RunId"], order["FulfilledHosts"], len(order["Deliveries"])) == (runs[0], 50, 1)
    topics = [topic for topic in (await hotw.published()).topics if not topic.startswith("hotw.run")]
    done = "hotw.execution.completed"
    assert topics == [
        done,
        "hotw.order.placed",
        done,
        "hotw.order.reviewed",
        done,
        "hotw.fulfillment.updated",
        done,
    ]
    numbers = [message.body()["OrdersVersionId"] for message in hotw.broker.taken if "#" in message.key]
    assert numbers == list(range(1, 8))


async def test_an_order_of_another_fleet_or_event_is_refused(hotw: Replica, http: httpx.AsyncClient) -> None:
    """7.0.43; so is an id that EPIC itself may still give."""
    await hotw.keep("fleet", snapshot("RIPE-EU", fleet_body("RIPE-EU", SERVICE)))
    await hotw.keep("event", snapshot("BF2024", event_body(EventId="BF2024")))
    runs = [await begun(http), await begun(http, EventId="BF2024")]
    await recorded(http, execution(fulfillment(), RunId=runs[0]))
    for body in (
        execution(fulfillment(), RunId=runs[0], FleetId="RIPE-EU"),
        execution(fulfillment(), RunId=runs[1], EventId="BF2024"),
    ):
        assert await refused(http, body) == (409, f"order FMC-1 is one of {FLEET} for {EVENT}, Upscaling")
    body = execution(fulfillment(order_id="F77-1-1"), RunId=runs[1], EventId="BF2024")
    assert (await refused(http, body))[0] == 409


async def test_an_override_keeps_its_window_and_what_epic_needs_is_computed(
    hotw: Replica, http: httpx.AsyncClient
) -> None:
    """7.0.28, 7.0.30, 7.0.31: EndTime is StartTime + Duration, also after a decision."""
    run = await begun(http)
    await recorded(http, execution(fulfillment(), RunId=run, CapacityOverrideDetails=[override()]))
    (seen,) = (await latest(http))["CapacityOverrideDetails"]
    assert seen == {
        "RunId": run,
        "FleetId": FLEET,
        "EventId": EVENT,
        "AutoScalingGroupName": ASG,
        "CapacityOverrideName": f"{EVENT}-{ASG}",
        "OverrideStatus": "Proposed",
        "OverrideType": "Standard",
        "Purpose": "Upscaling",
        "StartTime": "2024-07-16T00:00:00.000Z",
        "EndTime": "2024-07-16T00:36:40.000Z",
        "PeakEnd": "2024-07-18T00:00:00.000Z",
        "Duration": "2200 s",
        "OverrideValue": 100,
        "OverrideExpiryValue": 50,
        "BaseCapacity": 50,
        "OverrideTag": EVENT,
        "StartOffset": 1,
        "EndOffset": 1,
        "PlaceOrderIfRequired": True,
        "Justification": "",
        "Engine": "External",
    }
    await http.put("/hotw/order/FMC-1", json={"Decision": "Approve"})
    (approved,) = (await latest(http))["CapacityOverrideDetails"]
    assert approved == seen | {"OverrideStatus": "Approved"}
    hotw.clock.set("2024-07-16T00:36:40Z")
    await hotw.sweep()
    (over,) = (await latest(http))["CapacityOverrideDetails"]
    assert over == seen | {"OverrideStatus": "Expired"}
    assert (await http.get("/hotw/order")).json()["Items"][0]["FulfillmentStatus"] == "Expired"


async def test_the_engines_own_names_and_texts_stay(http: httpx.AsyncClient) -> None:
    own = {
        "CapacityOverrideName": "RIPE peak",
        "OverrideTag": "prime",
        "PlaceOrderIfRequired": False,
        "Justification": "Prime Day",
        "OverrideExpiryValue": "7",
        "StartOffset": 2,
        "EndOffset": 3,
        "OverrideType": "Emergent",
        "RunId": 5,
        "FleetIndexId": 42,
    }
    run = await begun(http)
    await recorded(http, execution(fulfillment(), RunId=run, CapacityOverrideDetails=[override(**own)]))
    await http.put("/hotw/order/FMC-1", json={"Decision": "Approve"})
    (seen,) = (await latest(http))["CapacityOverrideDetails"]
    wanted = {name: value for name, value in own.items() if name not in ("RunId", "FleetIndexId")}
    assert {name: seen[name] for name in wanted} == wanted | {"OverrideExpiryValue": 7}


async def test_a_sum_is_shown_until_the_fleet_has_an_order(hotw: Replica, http: httpx.AsyncClient) -> None:
    """7.0.46, 7.0.47, 7.0.49: even one that was rejected; the ASGs are no inputs."""
    answer = await http.post("/hotw/dashboardDetail", json=DASHBOARD)
    assert answer.json() == {
        "ServiceId": SERVICE,
        "FleetId": FLEET,
        "EventId": EVENT,
        "Purpose": "Upscaling",
        "CapacityOverrideSum": 50,
    }
    line = await row(http)
    assert (line["CapacityOverrideSum"], line["OrderedHosts"], line["LatestExecution"]) == (50, 0, None)
    await http.post("/hotw/dashboardDetail", json=DASHBOARD | {"CapacityOverrideSum": 60})
    assert (await row(http))["CapacityOverrideSum"] == 60
    other = (await http.get(f"/hotw/dashboard/{EVENT}/Descaling")).json()["Services"][0]["Fleets"][0]
    assert other["CapacityOverrideSum"] == 0
    await recorded(http, execution(fulfillment(), RunId=await begun(http)))
    assert (await row(http))["CapacityOverrideSum"] == 50
    await http.put("/hotw/order/FMC-1", json={"Decision": "Reject"})
    assert (await row(http))["CapacityOverrideSum"] == 0


async def test_asgs_are_updated_one_by_one(hotw: Replica, http: httpx.AsyncClient) -> None:
    """7.0.48: what is not said stays; a run keeps what it saw."""
    await http.post("/hotw/dashboardDetail", json=DASHBOARD)
    given = {name: value for name, value in ASG_DETAILS.items() if name != "AutoScalingGroupName"}
    (asg,) = (await http.get(f"/hotw/asgDetail/{FLEET}")).json()["Items"]
    assert {name: asg[name] for name in given} == given
    assert (asg["AutoScalingGroupRegion"], asg["AutoScalingGroupARN"]) == ("us-east-1", None)
    run = await begun(http)
    details = [{"AutoScalingGroupName": ASG, "HostType": "m6"}, {"AutoScalingGroupName": "New/1b"}]
    await recorded(http, execution(fulfillment(), RunId=run, ASGDetails=details))
    asgs = (await http.get(f"/hotw/asgDetail/{FLEET}")).json()["Items"]
    assert [(a["AsgTag"], a["HostType"], a["AsgCapacityLowerBound"]) for a in asgs] == [
        ("1b", "c5.2xlarge", None),
        ("1a", "m6", 5),
    ]
    seen = (await http.get(f"/hotw/asgDetail/{FLEET}/{run}")).json()["Items"]
    assert [a["RecommendedOverrideValue"] for a in seen] == [0, 50]


async def test_bad_bodies_are_refused_with_a_pointer(hotw: Replica, http: httpx.AsyncClient) -> None:
    run = await begun(http)
    late = override(StartTime="2038-01-19T03:00:00Z")
    for changes, pointer in (
        ({"HotwExecutionDetails": {"CTPeakFactor": "1000"}}, "/HotwExecutionDetails/CTPeakFactor"),
        ({"HotwExecutionDetails": {"Peak": 1}}, "/HotwExecutionDetails/Peak"),
        ({"CapacityOverrideDetails": [override(Duration="2200 min")]}, "/CapacityOverrideDetails/0/Duration"),
        ({"CapacityOverrideDetails": [late]}, "/CapacityOverrideDetails/0/Duration"),
        ({"CapacityOverrideDetails": [override(), override()]}, "/CapacityOverrideDetails"),
        ({"FulfillmentDetails": [fulfillment(IsEmergent=True)]}, "/FulfillmentDetails/0/IsEmergent"),
        ({"FulfillmentDetails": [fulfillment(), fulfillment()]}, "/FulfillmentDetails"),
        ({"Status": "Completed"}, "/Status"),
    ):
        answer = await http.post("/hotw/executionDetail", json=execution(RunId=run) | changes)
        assert (answer.status_code, pointers(answer)) == (400, [pointer]), answer.text
    assert await counted(hotw, t.hotw_execution) == 0
