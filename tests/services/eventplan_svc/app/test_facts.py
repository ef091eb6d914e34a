from __future__ import annotations

import random
from itertools import permutations
from typing import Any

import pytest

from tests.support.clock import FixedClock
from tests.support.eventplan_processes import Process, Published, state
from tests.support.snapshots import (
    TopicBody,
    bau_changed,
    event,
    fleet,
    hardware,
    order,
    projection,
    service,
    throttling,
    throttling_applied,
)

pytestmark = pytest.mark.slow

THE_THREE = (event(), fleet(), service())
DOWNSTREAM = (fleet("KEEP-NA", of="KEEPService"), projection("KEEP-NA", names="FORTRESSService"))
HOSTS = {1: 20, 2: 20, 3: 5, 4: 5}
THREE_OF_FOUR = [order(number, "Fulfilled" if number < 4 else "Approved", hosts) for number, hosts in HOSTS.items()]
JOURNEY: list[TopicBody] = [
    projection(upstream=False),
    projection(version=2, at="2024-06-01T12:00:00.000Z"),
    hardware("order.placed", 1, *(order(number, "Pending", hosts) for number, hosts in HOSTS.items())),
    hardware("order.reviewed", 2, *(order(number, "Approved", hosts) for number, hosts in HOSTS.items())),
    hardware("fulfillment.updated", 3, *THREE_OF_FOUR),
]


def timeless(plan: Any) -> Any:
    """The plan without what depends on how many versions it took and when."""
    left_out = ("LastUpdatedTimestamp", "VersionId", "LatestVersionId", "AuditMetadata", "CreatedAt", "CreatedBy")
    if isinstance(plan, dict):
        return {name: timeless(value) for name, value in plan.items() if name not in left_out}
    return [timeless(item) for item in plan] if isinstance(plan, list) else plan


async def test_the_references_plan_comes_out(process: Process, clock: FixedClock) -> None:
    await process.take(*THE_THREE, *DOWNSTREAM)
    clock.set("2024-06-16T09:00:00Z")
    for one in JOURNEY:
        await process.take(one)
    plan = await process.plan()
    assert plan["EventPlanId"] == "PD2024#FORTRESSService-NA-X0"
    assert state(plan, "GatherProjectionFromUpstream") == ("Completed", "All upstream projections verified")
    assert state(plan, "HardwareOrder") == (
        "Completed",
        "[Automated] Hardware order placed: SPCO-789 (220 needed, 200 is MaxHostCount)",
    )
    assert state(plan, "PlaceHardwareOrder") == ("Completed", "50 hosts ordered via HOTW")
    assert state(plan, "HardwareOrderApproval") == ("Completed", "Order approved by AWS")
    assert state(plan, "HardwareFulfillment") == ("InProgress", "1 of 4 orders pending")
    assert [milestone["PeakReadyStatus"] for milestone in plan["EventMilestone"]] == [
        "Green",
        "Green",
        "Yellow",
        "Red",
        "Red",
    ]
    assert plan["VersionId"] == 6
    assert plan["AuditMetadata"]["User"] == "HOTWAutomation"


@pytest.mark.parametrize("order_of_arrival", random.Random(1).sample(list(permutations(range(5))), 12))
async def test_facts_in_any_order_and_more_than_once_come_to_the_same_plan(
    process: Process, clock: FixedClock, order_of_arrival: tuple[int, ...]
) -> None:
    clock.set("2024-06-16T09:00:00Z")
    await process.take(*THE_THREE)
    for number in (*order_of_arrival, *reversed(order_of_arrival)):
        await process.take(JOURNEY[number])
    late = await process.plan()
    await process.take(fleet("In-Order"))
    await process.take(*(_about("In-Order", one) for one in JOURNEY))
    in_order = await process.plan("In-Order")
    assert timeless(late)["EventMilestone"] == timeless(in_order)["EventMilestone"]


async def test_facts_of_a_plan_that_does_not_exist_yet_are_in_it_when_it_is_made(
    process: Process, published: Published, clock: FixedClock
) -> None:
    clock.set("2024-06-16T09:00:00Z")
    await process.take(*JOURNEY)
    assert await published() == []
    await process.take(*THE_THREE)
    plan = await process.plan()
    assert plan["VersionId"] == 1
    assert state(plan, "HardwareFulfillment") == ("InProgress", "1 of 4 orders pending")
    assert [message.type for message in await published()] == ["eventplan.created"]


async def test_a_replay_from_the_beginning_changes_nothing(process: Process, published: Published) -> None:
    everything = [*THE_THREE, *JOURNEY]
    for one in everything:
        await process.take(one)
    before, count = await process.plan(), len(await published())
    await process.take(*everything)
    for one in everything:
        await process.take(one)
    assert await process.plan() == before
    assert len(await published()) == count


async def test_facts_no_milestone_goes_by_are_passed_by(process: Process) -> None:
    await process.take(*THE_THREE)
    await process.take(projection(kind="BAU"), bau_changed(tpm=None))
    assert (await process.plan())["VersionId"] == 1


async def test_one_batch_of_facts_about_many_plans_writes_each_once(process: Process) -> None:
    fleets = [fleet(f"F{number:03d}") for number in range(300)]
    await process.take(*fleets, service(), event())
    facts = [
        projection(f"F{number:03d}", version, upstream=version == 3) for version in (1, 2, 3) for number in range(300)
    ]
    await process.take(*facts)
    plans = await process.plans()
    assert {state(plan, "GatherProjectionFromUpstream")[0] for plan in plans} == {"Completed"}
    assert {plan["VersionId"] for plan in plans} == {2}


async def test_moved_dates_move_the_etas_nobody_set(process: Process) -> None:
    await process.take(*THE_THREE)
    await process.eta("HardwareFulfillment", "2024-07-01")
    await process.take(event(version=2, start="2024-07-23", end="2024-07-24"))
    etas = [milestone["ETA"] for milestone in (await process.plan())["EventMilestone"]]
    assert etas == ["2024-06-08", "2024-06-23", "2024-07-01", "2024-07-09", "2024-07-16"]


async def test_eventplan_ready_is_published_each_time_all_becomes_green(process: Process, published: Published) -> None:
    await process.take(*THE_THREE, *DOWNSTREAM)
    await process.take(*JOURNEY[:2], hardware("fulfillment.updated", 4, *(order(n, "Fulfilled") for n in (1, 2))))
    for name in ("CommunicateTPMToDownstream", "UpdateThrottlingInSDC"):
        await process.status(name, "Completed")
    await process.status("UpdateThrottlingInSDC", "InProgress")
    await process.status("UpdateThrottlingInSDC", "Completed")
    ready = [message for message in await published() if message.type == "eventplan.ready"]
    assert [message.body()["VersionId"] for message in ready] == [4, 6]
    assert ready[0].body()["PeakReadyStatus"] == "Green"
    assert ready[0].key == "PD2024#FORTRESSService-NA-X0"


async def test_a_new_peak_tpm_undoes_what_was_done_for_another(process: Process) -> None:
    await process.take(*THE_THREE, *DOWNSTREAM, projection())
    await process.status("CommunicateTPMToDownstream", "Completed")
    await process.take(projection(version=2, tpm=60_000, at="2024-06-01T09:00:00.000Z"))
    assert state(await process.plan(), "CommunicateTPMToDownstream") == (
        "PendingOnServiceOwner",
        "PeakTPM is 60000 now, this was done for 50000",
    )


def _about(fleet_id: str, one: TopicBody) -> TopicBody:
    return one[0], {**one[1], "FleetId": fleet_id}


async def test_the_descale_milestones_follow_traffic_runs_capacity_and_limits(
    process: Process, clock: FixedClock
) -> None:
    """7.12.17 to 7.12.20, before and after the plan is there, in whatever order."""
    await process.take(bau_changed())
    await process.take(event("BFCM2024"), *THE_THREE)
    for event_id in ("PD2024", "BFCM2024"):
        plan = await process.plan(event_id=event_id)
        assert state(plan, "GatherDescaleProjections") == ("Completed", "BAUTPM is known")
        assert plan["VersionId"] == 1
    await process.take(bau_changed(2, tpm=40_000), bau_changed(1, tpm=None))
    assert (await process.plan())["VersionId"] == 1
    clock.set("2024-07-20T09:00:00Z")
    run: dict[str, Any] = {"RequiredHosts": 88, "CapacityOverrideSum": 62, "BAUTPM": 20_000, "OrderedHosts": 0}
    at = "2024-07-20T09:00:00.000Z"
    await process.take(hardware("execution.completed", 1, purpose="Descaling", at=at, **run))
    await process.take(fleet(version=2, capacity=150, at="2024-07-20T10:00:00.000Z"))
    plan = await process.plan()
    assert state(plan, "PlaceDescaleOrder") == ("Completed", "62 hosts to descale via HOTW")
    assert state(plan, "DescaleFulfillment") == ("InProgress", "150 hosts reported, 88 is the target")
    assert state(plan, "PlaceHardwareOrder") == ("NotStarted", None)
    await process.take(fleet(version=3, capacity=88, at="2024-07-21T10:00:00.000Z"))
    await process.take(throttling(), throttling_applied(at="2024-07-21T09:00:00.000Z"))
    plan = await process.plan()
    assert state(plan, "DescaleFulfillment") == ("Completed", "88 hosts reported, 88 is the target")
    assert state(plan, "RestoreThrottling")[0] == "Completed"
    other = await process.plan(event_id="BFCM2024")
    assert state(other, "PlaceDescaleOrder") == ("NotStarted", None)
    await process.take(bau_changed(3, tpm=None))
    assert state(await process.plan(event_id="BFCM2024"), "GatherDescaleProjections") == ("NotStarted", None)
    assert state(await process.plan(), "GatherDescaleProjections") == ("Completed", "BAUTPM is known")
