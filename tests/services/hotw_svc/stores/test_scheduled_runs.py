"""Runs of the schedule: one for each slot and event, whatever number of processes looks, and however late."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from services.hotw_svc.app.runs.schedule_runs import start_scheduled_runs
from tests.support.hotw_store import EVENT, Replica, event_body, many, snapshot

pytestmark = pytest.mark.slow


async def look(hotw: Replica, schedule: str = "0 6,18 * * *") -> list[int]:
    return await start_scheduled_runs(schedule=schedule, store=hotw.store, clock=hotw.clock, wake_workers=lambda: None)


async def runs(hotw: Replica, event_id: str = EVENT) -> list[dict[str, Any]]:
    """The event's runs, oldest first."""
    page = await hotw.queries.runs(event_id=event_id, status=None, before=None, limit=100, now=hotw.clock.now())
    return page.items[::-1]


async def test_each_slot_starts_one_run_of_each_event_in_its_time(
    hotw: Replica, another: Callable[[], Replica]
) -> None:
    """7.0.8 to 7.0.10, with several processes that look at once, and again, and after a restart."""
    await many(hotw, 3)
    await hotw.keep("event", snapshot("PD2025", event_body(EventId="PD2025")))
    await hotw.keep(
        "event",
        snapshot(
            "Later",
            event_body(
                EventId="Later", PeakStartDate="2024-12-01", PeakEndDate="2024-12-02", SPCOEventDatesByRegion={}
            ),
        ),
    )
    await hotw.keep("event", snapshot("Off", event_body(EventId="Off", IsActive=False)))
    await hotw.keep("event", snapshot("Gone", event_body(EventId="Gone"), deleted=True))
    replicas = [hotw, another(), another()]
    started = await asyncio.gather(*(look(replicas[n % 3]) for n in range(6)))
    assert sorted(run for some in started for run in some) == [1, 2]
    assert await look(another()) == []
    assert [len(await runs(hotw, name)) for name in (EVENT, "PD2025", "Later", "Off", "Gone")] == [1, 1, 0, 0, 0]
    first = (await runs(hotw))[0]
    assert (first["User"], first["Purpose"], first["DryRun"], first["Fleets"]) == ("auto", "Upscaling", False, 3)
    assert hotw.broker.facts("hotw.run.started") == []
    assert len((await hotw.published()).facts("hotw.run.started")) == 2
    hotw.clock.set("2024-06-15T17:59:59Z")
    await hotw.work(1)
    assert await look(hotw) == []
    hotw.clock.set("2024-06-15T18:00:00Z")
    assert await look(hotw) == [3]  # PD2025's run of this morning is still Running
    await hotw.work(2)
    assert await look(hotw) == []  # and this slot is over for it
    assert [run["RunId"] for run in await runs(hotw)] == [1, 3]


async def test_of_missed_slots_only_the_newest_of_a_day_starts_a_run(hotw: Replica) -> None:
    """7.0.11, exactly at 24 hours; and a slot that the peak's end has overtaken starts none."""
    await many(hotw, 1)
    hotw.clock.set("2024-06-20T05:59:00Z")
    assert await look(hotw) == [1]
    await hotw.work(1)
    assert await look(hotw) == []
    hotw.clock.set("2024-06-25T05:59:59.999999Z")
    assert await look(hotw, "0 6 * * *") == [2]
    await hotw.work(2)
    hotw.clock.set("2024-06-26T06:00:00Z")
    assert await look(hotw, "0 6 25 * *") == []
    hotw.clock.set("2024-07-18T00:00:00Z")
    assert await look(hotw) == []


async def test_a_dry_run_does_not_hold_a_slot_up(hotw: Replica) -> None:
    await many(hotw, 1)
    await hotw.start(DryRun=True)
    assert await look(hotw) == [2]
