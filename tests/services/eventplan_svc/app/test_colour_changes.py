"""The list of plans that changed colour (4.155)."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest

from services.eventplan_svc.app.colour_changes import Announcement, ChangesPage, ColourChanges
from services.eventplan_svc.domain.milestones import ALL_UPSCALE_IDS, SUB_IDS
from shared.clock import iso, parse_instant
from shared.errors import NotFound, Unavailable
from shared.schemas.eventplan_svc import MilestoneStatus
from tests.support.clock import FixedClock
from tests.support.eventplan_processes import Home, Process
from tests.support.http import app_of, calling
from tests.support.snapshots import TopicBody, event, fleet, projection, service

pytestmark = pytest.mark.slow

LEAVES = [name for name in ALL_UPSCALE_IDS if name not in SUB_IDS]
FLEETS = ("F1", "F2", "F3")
MINUTE = timedelta(minutes=1)


def company() -> list[TopicBody]:
    return [service(), *(fleet(name) for name in FLEETS), event()]


async def page(
    process: Process, since: str | None = None, after: str | None = None, limit: int = 100, event_id: str = "PD2024"
) -> ChangesPage:
    moment = None if since is None else parse_instant(since)
    found: ChangesPage = await process.wiring.changes(event_id, since=moment, after=after, limit=limit)
    return found


async def changes(process: Process, since: str | None = None) -> list[dict[str, Any]]:
    return (await page(process, since)).items


async def all_set(process: Process, fleet_id: str, status: str) -> None:
    for name in LEAVES:
        await process.status(name, status, fleet_id)


async def walked(process: Process, fleet_ids: tuple[str, ...] = FLEETS) -> list[dict[str, Any]]:
    """The changes as the plans' whole histories have them, oldest first."""
    found = []
    for fleet_id in fleet_ids:
        key = f"PD2024#{fleet_id}"
        history = (await process.wiring.read_plans.history(key, before=None, limit=1000)).items[::-1]
        for before, after in pairwise(one.wire() for one in history):
            if before["PeakReadyStatus"] != after["PeakReadyStatus"] and "Closed" not in after:
                at = after["AuditMetadata"]["Timestamp"]
                found.append((at, fleet_id, before["PeakReadyStatus"], after["PeakReadyStatus"]))
    return [{"FleetId": fleet_id, "From": old, "To": new, "Timestamp": at} for at, fleet_id, old, new in sorted(found)]


def brief(items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{name: str(one[name]) for name in ("FleetId", "From", "To", "Timestamp")} for one in items]


async def test_a_persons_change_and_automations_are_listed_with_their_reasons(
    process: Process, clock: FixedClock
) -> None:
    await process.take(*company())
    assert await changes(process) == [], "a new plan has not changed"
    await all_set(process, "F1", "Completed")
    ready_at = iso(clock.now())
    clock.advance(MINUTE)
    await process.take(projection("F1", tpm=99_000))  # falls back to what that PeakTPM calls for
    listed = await changes(process)
    assert listed[0] == {
        "FleetId": "F1",
        "From": "Red",
        "To": "Green",
        "EventMilestoneId": "UpdateThrottlingInSDC",
        "Reason": "Completed",
        "Timestamp": ready_at,
    }
    assert [(one["From"], one["To"]) for one in listed] == [("Red", "Green"), ("Green", "Yellow")]
    assert listed[1]["Reason"].startswith("PendingOnServiceOwner: ")
    assert brief(listed) == await walked(process)


async def test_changes_by_the_clock_are_listed_once_swept(shared_home: Home, clock: FixedClock) -> None:
    process = await shared_home.process()
    await process.take(*company())
    for fleet_id in FLEETS[:2]:
        await all_set(process, fleet_id, "InProgress")
    clock.set("2024-06-02T00:00:10Z")
    other = await shared_home.process()
    await other.look()
    await asyncio.gather(process.wiring.turn_colours(), other.wiring.turn_colours())
    listed = await changes(other, since="2024-06-02T00:00:00Z")
    assert listed == [
        {
            "FleetId": fleet_id,
            "From": "Yellow",
            "To": "Red",
            "EventMilestoneId": "GatherProjectionFromUpstream",
            "Reason": "ETA 2024-06-01 has passed",
            "Timestamp": "2024-06-02T00:00:10.000Z",
        }
        for fleet_id in FLEETS[:2]
    ]


async def test_the_pages_hold_each_change_once_and_keep_to_their_event(process: Process, clock: FixedClock) -> None:
    await process.take(*company(), event("PD2024B"), event("PD2"))
    for fleet_id in FLEETS:
        for event_id in ("PD2024", "PD2024B", "PD2"):
            for status in ("InProgress", "Blocked", "InProgress"):
                clock.advance(MINUTE)
                for name in LEAVES:
                    await process.status(name, status, fleet_id, event_id)
    everything = await changes(process)
    assert len(everything) == 9
    for limit in (1, 2, 8, 9, 10):
        found, after = [], None
        while True:
            one = await page(process, after=after, limit=limit)
            assert len(one.items) <= limit
            found += one.items
            after = one.next_after
            if after is None:
                break
        assert found == everything
    middle = everything[4]["Timestamp"]
    assert await changes(process, since=middle) == everything[4:]
    with pytest.raises(NotFound):
        await page(process, event_id="Never")


async def test_a_change_that_was_announced_and_never_written_is_left_out(
    process: Process, clock: FixedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process dies in between; somebody else then writes that version, in the same colour or another."""
    await process.take(*company())
    documents = process.wiring.read_plans.documents
    announced = ColourChanges(process.store.read_model("colour_change"), documents)
    died_at = clock.now()
    [stored] = await process.wiring.planner.plans.get_many(["PD2024#F1"])
    for version in (1, 2, 3, 99):
        await announced.announce([(stored.plan, version, died_at)])
    assert await changes(process) == []
    await process.status("UpdateThrottlingInSDC", "InProgress", "F1")  # at the announced instant: no other colour
    assert await changes(process) == []
    clock.advance(MINUTE)
    await all_set(process, "F1", "InProgress")
    assert brief(await changes(process)) == await walked(process)
    assert len(await changes(process)) == 1


async def test_a_write_that_fails_is_not_listed_and_one_that_is_tried_again_once(
    process: Process, clock: FixedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    await process.take(*company())
    await all_set(process, "F1", "InProgress")
    await process.status(LEAVES[0], "Blocked", "F1")
    before = await changes(process)
    documents = process.wiring.read_plans.documents

    async def away(*_: Any, **__: Any) -> Any:
        raise Unavailable("the store is away")

    clock.advance(MINUTE)
    with monkeypatch.context() as patched:
        patched.setattr(type(documents), "_write", away)
        with pytest.raises(Unavailable):
            await process.status(LEAVES[0], "InProgress", "F1")
    assert await changes(process) == before
    clock.advance(MINUTE)
    await process.status(LEAVES[0], "InProgress", "F1")
    assert brief(await changes(process)) == await walked(process)


async def test_racing_writers_of_two_processes_list_each_change_once(shared_home: Home, clock: FixedClock) -> None:
    first, second = await shared_home.process(), await shared_home.process()
    await first.take(*company())
    await second.look()
    for name in LEAVES[1:]:
        await first.status(name, "InProgress", "F1")
    for _ in range(5):
        clock.advance(MINUTE)
        await asyncio.gather(
            *(
                process.status(LEAVES[0], status, "F1")
                for process, status in zip((first, second) * 3, ("InProgress", "Blocked") * 3, strict=True)
            )
        )
    listed = [one for one in await changes(first) if one["FleetId"] == "F1"]
    expected = await walked(first)
    assert sorted(map(str, brief(listed))) == sorted(map(str, expected))
    assert listed, "something changed"


@pytest.mark.parametrize("seed", range(3))
async def test_the_list_equals_a_walk_through_all_histories(process: Process, clock: FixedClock, seed: int) -> None:
    chance = random.Random(seed)
    consumed = company()
    await process.take(*consumed)
    versions: Counter[str] = Counter()
    for _ in range(60):
        clock.advance(timedelta(hours=chance.randrange(1, 40)))
        fleet_id = chance.choice(FLEETS)
        match chance.randrange(6):
            case 0 | 1 | 2:
                if "Closed" not in await process.plan(fleet_id):
                    status = chance.choice([MilestoneStatus.COMPLETED, MilestoneStatus.IN_PROGRESS])
                    await all_set(process, fleet_id, status)
            case 3:
                versions[fleet_id] += 1
                consumed.append(projection(fleet_id, versions[fleet_id], upstream=chance.random() < 0.5))
                await process.take(consumed[-1])
            case 4:
                versions["event"] += 1
                consumed.append(event(version=versions["event"] + 1, active=chance.random() < 0.7))
                await process.take(consumed[-1])
            case 5:
                await process.wiring.turn_colours()
                await process.take(*chance.sample(consumed, 3))  # some come again
    listed = brief(await changes(process))
    assert sorted(listed, key=lambda one: (one["Timestamp"], one["FleetId"])) == await walked(process)
    assert listed == sorted(listed, key=lambda one: one["Timestamp"])


async def test_a_page_costs_the_same_wherever_it_lies(process: Process, clock: FixedClock) -> None:
    """By count: one read of announcements and one of versions, and two versions for each change that is shown."""
    await process.take(*company())
    for _ in range(20):
        for status in ("InProgress", "Blocked"):
            clock.advance(MINUTE)
            for name in LEAVES:
                await process.status(name, status, "F1")
    everything = await changes(process)
    assert len(everything) > 30
    documents = process.wiring.read_plans.documents
    asked: list[int] = []

    class Counted:
        async def versions(self, wanted: Any) -> Any:
            asked.append(len(wanted))
            return await documents.versions(wanted)

    counted = ColourChanges(process.store.read_model("colour_change"), Counted())  # type: ignore[arg-type]
    for number in (0, 15, 30):
        since = parse_instant(everything[number]["Timestamp"])
        found = await counted.of_event("PD2024", since=since, after=None, limit=5)
        assert found.items == everything[number : number + 5]
    assert len(asked) == 3
    assert max(asked) <= 2 * 6


def test_announcements_lie_in_the_order_of_their_instants_within_their_event() -> None:
    made = [
        Announcement("PD", "2024-05-02T00:00:00.000Z", "A", 2),
        Announcement("PD", "2024-05-02T00:00:00.000Z", "B", 1),
        Announcement("PD", "2024-05-10T00:00:00.000Z", "A", 3),
    ]
    assert [one.key for one in made] == sorted(one.key for one in made)
    assert [Announcement.decode(one.encode()) for one in made] == made


async def test_over_http(process: Process, clock: FixedClock) -> None:
    await process.take(*company())
    for fleet_id in FLEETS:
        clock.advance(MINUTE)
        await all_set(process, fleet_id, "Completed")
    async with calling(app_of(*process.wiring.routes)) as http:
        first = (await http.get("/event/PD2024/changes?Limit=2")).json()
        assert [one["FleetId"] for one in first["Items"]] == ["F1", "F2"]
        rest = (await http.get("/event/PD2024/changes", params={"Cursor": first["NextCursor"]})).json()
        assert ([one["FleetId"] for one in rest["Items"]], rest["NextCursor"]) == (["F3"], None)
        since = {"Since": first["Items"][1]["Timestamp"]}
        assert len((await http.get("/event/PD2024/changes", params=since)).json()["Items"]) == 2
        wrong = await http.get("/event/PD2024/changes?Since=yesterday")
        assert (wrong.status_code, wrong.json()["errors"][0]["pointer"]) == (400, "/Since")
        assert (await http.get("/event/Never/changes")).status_code == 404
