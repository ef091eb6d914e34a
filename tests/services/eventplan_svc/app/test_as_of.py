"""The readiness dashboard as it stood at an earlier time (6.6.20 to 6.6.25a)."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

import pytest

from services.eventplan_svc.app.past_plans import PastPlans
from services.eventplan_svc.app.show_past_dashboard import build_past
from services.eventplan_svc.domain.history import Known
from services.eventplan_svc.domain.milestones import ALL_UPSCALE_IDS, SUB_IDS
from shared.documents import Documents
from shared.errors import BadInput, NotFound, Refused, Unavailable
from shared.schemas.eventplan_svc import DashboardQuery, MilestoneStatus
from shared.schemas.hotw_svc import Purpose
from tests.support.clock import FixedClock
from tests.support.eventplan_processes import Home, Process
from tests.support.http import app_of, calling
from tests.support.snapshots import TopicBody, event, fleet, organization, projection, service

pytestmark = pytest.mark.slow

SERVICES = ("Atlas", "Borealis", "Comet")
REGIONS = ("us-east-1", "eu-west-1")
LEAVES = [name for name in ALL_UPSCALE_IDS if name not in SUB_IDS]
QUESTIONS: list[dict[str, Any]] = [
    {},
    {"ServiceIds": ["Atlas", "Comet"]},
    {"LeaderAlias": "boss"},
    {"Owner": "new-owner"},
    {"Region": "eu-west-1"},
    {"Colour": "Yellow"},
    {"Limit": 1},
    {"Organization": "Retail"},
    {"Search": "BORE"},
    {"Sort": "Colour", "Limit": 2},
    {"Sort": "ETA"},
    {"Sort": "HostsMissing"},
]
MINUTE = timedelta(minutes=1)


def company() -> list[TopicBody]:
    made = [service(name, LeaderAlias="boss" if name == "Comet" else "jsmith") for name in SERVICES]
    made += [organization("Retail"), organization("Payments", below="Retail", services=["Atlas", "Comet"])]
    return [*made, *(fleet(f"{name}-{region}", of=name, region=region) for name in SERVICES for region in REGIONS)]


async def answers(process: Process, as_of: datetime | None = None) -> list[dict[str, Any]]:
    """What both dashboards answer to every question, whole."""
    wiring = process.wiring
    shown = await (wiring.present("PD2024") if as_of is None else wiring.past("PD2024", at=as_of, caller="ann"))
    asked = [DashboardQuery.model_validate(question) for question in QUESTIONS]
    return [asdict(shown.page(one, None, purpose)) for purpose in Purpose for one in asked]


class Diary:
    """Keeps what the dashboard answers at instants, and what was consumed, for comparison later."""

    def __init__(self, process: Process, clock: FixedClock) -> None:
        self.process = process
        self.clock = clock
        self.consumed: list[TopicBody] = []
        self.saved: list[tuple[datetime, list[dict[str, Any]]]] = []

    async def take(self, *published: TopicBody) -> None:
        self.consumed += published
        await self.process.take(*published)

    async def save(self) -> None:
        """A minute before and after it nothing happens."""
        self.clock.advance(MINUTE)
        self.saved.append((self.clock.now(), await answers(self.process)))
        self.clock.advance(MINUTE)

    async def compare(self, process: Process) -> None:
        for at, then in self.saved:
            assert await answers(process, at) == then, at
            assert await answers(process, at + MINUTE - timedelta(milliseconds=1)) == then, at


async def test_ten_instants_are_answered_later_as_they_were_answered_then(shared_home: Home, clock: FixedClock) -> None:
    """6.6.20 to 6.6.24: owners, leaders, regions, organizations and closures change between them, an ETA passes."""
    process = await shared_home.process()
    diary = Diary(process, clock)
    await diary.take(*company(), event())
    await diary.save()
    for name in LEAVES:
        await process.status(name, "InProgress", "Atlas-us-east-1")
        await process.status(name, "Completed", "Borealis-us-east-1")
    await diary.save()
    await diary.take(service("Atlas", 2, Owner="new-owner"))
    await diary.save()
    await diary.take(service("Borealis", 2, LeaderAlias="boss"), fleet("Comet-us-east-1", 2, of="Borealis"))
    await diary.save()
    await diary.take(fleet("Atlas-eu-west-1", 2, of="Atlas", region="ap-south-1"))  # closes the plan
    await diary.save()
    await diary.take(event(version=2, regions=("us-east-1",)))  # closes those of eu-west-1
    await diary.take(organization("Payments", 2, services=["Atlas"]))  # to the top, and without Comet
    await diary.save()
    await diary.take(service("Comet", 2, deleted=True), projection("Atlas-us-east-1", upstream=False))
    await diary.save()
    clock.set("2024-06-02T00:00:00Z")  # the ETA of the first milestone has passed; nothing is written yet
    await diary.save()
    await process.wiring.turn_colours()
    await diary.take(event(version=3, start="2024-08-16", end="2024-08-17"))
    await diary.save()
    await diary.take(service("Comet", 3), event(version=4, start="2024-08-16", end="2024-08-17"))
    await diary.save()
    assert len(diary.saved) == 10
    assert len({str(then) for _, then in diary.saved}) == 10, "each differs from the others"
    await diary.compare(process)
    await process.take(*diary.consumed)  # everything comes again
    other = await shared_home.process()
    await other.look()
    await diary.compare(other)


@pytest.mark.parametrize("seed", range(3))
async def test_any_instant_is_answered_as_it_was_whatever_happens(
    process: Process, clock: FixedClock, seed: int
) -> None:
    chance = random.Random(seed)
    diary = Diary(process, clock)
    await diary.take(*company(), event())
    versions: Counter[str] = Counter()
    names = [f"{name}-{region}" for name in SERVICES for region in REGIONS]
    for _ in range(30):
        fleet_id, owner = chance.choice(names), chance.choice(SERVICES)
        match chance.randrange(7):
            case 0 | 1:
                if "Closed" not in await process.plan(fleet_id):
                    await process.status(chance.choice(LEAVES), chance.choice(list(MilestoneStatus)), fleet_id)
            case 2:
                versions[fleet_id] += 1
                region = chance.choice([*REGIONS, "ap-south-1"])
                await diary.take(fleet(fleet_id, versions[fleet_id] + 1, of=owner, region=region))
            case 3:
                versions[owner] += 1
                more = {"Owner": chance.choice(["new-owner", owner]), "LeaderAlias": chance.choice(["boss", "jsmith"])}
                await diary.take(service(owner, versions[owner] + 1, deleted=chance.random() < 0.3, **more))
            case 4:
                clock.advance(timedelta(days=chance.randrange(4)))
                if chance.random() < 0.5:
                    await process.wiring.turn_colours()
            case 5:
                await process.take(*chance.sample(diary.consumed, 3))  # some come again, in another order
            case 6:
                versions["Payments"] += 1
                below, some = chance.choice([None, "Retail"]), chance.sample(SERVICES, 2)
                await diary.take(organization("Payments", versions["Payments"] + 1, below=below, services=some))
        await diary.save()
    await diary.compare(process)


async def test_before_the_event_existed_there_is_no_dashboard(process: Process, clock: FixedClock) -> None:
    """Decided: 404, as it would have been answered then. So is one that was deleted at that time."""
    await process.take(*company())
    start = clock.now()
    clock.advance(MINUTE)
    await process.take(event())
    clock.advance(MINUTE)
    await process.take(event(version=2, deleted=True))
    clock.advance(MINUTE)
    await process.take(event(version=3))
    found = []
    for number in range(4):
        try:
            found.append((await process.dashboard(as_of=start + number * MINUTE)).totals["Fleets"])
        except NotFound:
            found.append(None)
    assert found == [None, 6, None, 6]
    with pytest.raises(NotFound):
        await process.dashboard("Never", as_of=start)


async def test_a_time_to_come_is_refused(process: Process, clock: FixedClock) -> None:
    await process.take(*company(), event())
    with pytest.raises(BadInput, match="AsOf is after now"):
        await process.dashboard(as_of=clock.now() + timedelta(milliseconds=1))
    assert (await process.dashboard(as_of=clock.now())).totals["Fleets"] == 6


async def test_an_answer_older_than_a_history_is_approximate(process: Process, clock: FixedClock) -> None:
    """6.6.25: of Comet the first version that was consumed is its third, so nobody knows what it was before."""
    await process.take(*company()[:2], event(), *company()[5:])
    before = clock.now()
    clock.advance(MINUTE)
    await process.take(service("Comet", 3, LeaderAlias="boss"))
    shown = await process.dashboard(as_of=clock.now())
    assert not shown.approximate
    await process.take(fleet("Atlas-us-east-1", 2, of="Comet"))
    assert not (await process.dashboard(as_of=before)).approximate, "no plan of Comet was there"
    late = event("PD2025", 2, start="2025-07-16", end="2025-07-17")
    await process.take(late)
    clock.advance(MINUTE)
    past = await process.dashboard("PD2025", as_of=before)
    assert (past.approximate, past.totals["Fleets"]) == (True, 0)


async def test_versions_that_come_together_count_as_the_newest_of_them(process: Process, clock: FixedClock) -> None:
    """A consumer that was behind. With the first version among them, nothing was known before."""
    before, fleets = clock.now(), process.wiring.read_models.fleets
    clock.advance(MINUTE)
    await process.take(fleet("F1"), fleet("F1", 2, region="eu-west-1"), fleet("F2", 2), fleet("F2", 3))
    at = {name: await fleets.known_at(["F1", "F2"], time) for name, time in (("then", before), ("now", clock.now()))}
    assert at["then"]["F1"] == Known(None, exact=True)
    assert not at["then"]["F2"].exact
    assert [(one.value and (one.value.version, one.value.region), one.exact) for one in at["now"].values()] == [
        ((2, "eu-west-1"), True),
        ((3, "us-east-1"), True),
    ]


async def test_a_read_model_from_before_histories_is_approximate(process: Process, clock: FixedClock) -> None:
    before = [one for one in company() if not one[0].startswith("organization")]
    await process.know(*before, event())
    await process.take(event(version=2))  # makes the plans
    await process.look()
    shown = await process.dashboard(as_of=clock.now())
    assert (shown.approximate, shown.totals["Fleets"]) == (True, 6)
    assert shown.services == (await process.dashboard()).services


async def test_one_at_a_time_for_each_caller(
    shared_home: Home, clock: FixedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """6.6.25a: in whichever process the second one is asked for."""
    first, second = await shared_home.process(), await shared_home.process()
    await first.take(*company(), event())
    await second.look()
    reached, go_on = asyncio.Event(), asyncio.Event()
    at = PastPlans.at

    async def held(self: PastPlans, event_id: str, instant: datetime) -> Any:
        if not reached.is_set():
            reached.set()
            await go_on.wait()
        async for page in at(self, event_id, instant):
            yield page

    monkeypatch.setattr(PastPlans, "at", held)
    asked = asyncio.create_task(first.dashboard(as_of=clock.now(), caller="ann"))
    await reached.wait()
    for process in (first, second):
        with pytest.raises(Refused) as refused:
            await process.dashboard(as_of=clock.now(), caller="ann")
        assert (refused.value.status, refused.value.slug) == (429, "as-of-under-way")
        assert refused.value.retry_after
    assert (await second.dashboard(as_of=clock.now(), caller="bob")).totals["Fleets"] == 6
    assert (await second.dashboard()).totals["Fleets"] == 6, "that of now is not limited"
    go_on.set()
    assert (await asked).totals["Fleets"] == 6
    assert (await second.dashboard(as_of=clock.now(), caller="ann")).totals["Fleets"] == 6


async def test_one_that_was_given_up_leaves_the_next_free(
    process: Process, clock: FixedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    await process.take(*company(), event())
    with pytest.raises(NotFound):
        await process.dashboard("Never", as_of=clock.now())
    process.wiring.view.complete.clear()
    with pytest.raises(Unavailable):
        await process.dashboard(as_of=clock.now())
    process.wiring.view.complete.set()
    reached = asyncio.Event()

    async def endless(self: PastPlans, event_id: str, instant: datetime) -> Any:
        reached.set()
        await asyncio.Event().wait()
        yield []

    with monkeypatch.context() as patched:
        patched.setattr(PastPlans, "at", endless)
        asked = asyncio.create_task(process.dashboard(as_of=clock.now()))
        await reached.wait()
        asked.cancel()
        await asyncio.gather(asked, return_exceptions=True)
        patched.setattr("services.eventplan_svc.app.show_past_dashboard._LONGEST", 0.05)
        with pytest.raises(Unavailable, match="not there within"):
            await process.dashboard(as_of=clock.now())
    assert (await process.dashboard(as_of=clock.now())).totals["Fleets"] == 6


class CountedReads:
    """Documents whose reads are counted, and what they gave."""

    def __init__(self, documents: Documents) -> None:
        self._documents = documents
        self.reads = 0
        self.given = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._documents, name)

    async def latest_many(self, keys: Any) -> Any:
        return self._counted(await self._documents.latest_many(keys))

    async def versions(self, wanted: Any) -> Any:
        return self._counted(await self._documents.versions(wanted))

    async def versions_at(self, keys: Any, at: datetime) -> Any:
        return await Documents.versions_at(self, keys, at)  # type: ignore[arg-type]

    def _counted(self, found: Any) -> Any:
        self.reads += 1
        self.given += len(found)
        return found


async def test_the_cost_of_the_past_is_flat_in_history_and_linear_in_fleets(
    process: Process, clock: FixedClock
) -> None:
    """By count: a document for each plan; one more for each doubling of the history of those written since."""
    await process.take(service(), *(fleet(f"F{number:03d}") for number in range(300)), event())
    documents = CountedReads(process.wiring.read_plans.documents)
    counted = PastPlans(documents, process.wiring.view)  # type: ignore[arg-type]
    before = clock.now()

    async def cost(at: datetime) -> tuple[int, int]:
        documents.reads = documents.given = 0
        await build_past("PD2024", at, past_plans=counted, read_models=process.wiring.read_models)
        return documents.reads, documents.given

    assert await cost(before) == (2, 300)
    statuses = ["InProgress", "Blocked"]
    for number in range(32):
        clock.advance(MINUTE)
        await process.status("HardwareFulfillment", statuses[number % 2], "F007")
    assert await cost(clock.now()) == (2, 300)
    assert await cost(before) == (2 + 5, 300 + 5), "33 versions are halved five times"


async def test_over_http(process: Process, clock: FixedClock) -> None:
    await process.take(*company(), event())
    then = clock.now()
    clock.advance(MINUTE)
    await process.take(service("Comet", 2, deleted=True))
    path = "/event/PD2024/dashboard"
    async with calling(app_of(*process.wiring.routes)) as http:
        now = await http.put(path, json={})
        assert (now.json()["Totals"]["Fleets"], "Approximate" in now.json()) == (4, False)
        past = await http.put(path, json={"Limit": 1}, params={"AsOf": then.isoformat()})
        assert past.json()["Totals"]["Fleets"] == 6
        rest = {"Limit": 5, "Cursor": past.json()["NextCursor"]}
        page = (await http.put(path, json=rest, params={"AsOf": then.isoformat()})).json()
        assert [one["ServiceId"] for one in page["Services"]] == ["Borealis", "Comet"]
        for wrong in ("yesterday", "2024-05-01", "2999-01-01T00:00:00Z"):
            answer = await http.put(path, json={}, params={"AsOf": wrong})
            assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, "/AsOf")
        assert (await http.put(path, json={}, params={"AsOf": "2024-04-30T00:00:00Z"})).status_code == 404
