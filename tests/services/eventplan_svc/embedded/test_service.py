from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from shared.envelope import Message
from shared.schemas.results import Outcome
from shared.trace import Trace
from tests.support.embedded_stack import Replica
from tests.support.eventplan_processes import EventPlans, dashboard, state
from tests.support.snapshots import event, fleet, hardware, order, organization, projection, service
from tests.support.waiting import eventually

pytestmark = pytest.mark.embedded

FLEET_ID = "FORTRESSService-NA-X0"
PLAN = f"/eventplan/PD2024/{FLEET_ID}"
THE_THREE = (event(), fleet(), service())


async def planned(replica: Replica, path: str = PLAN) -> dict[str, Any]:
    return dict(await eventually(lambda: replica.get(path), bool, f"{path} is made"))


async def completed(replica: Replica, *names: str, path: str = PLAN) -> dict[str, Any]:
    """The plan, once all of these milestones are Completed."""

    def are_completed(plan: Any) -> bool:
        return plan is not None and all(state(plan, name)[0] == "Completed" for name in names)

    return dict(await eventually(lambda: replica.get(path), are_completed, f"{', '.join(names)} Completed in {path}"))


async def test_what_others_say_becomes_a_plan_that_turns_green(stack: EventPlans) -> None:
    replica = await stack.replica()
    await stack.say(*THE_THREE)
    await planned(replica)
    stack.clock.set("2024-06-16T09:00:00Z")
    orders = [order(number, "Fulfilled") for number in (1, 2)]
    await stack.say(projection(), hardware("order.placed", 1, order(1)), hardware("fulfillment.updated", 2, *orders))
    await completed(replica, "GatherProjectionFromUpstream", "HardwareFulfillment")
    await stack.settled()
    for name in ("CommunicateTPMToDownstream", "UpdateThrottlingInSDC"):
        body = {"EventMilestoneId": name, "MilestoneCompletionStatus": "Completed"}
        assert (await replica.http.put(f"{PLAN}/status", json=body)).status_code == 200
    plan = await replica.get(PLAN)
    assert plan["PeakReadyStatus"] == "Green"
    [ready] = await stack.published("eventplan.ready")
    assert (ready.key, ready.body()["VersionId"]) == (f"PD2024#{FLEET_ID}", plan["VersionId"])
    updates = await stack.published("eventplan.updated")
    assert [one.body()["VersionId"] for one in updates] == list(range(2, plan["VersionId"] + 1))
    assert updates[0].trace.correlation_id == "a-first-call"
    page = await dashboard(replica)
    assert page["Totals"]["ByColour"] == {"Green": 1, "Yellow": 0, "Red": 0}
    assert page["Services"][0]["Owner"] == "FORTRESSService-owner"


async def test_a_command_is_answered_and_a_second_time_alike(stack: EventPlans) -> None:
    replica = await stack.replica()
    await stack.say(*THE_THREE)
    await planned(replica)
    body = {
        "EventId": "PD2024",
        "FleetId": FLEET_ID,
        "EventMilestoneId": "UpdateThrottlingInSDC",
        "MilestoneCompletionStatus": "Blocked",
    }
    for _ in range(2):
        answer = await stack.ask("eventplan.commands", "SetMilestoneStatus", body, id="c1")
        assert (answer.outcome, answer.version_id) == (Outcome.ACCEPTED, 2)
    refused = await stack.ask("eventplan.commands", "SetMilestoneStatus", {**body, "FleetId": "Nobody"}, id="c2")
    assert refused.problem is not None
    assert refused.problem["status"] == 404


async def test_replicas_make_each_plan_once_and_their_dashboards_agree(stack: EventPlans) -> None:
    one, two = await stack.replica(), await stack.replica()
    names = [f"S{n}" for n in range(12)]
    fleets = [
        fleet(f"{name}-F{m}", of=name, region=("us-east-1", "eu-west-1")[m % 2]) for name in names for m in range(5)
    ]
    await stack.say(*map(service, names), *fleets, event())
    for replica in (one, two):
        await eventually(
            partial(dashboard, replica), lambda page: page and page["Totals"]["Fleets"] == 60, "60 plans in each view"
        )
    await stack.settled()
    keys = [message.key for message in await stack.published("eventplan.created")]
    assert sorted(keys) == sorted(f"PD2024#{name}-F{m}" for name in names for m in range(5))

    await stack.say(*(projection(f"{name}-F{m}") for name in names for m in range(5)))
    body = {"EventMilestoneId": "UpdateThrottlingInSDC", "MilestoneCompletionStatus": "Blocked"}
    assert (await one.http.put("/eventplan/PD2024/S3-F2/status", json=body)).status_code == 200
    for replica in (one, two):
        await eventually(
            partial(dashboard, replica),
            lambda page: (
                page["Totals"]["ByMilestone"]["GatherProjectionFromUpstream"] == {"Completed": 60}
                and page["Totals"]["ByMilestone"]["UpdateThrottlingInSDC"] == {"NotStarted": 59, "Blocked": 1}
            ),
            "60 projections and one blocked milestone in each view",
        )
    pages = [
        await eventually(
            partial(dashboard, replica, Region="eu-west-1", Owner="S3-owner"),
            lambda page: (
                [row["FleetId"] for service in page["Services"] for row in service["Fleets"]] == ["S3-F1", "S3-F3"]
            ),
            "each view has S3's owner and its fleets' regions",
        )
        for replica in (one, two)
    ]
    assert pages[0] == pages[1]
    assert len(pages[0]["Services"]) == 1


async def test_every_replica_shows_the_same_organizations(stack: EventPlans) -> None:
    replicas = [await stack.replica(), await stack.replica()]
    await stack.say(*THE_THREE, organization("tech", services=["FORTRESSService"]), organization("all"))

    async def organizations(replica: Replica) -> list[str]:
        return list((await dashboard(replica) or {"Totals": {"ByOrganization": {}}})["Totals"]["ByOrganization"])

    for replica in replicas:
        await eventually(
            partial(organizations, replica), lambda seen: seen == ["tech"], "the organization in each view"
        )
    await stack.say(organization("tech", 2, below="all", services=["FORTRESSService"]))
    replicas.append(await stack.replica())
    for replica in replicas:
        await eventually(partial(organizations, replica), lambda seen: seen == ["all", "tech"], "both in each view")


async def test_a_replica_that_starts_later_knows_what_was_before(stack: EventPlans) -> None:
    first = await stack.replica()
    await stack.say(*THE_THREE, service("Other", LeaderAlias="boss"), fleet("Other-EU", of="Other", region="eu-west-1"))
    await eventually(
        partial(dashboard, first), lambda page: page and page["Totals"]["Fleets"] == 2, "two plans in the view"
    )
    await first.stop()
    later = await stack.replica()
    page = await dashboard(later, LeaderAlias="boss")
    assert page["Totals"]["Fleets"] == 2
    assert [(row["FleetId"], row["Region"]) for row in page["Services"][0]["Fleets"]] == [("Other-EU", "eu-west-1")]


async def test_what_was_published_while_nobody_listened_is_made_up_for(stack: EventPlans) -> None:
    await stack.say(*THE_THREE, projection())
    replica = await stack.replica()
    assert "Closed" not in await completed(replica, "GatherProjectionFromUpstream")


async def test_a_replay_from_the_beginning_changes_nothing(stack: EventPlans) -> None:
    first = await stack.replica()
    everything = [*THE_THREE, projection(), hardware("order.placed", 1, order(1))]
    await stack.say(*everything)
    before = await completed(first, "GatherProjectionFromUpstream", "PlaceHardwareOrder")
    await stack.say(*everything, fleet("Last"))
    await planned(first, "/eventplan/PD2024/Last")
    await stack.say(projection("Last"))
    await completed(first, "GatherProjectionFromUpstream", path="/eventplan/PD2024/Last")
    await stack.settled()
    assert await first.get(PLAN) == before


async def test_a_record_that_can_never_be_read_is_a_dead_letter_between_good_ones(stack: EventPlans) -> None:
    replica = await stack.replica()
    bad = Message("fleet.created", "fleet.created", "Bad", b'{"FleetId": 7}', "tests", stack.clock.now(), Trace.begin())
    await stack.say(event(), service(), fleet("Before"))
    await stack.send(bad)
    await stack.say(fleet("After"))
    for name in ("Before", "After"):
        await planned(replica, f"/eventplan/PD2024/{name}")
    await stack.settled()
    letters = await replica.get("/dlq")
    assert [letter["Group"] for letter in letters["Items"]] == ["eventplan_svc.fleets"]
    await replica.ready()
