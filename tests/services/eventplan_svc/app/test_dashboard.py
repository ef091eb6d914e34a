from __future__ import annotations

import random
import subprocess
import sys
import tracemalloc
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from services.eventplan_svc.app.plan_codec import decode_plan
from services.eventplan_svc.app.readiness_view import ReadinessView
from services.eventplan_svc.domain.inputs import Event, Fleet, PlanInputs, Service
from services.eventplan_svc.domain.lifecycle import new_plan, plan_template
from services.eventplan_svc.domain.milestones import ALL_UPSCALE_IDS, SUB_IDS
from shared.errors import NotFound, Unavailable
from shared.schemas.eventplan_svc import MilestoneStatus
from tests.support.clock import FixedClock
from tests.support.eventplan_processes import NOW, Process, milestones
from tests.support.snapshots import TopicBody, event, fleet, projection, service

ROOT = Path(__file__).parents[4]
SERVICES = ("Atlas", "Borealis", "Comet")
REGIONS = ("us-east-1", "eu-west-1")
LEAVES = [name for name in ALL_UPSCALE_IDS if name not in SUB_IDS]


def company() -> list[TopicBody]:
    """Three services, one fleet in each of two regions; Comet has another leader."""
    made = [service(name, LeaderAlias="boss" if name == "Comet" else "jsmith") for name in SERVICES]
    made += [fleet(f"{name}-{region}", of=name, region=region) for name in SERVICES for region in REGIONS]
    return [*made, event()]


async def asked(process: Process, body: dict[str, Any] | None = None, after: str | None = None) -> dict[str, Any]:
    shown = await process.dashboard(after=after, **(body or {}))
    return {"Services": shown.services, "Totals": shown.totals, "After": shown.next_after}


def fleets(page: dict[str, Any]) -> list[str]:
    return [row["FleetId"] for entry in page["Services"] for row in entry["Fleets"]]


@pytest.fixture
async def dashboard(process: Process) -> Process:
    await process.take(*company())
    return process


async def test_a_service_shows_its_fleets_with_what_they_wait_for(dashboard: Process) -> None:
    await dashboard.take(projection("Atlas-us-east-1", upstream=False))
    page = await asked(dashboard)
    assert [entry["ServiceId"] for entry in page["Services"]] == list(SERVICES)
    atlas = page["Services"][0]
    assert {name: atlas[name] for name in ("Owner", "LeaderAlias", "PeakReadyStatus")} == {
        "Owner": "Atlas-owner",
        "LeaderAlias": "jsmith",
        "PeakReadyStatus": "Red",
    }
    assert atlas["Fleets"][1] == {
        "FleetId": "Atlas-us-east-1",
        "Region": "us-east-1",
        "PeakReadyStatus": "Red",
        "EventMilestone": "GatherProjectionFromUpstream",
        "ETA": "2024-06-01",
        "StatusReasoning": "Not verified yet by OrderService",
        "ActionPendingOn": "Atlas-owner",
    }
    assert page["Totals"]["Fleets"] == 6
    assert page["Totals"]["ByMilestone"]["GatherProjectionFromUpstream"] == {
        "NotStarted": 5,
        "PendingOnServiceOwner": 1,
    }


@pytest.mark.parametrize(
    ("filters", "shown"),
    [
        ({"ServiceIds": ["Comet", "Nobody"]}, ["Comet-eu-west-1", "Comet-us-east-1"]),
        ({"ServiceIds": []}, []),
        ({"Owner": "Atlas-owner"}, ["Atlas-eu-west-1", "Atlas-us-east-1"]),
        ({"LeaderAlias": "boss"}, ["Comet-eu-west-1", "Comet-us-east-1"]),
        ({"Region": "eu-west-1"}, [f"{name}-eu-west-1" for name in SERVICES]),
        ({"Colour": "Green"}, ["Borealis-us-east-1"]),
        ({"Colour": "Green", "Region": "eu-west-1"}, []),
        ({"Colour": "Red", "LeaderAlias": "boss", "Region": "us-east-1"}, ["Comet-us-east-1"]),
    ],
)
async def test_filters_choose_rows_and_leave_the_totals_of_the_event(
    dashboard: Process, filters: dict[str, Any], shown: list[str]
) -> None:
    for name in LEAVES:
        await dashboard.status(name, "Completed", "Borealis-us-east-1")
    page = await asked(dashboard, filters)
    assert fleets(page) == shown
    assert page["Totals"]["Fleets"] == (6 if "ServiceIds" not in filters else len(shown))


async def test_a_services_colour_is_that_of_all_its_plans_whatever_rows_are_asked_for(dashboard: Process) -> None:
    for name in LEAVES:
        await dashboard.status(name, "Completed", "Borealis-us-east-1")
    [entry] = (await asked(dashboard, {"Colour": "Green"}))["Services"]
    assert (entry["PeakReadyStatus"], len(entry["Fleets"])) == ("Red", 1)


async def test_pages_go_service_by_service(dashboard: Process) -> None:
    first = await asked(dashboard, {"Limit": 2})
    assert [entry["ServiceId"] for entry in first["Services"]] == ["Atlas", "Borealis"]
    second = await asked(dashboard, {"Limit": 2}, first["After"])
    assert [entry["ServiceId"] for entry in second["Services"]] == ["Comet"]
    assert second["After"] is None


async def test_closed_plans_stand_outside_rows_and_totals(dashboard: Process) -> None:
    await dashboard.take(service("Atlas", 2, deleted=True))
    page = await asked(dashboard)
    assert [entry["ServiceId"] for entry in page["Services"]] == ["Borealis", "Comet"]
    assert page["Totals"]["Fleets"] == 4
    await dashboard.take(service("Atlas", 3))
    assert (await asked(dashboard))["Totals"]["Fleets"] == 6


async def test_colours_follow_the_day_without_a_write(dashboard: Process, clock: FixedClock) -> None:
    for name in LEAVES:
        await dashboard.status(name, "InProgress", "Comet-us-east-1")
    assert (await asked(dashboard))["Totals"]["ByColour"] == {"Green": 0, "Yellow": 1, "Red": 5}
    clock.set("2024-06-02T00:00:00Z")
    page = await asked(dashboard)
    assert page["Totals"]["ByColour"] == {"Green": 0, "Yellow": 0, "Red": 6}
    assert page["Services"][2]["Fleets"][1]["PeakReadyStatus"] == "Red"


@pytest.mark.parametrize("event_id", ["Never", "Gone"])
async def test_the_dashboard_of_an_event_that_is_not_there_is_not_found(dashboard: Process, event_id: str) -> None:
    await dashboard.take(event("Gone", 2, deleted=True))
    with pytest.raises(NotFound):
        await dashboard.dashboard(event_id)


async def test_a_view_that_is_not_complete_answers_later(dashboard: Process) -> None:
    dashboard.wiring.view.complete.clear()
    with pytest.raises(Unavailable):
        await asked(dashboard)


def recount(plans: list[dict[str, Any]], service_ids: list[str] | None = None) -> dict[str, Any]:
    """The totals, counted from the plans as they are read."""
    wanted = [
        plan for plan in plans if "Closed" not in plan and (service_ids is None or plan["ServiceId"] in service_ids)
    ]
    colours = Counter(plan["PeakReadyStatus"] for plan in wanted)
    return {
        "Fleets": len(wanted),
        "ByColour": {colour: colours[colour] for colour in ("Green", "Yellow", "Red")},
        "ByMilestone": {
            name: dict(Counter(milestones(plan)[name]["MilestoneCompletionStatus"] for plan in wanted))
            for name in ALL_UPSCALE_IDS
        },
    }


@pytest.mark.parametrize("seed", range(4))
async def test_totals_equal_a_recount_whatever_happens(process: Process, clock: FixedClock, seed: int) -> None:
    chance = random.Random(seed)
    await process.take(*company())
    versions: Counter[str] = Counter()
    names = [f"{name}-{region}" for name in SERVICES for region in REGIONS]
    day = 1
    for _ in range(120):
        fleet_id = chance.choice(names)
        owner = chance.choice(SERVICES)
        match chance.randrange(6):
            case 0 | 1:
                if "Closed" not in await process.plan(fleet_id):
                    await process.status(chance.choice(LEAVES), chance.choice(list(MilestoneStatus)), fleet_id)
            case 2:
                versions[f"p{fleet_id}"] += 1
                await process.take(projection(fleet_id, versions[f"p{fleet_id}"], upstream=chance.random() < 0.5))
            case 3:
                versions[fleet_id] += 1
                region = chance.choice([*REGIONS, "ap-south-1"])
                await process.take(fleet(fleet_id, versions[fleet_id] + 1, of=owner, region=region))
            case 4:
                versions[owner] += 1
                await process.take(service(owner, versions[owner] + 1, deleted=chance.random() < 0.3))
            case 5:
                day += chance.randrange(3)
                clock.set(f"2024-{5 + day // 30:02d}-{1 + day % 30:02d}T12:00:00Z")
        plans = [await process.plan(name) for name in names]
        page = await asked(process)
        counted = {**page["Totals"], "ByMilestone": dict(page["Totals"]["ByMilestone"])}
        assert counted == recount(plans)
        assert (await asked(process, {"ServiceIds": [owner]}))["Totals"] == recount(plans, [owner])
        assert sorted(fleets(page)) == sorted(plan["FleetId"] for plan in plans if "Closed" not in plan)
        assert {row["FleetId"]: row["PeakReadyStatus"] for entry in page["Services"] for row in entry["Fleets"]} == {
            plan["FleetId"]: plan["PeakReadyStatus"] for plan in plans if "Closed" not in plan
        }


async def test_a_view_given_versions_in_any_order_shows_the_newest(process: Process) -> None:
    await process.take(*company())
    for name in LEAVES:
        await process.status(name, "Completed", "Atlas-us-east-1")
    history = (await process.wiring.read_plans.history("PD2024#Atlas-us-east-1", before=None, limit=100)).items
    other = ReadinessView()
    for document in random.Random(3).sample(history, len(history)):
        for _ in range(2):
            other.put(document.version, decode_plan(document.wire()))
    assert other.totals("PD2024", None, "2024-05-01")["ByColour"] == {"Green": 1, "Yellow": 0, "Red": 0}


async def test_plans_are_named_page_by_page_closed_ones_too(process: Process) -> None:
    await process.take(*company(), event("PD2025", start="2025-07-16", end="2025-07-17"), event("P"))
    await process.take(service("Atlas", 2, deleted=True))
    everything = sorted(plan["EventPlanId"] for plan in await process.plans())
    assert len(everything) == 18

    async def walked(limit: int, **where: str) -> list[str]:
        found: list[str] = []
        after: str | None = None
        while True:
            page = await process.wiring.read_plans.matching(where, after=after, limit=limit)
            found += [item.key for item in page.items]
            after = page.next_after
            if after is None:
                return found

    async def all_ways() -> None:
        for limit in (1, 4, 18, 100):
            assert await walked(limit) == everything
            assert await walked(limit, EventId="PD2024") == [key for key in everything if key.startswith("PD2024#")]
            assert await walked(limit, ServiceId="Atlas") == [key for key in everything if "#Atlas-" in key]
            assert await walked(limit, EventId="P", FleetId="Comet-us-east-1") == ["P#Comet-us-east-1"]

    await all_ways()
    process.wiring.view.complete.clear()
    await all_ways()


def bytes_per_plan() -> float:
    """What the view takes for each of 5,000 plans, ten of a service."""
    at = FixedClock(NOW).now()
    peak = Event("PD2024", 1, "2024-07-16", "2024-07-17", ("us-east-1",), active=True, deleted=False)
    template, view = plan_template(peak, at), ReadinessView()
    tracemalloc.start()
    for number in range(5_000):
        owner = f"Service{number // 10:05d}"
        one = Fleet(f"{owner}-NA-X{number:07d}", 1, owner, "us-east-1", deleted=False)
        service = Service(owner, 1, "owner", "leader", registered=True, deleted=False)
        view.put(1, new_plan(template, PlanInputs(peak, one, service), at))
    return tracemalloc.get_traced_memory()[0] / 5_000


def test_a_plan_takes_less_than_a_kilobyte_of_the_view() -> None:
    # In a process of its own, where nothing else allocates.
    measure = f"from {__name__} import bytes_per_plan; print(bytes_per_plan())"
    done = subprocess.run([sys.executable, "-c", measure], cwd=ROOT, capture_output=True, text=True, check=True)
    assert 200 < float(done.stdout) < 1_000
