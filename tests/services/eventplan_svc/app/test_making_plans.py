from __future__ import annotations

from itertools import permutations

import pytest

from tests.support.clock import FixedClock
from tests.support.eventplan_processes import Process, Published
from tests.support.snapshots import TopicBody, event, fleet, projection, service

pytestmark = pytest.mark.slow

FLEET_ID = "FORTRESSService-NA-X0"
THE_THREE = (event(), fleet(), service())


@pytest.mark.parametrize("order", list(permutations(THE_THREE)))
async def test_whichever_of_event_fleet_and_service_comes_last_makes_the_plan(
    process: Process, order: tuple[TopicBody, ...]
) -> None:
    for one in order[:2]:
        await process.take(one)
        assert await process.plans() == []
    await process.take(order[2])
    [plan] = await process.plans()
    assert plan["EventPlanId"] == f"PD2024#{FLEET_ID}"
    assert plan["ServiceId"] == "FORTRESSService"
    assert plan["VersionId"] == 1
    assert {milestone["MilestoneCompletionStatus"] for milestone in plan["EventMilestone"]} == {"NotStarted"}


async def test_a_plan_is_published_once_whatever_is_redelivered(process: Process, published: Published) -> None:
    for _ in range(3):
        await process.take(*THE_THREE)
    assert [(message.type, message.key) for message in await published()] == [
        ("eventplan.created", f"PD2024#{FLEET_ID}")
    ]


async def test_what_is_published_is_the_plan_as_it_is_read_without_the_automations_memory(
    process: Process, published: Published
) -> None:
    await process.take(*THE_THREE)
    plan = await process.plan()
    assert "_Automation" not in plan
    of_item_0 = ("LatestVersionId", "CreatedAt", "CreatedBy")
    assert {**(await published())[0].body(), **{name: plan[name] for name in of_item_0}} == plan
    assert plan["AuditMetadata"] == {
        "User": "EPICAutomation",
        "Message": "Planned for PD2024",
        "Timestamp": "2024-05-01T09:00:00.000Z",
    }


async def test_every_fleet_of_every_registered_service_gets_its_plan(process: Process) -> None:
    services = [service(f"Service{n}") for n in range(30)]
    fleets = [fleet(f"Service{n}-F{m}", of=f"Service{n}") for n in range(30) for m in range(50)]
    onboarding = [service("Young", ServiceType="Onboarding"), fleet("Young-F0", of="Young")]
    await process.take(*services, *fleets, *onboarding, event())
    keys = [plan["EventPlanId"] for plan in await process.plans()]
    assert keys == sorted(f"PD2024#Service{n}-F{m}" for n in range(30) for m in range(50))


@pytest.mark.parametrize(
    "late",
    [
        (service(ServiceType="Onboarding"), service(version=2)),
        (service(deleted=True), service(version=2)),
        (event(active=False), event(version=2)),
        (event(start="2024-03-01", end="2024-03-02"), event(version=2)),
        (event(deleted=True), event(version=2)),
        (fleet(of="Another"), fleet(version=2)),
    ],
)
async def test_what_was_not_due_gets_its_plan_when_it_is(process: Process, late: tuple[TopicBody, TopicBody]) -> None:
    before, after = late
    resource = before[0].partition(".")[0]
    await process.take(*(one for one in THE_THREE if not one[0].startswith(resource)), before)
    assert await process.plans() == []
    await process.take(after)
    assert [plan["FleetId"] for plan in await process.plans()] == [FLEET_ID]


async def test_a_late_version_brings_nothing_back(process: Process) -> None:
    await process.take(event(version=2, active=False), event(version=1), fleet(), service())
    assert await process.plans() == []
    await process.take(event("XM2024"), fleet("Gone", 3, deleted=True), fleet("Gone", 1))
    assert [plan["EventPlanId"] for plan in await process.plans()] == [f"XM2024#{FLEET_ID}"]


async def test_an_events_line_of_a_fleet_is_no_fleet(process: Process) -> None:
    await process.take(event(), service(), fleet("Line-Only", line="PD2024"))
    assert await process.plans() == []


async def test_a_fleet_outside_the_events_regions_gets_its_plan_closed_with_the_reason(
    process: Process, clock: FixedClock
) -> None:
    await process.take(event(), service(), fleet(region="ap-south-1"))
    plan = await process.plan()
    assert plan["Closed"] == {
        "Reason": "region ap-south-1 is not in the RegionList of PD2024",
        "Since": "2024-05-01T09:00:00.000Z",
    }
    clock.set("2024-05-02T09:00:00Z")
    await process.take(event(version=2, regions=["ap-south-1"]))
    assert "Closed" not in await process.plan()
    assert (await process.plan())["AuditMetadata"]["Message"] == "Reopened"


@pytest.mark.parametrize(
    ("cause", "reason", "cure"),
    [
        (event(version=2, active=False), "event PD2024 is not active", event(version=3)),
        (event(version=2, deleted=True), "event PD2024 is deleted", event(version=3)),
        (fleet(version=2, deleted=True), f"fleet {FLEET_ID} is deleted", fleet(version=3)),
        (service(version=2, deleted=True), "service FORTRESSService is deleted", service(version=3)),
        (service(version=2, ServiceType="Onboarding"), "service FORTRESSService is not Registered", service(version=3)),
        (fleet(version=2, of="Nobodys"), "service Nobodys was never created", service("Nobodys")),
    ],
)
async def test_a_plan_closes_for_a_reason_goes_on_taking_facts_and_reopens_when_it_goes(
    process: Process, cause: TopicBody, reason: str, cure: TopicBody
) -> None:
    await process.take(*THE_THREE)
    await process.take(cause)
    assert (await process.plan())["Closed"]["Reason"] == reason
    await process.take(projection())
    assert (await process.plan())["EventMilestone"][0]["MilestoneCompletionStatus"] == "Completed"
    await process.take(cure)
    assert "Closed" not in await process.plan()


async def test_a_fleet_that_changes_hands_takes_its_plan_with_it(process: Process) -> None:
    await process.take(*THE_THREE)
    await process.take(service("Heir"), fleet(version=2, of="Heir"))
    assert (await process.plan())["ServiceId"] == "Heir"
    await process.take(service("Heir", 2, ServiceType="Onboarding"))
    assert (await process.plan())["Closed"]["Reason"] == "service Heir is not Registered"
