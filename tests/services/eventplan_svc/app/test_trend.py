"""The trend of an event: plans by colour at the end of each day (4.154, 6.6.26, 6.6.27)."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any

import pytest

from services.eventplan_svc.app.past_plans import PastPlans
from services.eventplan_svc.app.trend_rows import TrendRows
from services.eventplan_svc.domain.milestones import ALL_UPSCALE_IDS, SUB_IDS
from shared.clock import parse_instant
from shared.documents.sqlite.documents import SqliteDocuments
from shared.documents.sqlite.read_models import SqliteReadModel
from shared.errors import BadInput, NotFound, Unavailable
from tests.support.clock import FixedClock
from tests.support.eventplan_processes import Home, Process
from tests.support.http import app_of, calling
from tests.support.plan_colours import colour_on
from tests.support.snapshots import TopicBody, event, fleet, service

pytestmark = pytest.mark.slow

LEAVES = [name for name in ALL_UPSCALE_IDS if name not in SUB_IDS]
FLEETS = ("F1", "F2", "F3")


def company() -> list[TopicBody]:
    return [service(), *(fleet(name) for name in FLEETS), event()]


async def trend(process: Process, first: str | None = None, last: str | None = None) -> list[tuple[str, int, int, int]]:
    """Day, Green, Yellow and Red."""
    days = await process.wiring.trend(
        "PD2024",
        None if first is None else date.fromisoformat(first),
        None if last is None else date.fromisoformat(last),
    )
    return [(one["Date"], *(one["ByColour"][name] for name in ("Green", "Yellow", "Red"))) for one in days]


async def all_set(process: Process, fleet_id: str, status: str) -> None:
    for name in LEAVES:
        await process.status(name, status, fleet_id)


async def lived(process: Process, clock: FixedClock) -> list[tuple[str, int, int, int]]:
    """Some days pass in which plans change; what the dashboard shows just before the 24:00 of each."""
    await process.take(*company())
    seen = []

    async def night() -> None:
        midnight = (clock.now() + timedelta(days=1)).replace(hour=0, minute=0)
        clock.set(midnight - timedelta(milliseconds=1))
        shown = (await process.dashboard()).totals["ByColour"]
        seen.append((clock.now().date().isoformat(), shown["Green"], shown["Yellow"], shown["Red"]))
        clock.set(midnight)

    await night()
    await all_set(process, "F1", "InProgress")  # at 00:00: belongs to the day that begins
    await night()
    clock.advance(timedelta(hours=3))
    await all_set(process, "F2", "Completed")
    await process.take(service(version=2, deleted=True))
    await night()
    await process.take(service(version=3))
    await night()
    return seen


async def test_a_day_is_kept_as_it_stood_just_before_its_24_00(process: Process, clock: FixedClock) -> None:
    """Each day is made a minute after its end or later, when plans may have changed again."""
    await process.take(*company())
    clock.set("2024-05-01T23:59:59Z")
    await all_set(process, "F1", "InProgress")
    clock.set("2024-05-02T00:00:00Z")
    await all_set(process, "F2", "Completed")
    clock.set("2024-05-02T00:00:59Z")
    await process.wiring.keep_trend()
    assert await trend(process) == [], "a write that began before midnight may still be under way"
    clock.set("2024-05-02T00:01:00Z")
    await process.wiring.keep_trend()
    assert await trend(process) == [("2024-05-01", 0, 1, 2)]
    clock.set("2024-05-03T00:02:00Z")
    await process.wiring.keep_trend()
    assert await trend(process) == [("2024-05-01", 0, 1, 2), ("2024-05-02", 1, 1, 1)]


async def test_days_on_which_the_service_did_not_run_are_made_later(shared_home: Home, clock: FixedClock) -> None:
    """6.6.27: all of them at once, by a process that is new, from the versions."""
    seen = await lived(await shared_home.process(), clock)
    assert seen == [("2024-05-01", 0, 0, 3), ("2024-05-02", 0, 1, 2), ("2024-05-03", 0, 0, 0), ("2024-05-04", 1, 1, 1)]
    clock.advance(timedelta(hours=7))
    later = await shared_home.process()
    await later.look()
    await later.wiring.keep_trend()
    assert await trend(later) == seen


async def test_an_eta_that_passes_turns_the_day_after_it(process: Process, clock: FixedClock) -> None:
    await process.take(*company())
    await all_set(process, "F1", "InProgress")
    clock.set("2024-06-04T12:00:00Z")
    await process.wiring.keep_trend()
    assert await trend(process, "2024-05-31", "2024-06-02") == [
        ("2024-05-31", 0, 1, 2),
        ("2024-06-01", 0, 1, 2),
        ("2024-06-02", 0, 0, 3),
    ]


async def test_processes_that_make_a_day_at_once_make_it_once_and_alike(shared_home: Home, clock: FixedClock) -> None:
    first, second = await shared_home.process(), await shared_home.process()
    seen = await lived(first, clock)
    await second.look()
    clock.advance(timedelta(hours=1))
    for _ in range(2):
        await asyncio.gather(first.wiring.keep_trend(), second.wiring.keep_trend())
    assert await trend(second) == seen == await trend(first)


@pytest.mark.parametrize("seed", range(2))
async def test_the_trend_is_a_recount_of_all_versions_whatever_happens(
    shared_home: Home, clock: FixedClock, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """Days pass with and without the service, processes make days at once and die, and messages come again."""
    chance = random.Random(seed)
    processes = [await shared_home.process(), await shared_home.process()]
    consumed = company()
    await processes[0].take(*consumed)
    put, versions = TrendRows.put, Counter[str]()

    async def may_die(self: TrendRows, event_id: str, day: date, colours: Any) -> None:
        for moment in ("before", "after"):
            if chance.random() < 0.2:
                raise Unavailable(f"it dies {moment} the write")
            if moment == "before":
                await put(self, event_id, day, colours)

    monkeypatch.setattr(TrendRows, "put", may_die)
    for _ in range(30):
        clock.advance(timedelta(hours=chance.randrange(1, 30)))
        process, fleet_id = chance.choice(processes), chance.choice(FLEETS)
        for one in processes:  # what the other one wrote
            await one.look()
        match chance.randrange(5):
            case 0 | 1:
                if "Closed" not in await process.plan(fleet_id):
                    await all_set(process, fleet_id, chance.choice(["InProgress", "Completed", "Blocked"]))
            case 2:
                versions["event"] += 1
                consumed.append(event(version=versions["event"] + 1, active=chance.random() < 0.7))
                await process.take(consumed[-1])
            case 3:
                await asyncio.gather(*(one.wiring.keep_trend() for one in processes), return_exceptions=True)
            case 4:
                await process.wiring.turn_colours()
                await process.take(*chance.sample(consumed, 3))
    monkeypatch.undo()
    await processes[0].wiring.keep_trend()
    shown = await trend(processes[0])
    assert shown == await recounted(processes[0], last=clock.now().date() - timedelta(days=1))
    assert len(shown) > 10


async def recounted(process: Process, last: date) -> list[tuple[str, int, int, int]]:
    """What the plans' whole histories have for each day, from the first to the last."""
    read = process.wiring.read_plans
    histories = [(await read.history(f"PD2024#{name}", before=None, limit=1000)).items for name in FLEETS]
    days = []
    for number in range((last - date(2024, 5, 1)).days + 1):
        day, counted = (date(2024, 5, 1) + timedelta(days=number)).isoformat(), Counter[str]()
        for newest_first in histories:
            plan = next(one.wire() for one in newest_first if one.changed <= f"{day}T23:59:59.999Z")
            if "Closed" not in plan:
                counted[colour_on(day, plan)] += 1
        days.append((day, counted["Green"], counted["Yellow"], counted["Red"]))
    return days


async def test_what_is_asked_for_is_bounded(process: Process, clock: FixedClock) -> None:
    await process.take(*company())
    clock.set("2024-09-30T12:00:00Z")
    await process.wiring.keep_trend()
    shown = await trend(process)
    assert (shown[0][0], shown[-1][0]) == ("2024-07-02", "2024-08-16"), "of 90 days those up to 30 after the peak"
    with pytest.raises(BadInput) as refused:
        await trend(process, "2024-05-03", "2024-05-02")
    assert refused.value.errors[0].pointer == "/From"
    with pytest.raises(BadInput):
        await trend(process, "1999-05-03", "2024-05-02")
    await process.take(event(version=2, deleted=True))
    with pytest.raises(NotFound):
        await trend(process)


async def test_once_made_a_day_costs_nothing_and_a_read_costs_one(
    process: Process, clock: FixedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By count: no plan is read for a trend that is shown, and none again for a day that is kept."""
    made: list[datetime] = []
    at = PastPlans.at

    def counted(self: PastPlans, event_id: str, instant: datetime) -> Any:
        made.append(instant)
        return at(self, event_id, instant)

    monkeypatch.setattr(PastPlans, "at", counted)
    await process.take(*company())
    clock.set("2024-05-04T12:00:00Z")
    await process.wiring.keep_trend()
    assert made == [parse_instant(f"2024-05-0{day}T23:59:59.999Z") for day in (1, 2, 3)]
    for _ in range(3):
        await process.wiring.keep_trend()
        await trend(process)
    clock.set("2024-05-05T12:00:00Z")
    await process.wiring.keep_trend()
    assert made[3:] == [parse_instant("2024-05-04T23:59:59.999Z")]


async def test_a_trend_costs_two_reads_whatever_fleets_and_histories_there_are(
    process: Process, clock: FixedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By count: the event, and a row for each day that is asked for. No plan is read."""
    asked: list[int] = []
    read = SqliteReadModel.get_many

    async def counted(self: SqliteReadModel, keys: Sequence[str]) -> Any:
        asked.append(len(keys))
        return await read(self, keys)

    async def refused(*_: Any, **__: Any) -> Any:
        raise AssertionError("a trend reads no plan")

    async def cost() -> list[int]:
        asked.clear()
        with monkeypatch.context() as patched:
            patched.setattr(SqliteReadModel, "get_many", counted)
            for name in ("latest_many", "versions", "scan"):
                patched.setattr(SqliteDocuments, name, refused)
            assert len(await trend(process, "2024-05-01", "2024-05-10")) == 10
        return list(asked)

    await process.take(*company())
    clock.set("2024-05-11T12:00:00Z")
    await process.wiring.keep_trend()
    before = await cost()
    await process.take(*(fleet(f"G{number}") for number in range(40)))
    for number in range(20):
        await process.status(LEAVES[0], "InProgress" if number % 2 else "Blocked", "F1")
    assert await cost() == before == [1, 10]


async def test_over_http(process: Process, clock: FixedClock) -> None:
    await process.take(*company())
    clock.set("2024-05-03T12:00:00Z")
    await process.wiring.keep_trend()
    async with calling(app_of(*process.wiring.routes)) as http:
        answer = await http.get("/event/PD2024/trend?From=2024-05-02&To=2024-05-02&By=day")
        assert answer.json() == {"Items": [{"Date": "2024-05-02", "ByColour": {"Green": 0, "Yellow": 0, "Red": 3}}]}
        for wrong in ("By=week", "From=may"):
            refused = await http.get(f"/event/PD2024/trend?{wrong}")
            assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (400, f"/{wrong.partition('=')[0]}")
        assert (await http.get("/event/Never/trend")).status_code == 404
