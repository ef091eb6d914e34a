"""Several processes of the service on one database, on SQLite and on MongoDB."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest

from tests.support.clock import FixedClock
from tests.support.eventplan_processes import Home, Process, state
from tests.support.snapshots import TopicBody, event, fleet, hardware, order, projection, service

pytestmark = pytest.mark.slow

FLEET_ID = "FORTRESSService-NA-X0"
CHANGES: list[TopicBody] = [
    event(),
    fleet(),
    service(),
    projection(),
    fleet(version=2, of="Heir"),
    service("Heir"),
    event(version=2, start="2024-07-20", end="2024-07-21"),
    projection(version=2, upstream=False),
    hardware("order.placed", 1, order(1), order(2)),
    hardware("order.reviewed", 2, order(1, "Approved"), order(2)),
    service(version=2, deleted=True),
]


@pytest.fixture
async def processes(shared_home: Home) -> list[Process]:
    return [await shared_home.process() for _ in range(3)]


async def test_each_plan_is_made_once_whoever_makes_it(shared_home: Home, processes: list[Process]) -> None:
    names = [f"S{n}" for n in range(5)]
    fleets = [fleet(f"{name}-F{m}", of=name) for name in names for m in range(20)]
    await asyncio.gather(*(one.take(*map(service, names), *fleets, event()) for one in processes))
    keys = [message.key for message in await shared_home.published() if message.type == "eventplan.created"]
    assert sorted(keys) == sorted(f"PD2024#{name}-F{m}" for name in names for m in range(20))
    await processes[0].look()
    assert {plan["VersionId"] for plan in await processes[0].plans()} == {1}


@pytest.mark.parametrize("seed", range(5))
async def test_changes_that_race_end_in_the_same_plan_as_in_order(processes: list[Process], seed: int) -> None:
    chance = random.Random(seed)
    changes = [*CHANGES, *chance.sample(CHANGES, 4)]
    chance.shuffle(changes)

    async def publish(process: Process, share: list[TopicBody]) -> None:
        for one in share:
            await process.take(one)

    await asyncio.gather(*(publish(process, changes[number::3]) for number, process in enumerate(processes)))
    plan = await processes[0].plan()
    assert plan["ServiceId"] == "Heir"
    assert "Closed" not in plan
    assert [milestone["ETA"] for milestone in plan["EventMilestone"]] == [
        "2024-06-05",
        "2024-06-20",
        "2024-07-10",
        "2024-07-06",
        "2024-07-13",
    ]
    assert state(plan, "GatherProjectionFromUpstream") == ("PendingOnServiceOwner", "Not verified yet by OrderService")
    assert state(plan, "HardwareOrderApproval") == ("PendingOnEPIC", "1 of 2 approved")
    assert state(plan, "HardwareFulfillment") == ("InProgress", "2 of 2 orders pending")


async def test_people_and_facts_that_race_lose_nothing(
    processes: list[Process], shared_home: Home, clock: FixedClock
) -> None:
    await processes[0].take(event(), fleet(), service())
    clock.set("2024-05-25T09:00:00Z")
    by_hand = ("HardwareFulfillment", "CommunicateTPMToDownstream", "UpdateThrottlingInSDC")
    facts = [projection(version=version, upstream=version == 8) for version in range(1, 9)]

    async def people(process: Process, milestone_id: str) -> None:
        for status in ("InProgress", "Blocked", "Completed"):
            await process.status(milestone_id, status)

    async def automation(process: Process) -> None:
        for one in facts:
            await process.take(one)

    await asyncio.gather(*(people(*pair) for pair in zip(processes, by_hand, strict=True)), automation(processes[1]))
    plan = await processes[2].plan()
    assert {state(plan, name)[0] for name in (*by_hand, "GatherProjectionFromUpstream")} == {"Completed"}
    bodies: list[dict[str, Any]] = [message.body() for message in await shared_home.published()]
    assert [one["VersionId"] for one in bodies] == list(range(1, plan["VersionId"] + 1))


async def test_the_same_command_at_two_processes_is_done_once(processes: list[Process]) -> None:
    await processes[0].take(event(), fleet(), service())
    body = {
        "EventId": "PD2024",
        "FleetId": FLEET_ID,
        "EventMilestoneId": "UpdateThrottlingInSDC",
        "MilestoneCompletionStatus": "Blocked",
    }
    answers = await asyncio.gather(*(one.command("SetMilestoneStatus", "c1", body) for one in processes))
    assert {(answer["Outcome"], answer["VersionId"]) for answer in answers} == {("Accepted", 2)}
    assert (await processes[0].plan())["VersionId"] == 2


async def test_restores_that_race_with_people_and_facts_lose_nothing(
    processes: list[Process], shared_home: Home, clock: FixedClock
) -> None:
    """3.7, 3.27: a restore is decided on the newest version, and what it undid is in the history."""
    await processes[0].take(event(), fleet(), service())
    clock.set("2024-05-25T09:00:00Z")

    async def restoring(process: Process) -> None:
        for number in range(4):
            body = {"EventId": "PD2024", "FleetId": FLEET_ID, "VersionId": 1}
            answer = await process.command("RestoreEventPlan", f"r{number}", body)
            assert answer["Outcome"] == "Accepted"

    async def people(process: Process) -> None:
        for wanted in ("InProgress", "Blocked", "Completed", "InProgress"):
            await process.status("UpdateThrottlingInSDC", wanted)

    async def automation(process: Process) -> None:
        for version in range(1, 5):
            await process.take(projection(version=version, upstream=version == 4))

    await asyncio.gather(*(each(one) for each, one in zip((restoring, people, automation), processes, strict=True)))
    messages = [message for message in await shared_home.published() if message.type.startswith("eventplan.")]
    versions = [message.body()["VersionId"] for message in messages]
    assert versions == list(range(1, (await processes[0].plan())["VersionId"] + 1))
    seen = {state(message.body(), "UpdateThrottlingInSDC")[0] for message in messages}
    assert seen >= {"InProgress", "Blocked", "Completed"}
