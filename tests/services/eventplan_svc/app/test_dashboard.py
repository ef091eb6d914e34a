from __future__ import annotations

import random
import subprocess
import sys
import tracemalloc
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from services.eventplan_svc.app.keep_readiness_view import build_view
from services.eventplan_svc.app.plan_codec import decode_plan
from services.eventplan_svc.app.readiness_view import ReadinessView
from services.eventplan_svc.app.show_dashboard import Place
from services.eventplan_svc.domain.dashboard import FleetRow
from services.eventplan_svc.domain.inputs import Event, Fleet, PlanInputs, Service
from services.eventplan_svc.domain.lifecycle import new_plan, plan_template
from services.eventplan_svc.domain.milestones import ALL_UPSCALE_IDS, SUB_IDS
from shared.documents.sqlite.read_models import SqliteReadModel
from shared.errors import BadInput, NotFound, Unavailable
from shared.schemas.eventplan_svc import MilestoneStatus
from shared.schemas.eventplan_views import ReadinessReport
from tests.support.clock import FixedClock
from tests.support.eventplan_processes import NOW, Process, milestones
from tests.support.snapshots import TopicBody, event, fleet, hardware, order, organization, projection, service

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[4]
SERVICES = ("Atlas", "Borealis", "Comet")
REGIONS = ("us-east-1", "eu-west-1")
LEAVES = [name for name in ALL_UPSCALE_IDS if name not in SUB_IDS]


def company() -> list[TopicBody]:
    """Three services, one fleet in each of two regions; Comet has another leader.

    Atlas is in the organization sky, Comet in space, which is below sky; Borealis is in none.
    """
    made = [service(name, LeaderAlias="boss" if name == "Comet" else "jsmith") for name in SERVICES]
    made += [fleet(f"{name}-{region}", of=name, region=region) for name in SERVICES for region in REGIONS]
    made += [organization("sky", services=["Atlas"]), organization("space", below="sky", services=["Comet"])]
    return [*made, event()]


async def asked(process: Process, body: dict[str, Any] | None = None, after: Place | None = None) -> dict[str, Any]:
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
        "HostsMissing": 0,
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
        ({"Organization": "space"}, ["Comet-eu-west-1", "Comet-us-east-1"]),
        ({"Organization": "sky", "Region": "eu-west-1"}, ["Atlas-eu-west-1", "Comet-eu-west-1"]),
        ({"Organization": "nobody"}, []),
        ({"Search": "COMET-U"}, ["Comet-us-east-1"]),
        ({"Search": "s-OWN"}, [f"{name}-{region}" for name in ("Atlas", "Borealis") for region in sorted(REGIONS)]),
        ({"Search": "bOSs", "Region": "us-east-1"}, ["Comet-us-east-1"]),
        ({"Search": "us-east"}, [f"{name}-us-east-1" for name in SERVICES]),
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


def recount(
    plans: list[dict[str, Any]], truth: dict[str, dict[str, Any]], service_ids: list[str] | None = None
) -> dict[str, Any]:
    """The totals, counted from the plans as they are read.

    ``truth``: the newest snapshot of each fleet, service and organization.
    """
    wanted = [
        plan for plan in plans if "Closed" not in plan and (service_ids is None or plan["ServiceId"] in service_ids)
    ]

    def figures(chosen: list[dict[str, Any]]) -> dict[str, Any]:
        colours = Counter(plan["PeakReadyStatus"] for plan in chosen)
        return {"Fleets": len(chosen), "ByColour": {colour: colours[colour] for colour in ("Green", "Yellow", "Red")}}

    def above(service_id: str) -> list[str]:
        own = {name: one for name, one in truth.items() if "OrganizationId" in one and not one.get("Deleted")}
        at = next((name for name, one in own.items() if service_id in one["Services"]), None)
        found = []
        while at is not None and at in own:
            found.append(at)
            at = own[at].get("ParentId")
        return found

    by: dict[str, dict[str, list[dict[str, Any]]]] = {"ByRegion": {}, "ByLeader": {}, "ByOrganization": {}}
    for plan in wanted:
        by["ByRegion"].setdefault(truth[plan["FleetId"]]["FleetConfiguration"]["Region"], []).append(plan)
        by["ByLeader"].setdefault(truth[plan["ServiceId"]]["LeaderAlias"], []).append(plan)
        for name in above(plan["ServiceId"]):
            by["ByOrganization"].setdefault(name, []).append(plan)
    return {
        **{kind: {name: figures(chosen) for name, chosen in groups.items()} for kind, groups in by.items()},
        **figures(wanted),
        "ByMilestone": {
            name: dict(Counter(milestones(plan)[name]["MilestoneCompletionStatus"] for plan in wanted))
            for name in ALL_UPSCALE_IDS
        },
    }


async def another_view(process: Process) -> ReadinessView:
    """The view as another process builds it from the store."""
    view = ReadinessView()
    await build_view(plans=process.wiring.planner.plans, read_models=process.wiring.read_models, view=view)
    return view


@pytest.mark.parametrize("seed", range(4))
async def test_totals_equal_a_recount_whatever_happens(process: Process, clock: FixedClock, seed: int) -> None:
    chance = random.Random(seed)
    await process.take(*company())
    versions: Counter[str] = Counter()
    truth = {next(iter(body.values())): body for topic, body in company() if not topic.startswith("event")}
    tree = {"sky": (None, ["Atlas"]), "space": ("sky", ["Comet"])}
    before: list[TopicBody] = []

    async def take(one: TopicBody) -> None:
        """Takes it, with something that was taken before, once more."""
        before.append(one)
        truth[next(iter(one[1].values()))] = one[1]
        await process.take(*chance.sample([one, chance.choice(before)], 2))

    names = [f"{name}-{region}" for name in SERVICES for region in REGIONS]
    day = 1
    for step in range(120):
        fleet_id = chance.choice(names)
        owner = chance.choice(SERVICES)
        match chance.randrange(7):
            case 0 | 1:
                if "Closed" not in await process.plan(fleet_id):
                    await process.status(chance.choice(LEAVES), chance.choice(list(MilestoneStatus)), fleet_id)
            case 2:
                versions[f"p{fleet_id}"] += 1
                await process.take(projection(fleet_id, versions[f"p{fleet_id}"], upstream=chance.random() < 0.5))
            case 3:
                versions[fleet_id] += 1
                region = chance.choice([*REGIONS, "ap-south-1"])
                await take(fleet(fleet_id, versions[fleet_id] + 1, of=owner, region=region))
            case 4:
                versions[owner] += 1
                leader, gone = chance.choice(["jsmith", "boss"]), chance.random() < 0.3
                await take(service(owner, versions[owner] + 1, LeaderAlias=leader, deleted=gone))
            case 6:
                name = chance.choice(list(tree))
                other = "space" if name == "sky" else "sky"
                parent = chance.choice([None, other]) if tree[other][0] is None else None
                free = [one for one in SERVICES if one not in tree[other][1]]
                tree[name] = parent, chance.sample(free, chance.randrange(len(free) + 1))
                versions[name] += 1
                gone = chance.random() < 0.2
                await take(
                    organization(
                        name,
                        versions[name] + 1,
                        below=parent,
                        services=tree[name][1],
                        deleted=gone,
                        at=f"2024-04-02T09:00:00.{len(before):03}Z",
                    )
                )
                if gone:
                    tree[name] = None, []
            case 5:
                day += chance.randrange(3)
                clock.set(f"2024-{5 + day // 30:02d}-{1 + day % 30:02d}T12:00:00Z")
        plans = [await process.plan(name) for name in names]
        page = await asked(process)
        assert page["Totals"] == recount(plans, truth)
        assert (await asked(process, {"ServiceIds": [owner]}))["Totals"] == recount(plans, truth, [owner])
        if step % 20:
            continue
        built = await another_view(process)
        assert built.totals("PD2024", None, "2024-05-01") == process.wiring.view.totals("PD2024", None, "2024-05-01")
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


async def test_a_moved_organization_moves_the_counts_of_its_subtree_once(
    dashboard: Process,
) -> None:
    totals = (await asked(dashboard))["Totals"]
    assert {name: one["Fleets"] for name, one in totals["ByOrganization"].items()} == {"sky": 4, "space": 2}
    moved = organization("space", 2, services=["Comet"])
    await dashboard.take(moved, moved)
    await dashboard.take(organization("space", below="sky", services=["Comet"]), moved)
    totals = (await asked(dashboard))["Totals"]
    assert {name: one["Fleets"] for name, one in totals["ByOrganization"].items()} == {"sky": 2, "space": 2}


async def test_a_changed_leader_moves_the_counts_of_the_service_once(dashboard: Process) -> None:
    for _ in range(2):
        await dashboard.take(service("Atlas", 2, LeaderAlias="boss"))
        totals = (await asked(dashboard))["Totals"]
        assert {name: one["Fleets"] for name, one in totals["ByLeader"].items()} == {"boss": 4, "jsmith": 2}


async def test_hosts_missing_are_what_live_orders_owe_and_the_gap_6_6_10(
    dashboard: Process,
) -> None:
    topic, body = hardware("order.placed", 1, order(1), order(2, "Rejected"), fleet_id="Comet-us-east-1")
    body["Execution"]["Shortfall"] = 5
    await dashboard.take((topic, body))

    async def missing() -> int:
        [comet] = (await asked(dashboard, {"ServiceIds": ["Comet"], "Region": "us-east-1"}))["Services"]
        return int(comet["Fleets"][0]["HostsMissing"])

    assert await missing() == 20 + 5
    assert (await dashboard.plan("Comet-us-east-1"))["HostsMissing"] == 25, "so that every version of a plan has it"
    await dashboard.take((topic, {**body, "OrdersVersionId": 2, "Gap": 7}))
    assert await missing() == 20 + 7
    done = {**body["Orders"][0], "FulfillmentStatus": "Fulfilled", "FulfilledHosts": 20}
    settled = {**body, "OrdersVersionId": 3, "Orders": [done], "Execution": {**body["Execution"], "Shortfall": 0}}
    await dashboard.take(("hotw.fulfillment.updated", settled))
    assert await missing() == 0
    assert "HostsMissing" not in await dashboard.plan("Comet-us-east-1")


@pytest.mark.parametrize("limit", [1, 2, 3])
async def test_a_sorted_dashboard_shows_every_service_once_while_plans_change(dashboard: Process, limit: int) -> None:
    """Between the pages the best becomes the worst and the worst the best."""
    for name in LEAVES:
        await dashboard.status(name, "InProgress", "Comet-us-east-1")
        await dashboard.status(name, "InProgress", "Comet-eu-west-1")
    seen: list[str] = []
    after: Place | None = None
    for turn in range(4):
        page = await asked(dashboard, {"Sort": "Colour", "Limit": limit}, after)
        seen += [entry["ServiceId"] for entry in page["Services"]]
        after = page["After"]
        if after is None:
            break
        for region in REGIONS:
            for name in LEAVES:
                await dashboard.status(name, "Blocked" if turn % 2 else "InProgress", f"Atlas-{region}")
                await dashboard.status(name, "InProgress" if turn % 2 else "Blocked", f"Comet-{region}")
    assert seen[0] == "Atlas"
    assert sorted(seen) == list(SERVICES)


async def test_a_cursor_of_another_order_is_refused(dashboard: Process) -> None:
    page = await asked(dashboard, {"Sort": "Colour", "Limit": 1})
    for body, after in (({"Sort": "ETA"}, page["After"]), ({}, page["After"]), ({"Sort": "ETA"}, "Atlas")):
        with pytest.raises(BadInput, match="Cursor"):
            await asked(dashboard, body, after)


async def test_the_report_has_the_worst_first_and_what_is_awaited_from_whom(
    dashboard: Process,
) -> None:
    for region in REGIONS:
        for name in LEAVES:
            await dashboard.status(name, "Completed", f"Atlas-{region}")
            await dashboard.status(name, "Completed" if name == LEAVES[0] else "InProgress", f"Comet-{region}")
    await dashboard.take(projection("Borealis-us-east-1", upstream=False))
    report = (await dashboard.wiring.present("PD2024")).report()
    assert [(one["LeaderAlias"], one["PeakReadyStatus"], one["Fleets"]) for one in report["Leaders"]] == [
        ("jsmith", "Red", 4),
        ("boss", "Yellow", 2),
    ]
    borealis, atlas = report["Leaders"][0]["Services"]
    assert (atlas["ServiceId"], atlas["Awaited"]) == ("Atlas", [])
    assert borealis["Awaited"] == [
        {
            "ActionPendingOn": "Borealis-owner",
            "EventMilestone": "GatherProjectionFromUpstream",
            "StatusReasoning": reason,
            "ETA": "2024-06-01",
            "FleetIds": [f"Borealis-{region}"],
        }
        for reason, region in ((None, "eu-west-1"), ("Not verified yet by OrderService", "us-east-1"))
    ]
    [comet] = report["Leaders"][1]["Services"]
    assert [(one["ActionPendingOn"], len(one["FleetIds"])) for one in comet["Awaited"]] == [("EPIC", 2)]
    assert report["Totals"] == (await asked(dashboard))["Totals"]
    ReadinessReport.model_validate(report)


# -- the cost ------------------------------------------------------------------------------------------------------


async def test_a_page_costs_one_read_and_its_own_rows_however_long_the_history_is(
    dashboard: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By what is done, not by time: statements of the store, and rows that are made."""
    statements: list[str] = []
    rows = Counter[str]()
    read, made = SqliteReadModel.get_many, FleetRow.__init__

    async def counted(self: SqliteReadModel, keys: Sequence[str]) -> Any:
        statements.append(",".join(keys))
        return await read(self, keys)

    def count(self: FleetRow, *members: Any) -> None:
        rows["made"] += 1
        made(self, *members)

    monkeypatch.setattr(SqliteReadModel, "get_many", counted)
    monkeypatch.setattr(FleetRow, "__init__", count)

    async def cost(**query: Any) -> tuple[int, int]:
        statements.clear()
        rows.clear()
        await asked(dashboard, query)
        return len(statements), rows["made"]

    before = await cost(Limit=1), await cost(), await cost(Limit=1, Sort="Colour")
    for number in range(40):
        await dashboard.status(LEAVES[0], "InProgress" if number % 2 else "Blocked", "Atlas-us-east-1")
        await dashboard.take(organization("space", number + 2, below="sky", services=["Comet"]))
    assert (await cost(Limit=1), await cost(), await cost(Limit=1, Sort="Colour")) == before
    # A page looks one service ahead; a sorted one has to look at all fleets of the event.
    assert before == ((1, 4), (1, 6), (1, 6))


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
