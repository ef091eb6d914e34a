"""The view that dashboards are made of: it equals a recount, and costs little."""

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
from services.eventplan_svc.domain.dashboard import FleetRow
from services.eventplan_svc.domain.inputs import Event, Fleet, PlanInputs, Service
from services.eventplan_svc.domain.lifecycle import new_plan, plan_template
from services.eventplan_svc.domain.milestones import ALL_UPSCALE_IDS
from shared.documents.sqlite.read_models import SqliteReadModel
from shared.schemas.eventplan_svc import MilestoneStatus
from tests.support.clock import FixedClock
from tests.support.dashboards import LEAVES, REGIONS, SERVICES, asked, company, fleets
from tests.support.eventplan_processes import NOW, Process, milestones
from tests.support.snapshots import TopicBody, event, fleet, organization, projection, service

pytestmark = pytest.mark.slow


ROOT = Path(__file__).parents[4]


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
