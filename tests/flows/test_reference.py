"""The reference's documents, posted as they stand, come out as the reference says: embedded and on the real stack."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support import reference
from tests.support.fresh_stacks import SETTINGS
from tests.support.scenario import PLAN, Caller, milestone, orders_of
from tests.support.stacks import Embedded, WholeStack, running
from tests.support.waiting import eventually

FLEET_ID = "FORTRESSService-NA-X0"
pytestmark = [pytest.mark.slow, pytest.mark.timeout(1500)]


@pytest.fixture
def caller(stack: WholeStack, http: httpx.AsyncClient) -> Caller:
    return Caller(stack, http)


def with_four_asgs() -> dict[str, Any]:
    """The reference's fleet with a second ASG in us-east-1a, so that its zone's 20 hosts make two orders of 10."""
    fleet = copy.deepcopy(reference.FLEET)
    asgs = fleet["FleetConfiguration"]["ASGProperties"]
    asgs.append({**asgs[0], "AutoScalingGroupName": "FORTRESSService/NA/X0/Prod/1a2"})
    return fleet


async def test_the_worked_example_orders_50_hosts_as_20_20_10(caller: Caller) -> None:
    await caller.post_reference()
    plan = await caller.gathered_plan()
    assert plan["EventPlanId"] == f"PD2024#{FLEET_ID}"
    assert milestone(plan, "GatherProjectionFromUpstream")["MilestoneMessage"] == "All upstream projections verified"

    await caller.known_to_hotw("PD2024", FLEET_ID)
    run = await caller.run("PD2024")
    [execution] = (await caller.call("GET", f"/hotw/executionDetail/PD2024/{FLEET_ID}"))["Items"]

    assert run["OrderType"] == "Standard"
    assert {
        name: execution[name]
        for name in (
            "PeakTPM",
            "BufferFactor",
            "HostThroughPutTPM",
            "RequiredHosts",
            "HostsPresentInApollo",
            "PendingEPICFMCHostOrder",
            "CapacityOverrideSum",
            "OrderedHosts",
            "Shortfall",
            "Status",
            "DesiredCapacity",
            "ChildDesiredCapacity",
            "HostDistribution",
            "PreferredHostType",
            "Homogeneous",
        )
    } == {
        "PeakTPM": 50000,
        "BufferFactor": 1.1,
        "HostThroughPutTPM": 250,
        "RequiredHosts": 200,
        "HostsPresentInApollo": 150,
        "PendingEPICFMCHostOrder": 0,
        "CapacityOverrideSum": 50,
        "OrderedHosts": 50,
        "Shortfall": 0,
        "Status": "Success",
        "DesiredCapacity": 200,
        "ChildDesiredCapacity": 10,
        "HostDistribution": {"c5.2xlarge": 50},
        "PreferredHostType": "c5.2xlarge",
        "Homogeneous": True,
    }
    assert "220" in execution["Reasoning"]
    assert "MaxHostCount" in execution["Reasoning"]
    orders = await caller.orders("PD2024")
    assert {order["AutoScalingGroupName"][-2:]: order["FulfillmentValue"] for order in orders} == {
        "1a": 20,
        "1b": 20,
        "1c": 10,
    }
    assert {order["FulfillmentStatus"] for order in orders} == {"Pending"}


async def test_after_three_of_four_deliveries_the_plan_reads_like_the_references(caller: Caller) -> None:
    await caller.post_reference(with_four_asgs())
    await caller.gathered_plan()
    await caller.known_to_hotw("PD2024", FLEET_ID)
    await caller.run("PD2024")
    assert [order["FulfillmentValue"] for order in await caller.orders("PD2024")] == [10, 10, 20, 10]

    orders = await caller.approve_all("PD2024")
    for order in orders[:3]:
        await caller.deliver(order)
    plan = await caller.plan_when("HardwareFulfillment", "InProgress", "1 of 4 orders pending")

    order = milestone(plan, "HardwareOrder")
    execution = (await caller.call("GET", f"/hotw/executionDetail/PD2024/{FLEET_ID}"))["Items"][0]
    assert order["MilestoneCompletionStatus"] == "Completed"
    assert order["PeakReadyStatus"] == "Green"
    assert order["MilestoneMessage"] == (
        f"[Automated] Hardware order placed: SPCO-{execution['ExecutionId']} (220 needed, 200 is MaxHostCount)"
    )
    placed, approved = order["SubMilestones"]
    assert (placed["MilestoneCompletionStatus"], placed["MilestoneMessage"]) == (
        "Completed",
        "50 hosts ordered via HOTW",
    )
    assert (approved["MilestoneCompletionStatus"], approved["MilestoneMessage"]) == (
        "Completed",
        "Order approved by AWS",
    )
    assert milestone(plan, "HardwareFulfillment")["PeakReadyStatus"] == "Yellow"
    assert milestone(plan, "UpdateThrottlingInSDC")["MilestoneCompletionStatus"] == "NotStarted"
    assert plan["AuditMetadata"]["User"] == "HOTWAutomation"

    await caller.deliver(orders[3])
    await caller.plan_when("HardwareFulfillment", "Completed")

    fulfilled = await eventually(
        lambda: caller.call("GET", f"/fleet/{FLEET_ID}"),
        lambda fleet: orders_of(fleet).get("HostsFulfilled") == {"us-east-1a": 20, "us-east-1b": 20, "us-east-1c": 10},
        "HostOrderStatuses of the fleet show the delivery",
    )
    assert orders_of(fulfilled)["EventId"] == "PD2024"
    assert fulfilled["VersionId"] == 1, "order statuses make no version"


async def test_the_last_milestones_set_by_hand_make_the_plan_ready(caller: Caller) -> None:
    await caller.post_reference()
    await caller.gathered_plan()
    await caller.known_to_hotw("PD2024", FLEET_ID)
    await caller.run("PD2024")
    for order in await caller.approve_all("PD2024"):
        await caller.deliver(order)
    await caller.plan_when("HardwareFulfillment", "Completed")
    for name in ("CommunicateTPMToDownstream", "UpdateThrottlingInSDC"):
        await caller.call("PUT", f"{PLAN}/status", {"EventMilestoneId": name, "MilestoneCompletionStatus": "Completed"})

    plan = await caller.call("GET", PLAN)
    assert plan["PeakReadyStatus"] == "Green"
    dashboard = await eventually(
        lambda: caller.call("PUT", "/event/PD2024/dashboard", {}),
        lambda page: page["Totals"]["ByColour"].get("Green") == 1,
        "the dashboard shows the fleet Green",
    )
    assert dashboard["Totals"]["Fleets"] == 1
    assert dashboard["Services"][0]["PeakReadyStatus"] == "Green"
    assert dashboard["Services"][0]["Owner"] == "fortress-owner@amazon.com"


async def test_an_order_after_the_emergent_date_opens_one_sev2_ticket_and_mails(
    tmp_path: Path, http: httpx.AsyncClient
) -> None:
    stack = Embedded(tmp_path, now="2024-07-10T09:00:00Z", environment=dict(SETTINGS))
    async with running(stack):
        caller = Caller(stack, http)
        await caller.post_reference()
        await caller.known_to_hotw("PD2024", FLEET_ID)
        run = await caller.run("PD2024")
        assert run["OrderType"] == "Emergent"
        assert {order["IsEmergent"] for order in await caller.orders("PD2024")} == {True}
        await eventually(
            lambda: caller.call("GET", "/notification?EventId=PD2024&Status=Sent"),
            lambda page: {item["Kind"] for item in page["Items"]} == {"EmergentOrder", "HardwareOrder"},
            "the ticket's mail and the order summary are sent",
        )
        await eventually(
            lambda: caller.call("GET", "/embedded/waiting"), lambda left: not any(left.values()), "all is taken in"
        )
        tickets = (await caller.call("GET", "/ticket?EventId=PD2024"))["Items"]
        assert [(ticket["Severity"], ticket["ServiceId"]) for ticket in tickets] == [(2, "FORTRESSService")]
        notifications = (await caller.call("GET", "/notification?EventId=PD2024"))["Items"]
        assert sorted((item["Kind"], item["Status"]) for item in notifications) == [
            ("EmergentOrder", "Sent"),
            ("HardwareOrder", "Sent"),
        ]
        recipients = {address for item in notifications for address in item["Recipients"]}
        assert recipients == {"fortress-owner@amazon.com", "jsmith@example.com"}
        mails = list((stack.folder / "data" / "mail").glob("*.eml"))
        assert len(mails) == len(notifications)


async def test_a_run_asked_to_be_emergent_opens_one_sev2_ticket_and_mails(caller: Caller) -> None:
    await caller.post_reference()
    await caller.known_to_hotw("PD2024", FLEET_ID)
    run = await caller.run("PD2024", OrderType="Emergent")
    assert (run["OrderType"], run["OrderedHosts"]) == ("Emergent", 50)
    assert {order["IsEmergent"] for order in await caller.orders("PD2024")} == {True}
    sent = await eventually(
        lambda: caller.call("GET", "/notification?EventId=PD2024&Status=Sent"),
        lambda page: {item["Kind"] for item in page["Items"]} == {"EmergentOrder", "HardwareOrder"},
        "the ticket's mail and the order summary are sent",
    )
    assert {tuple(sorted(item["Recipients"])) for item in sent["Items"]} == {
        ("fortress-owner@amazon.com", "jsmith@example.com")
    }
    found = await eventually(
        lambda: caller.call("GET", "/ticket?EventId=PD2024"),
        lambda page: all(ticket.get("Assignee") for ticket in page["Items"]),
        "the ticket has an assignee, also if the order arrives before its service",
    )
    [ticket] = found["Items"]
    assert (ticket["Severity"], ticket["ServiceId"]) == (2, "FORTRESSService")
    assert ticket["Assignee"] == "fortress-owner@amazon.com"


async def test_the_first_calls_correlation_id_reaches_the_mail_and_every_log_line(
    tmp_path: Path, http: httpx.AsyncClient
) -> None:
    stack = Embedded(tmp_path, environment=dict(SETTINGS))
    async with running(stack):
        caller = Caller(stack, http)
        await caller.post_reference()
        await caller.known_to_hotw("PD2024", FLEET_ID)
        await caller.call("POST", "/hotw/run", {"EventId": "PD2024"}, X_Correlation_Id="the-first-call")
        await eventually(
            lambda: caller.call("GET", "/notification?EventId=PD2024&Status=Sent"),
            lambda page: page["Items"],
            "the order summary is sent",
        )
    lines = [json.loads(line) for line in (stack.folder / "data" / "epic.log").read_text().splitlines()]
    of_the_call = {line["event"] for line in lines if line.get("correlation_id") == "the-first-call"}
    assert {"request", "run completed", "mail sent"} <= of_the_call, sorted(of_the_call)
