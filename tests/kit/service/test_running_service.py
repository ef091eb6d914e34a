"""A service's parts start in order and stop in reverse; periodic work goes on whatever happens."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from fastapi import FastAPI

from shared.clock import RunningClock, iso
from shared.durability.backoff import Backoff
from shared.errors import Unavailable
from shared.jobs import worker
from shared.metrics import Metrics
from shared.service import Hook, RunningService, periodic


def part(name: str, seen: list[str], *, fails: str = "") -> Hook:
    async def start() -> None:
        seen.append(f"+{name}")
        if fails == "start":
            raise ConnectionError(name)

    async def stop() -> None:
        seen.append(f"-{name}")
        if fails == "stop":
            raise ConnectionError(name)

    return Hook(start, stop)


async def test_parts_start_in_order_and_stop_in_reverse_even_when_one_fails_to() -> None:
    seen: list[str] = []
    service = RunningService("s", FastAPI(), [part("a", seen), part("b", seen, fails="stop"), part("c", seen)])
    await service.start()
    await service.stop()
    await service.stop()
    assert seen == ["+a", "+b", "+c", "-c", "-b", "-a"]


async def test_a_part_that_does_not_start_takes_the_others_down_again() -> None:
    seen: list[str] = []
    service = RunningService("s", FastAPI(), [part("a", seen), part("b", seen, fails="start"), part("c", seen)])
    with pytest.raises(ConnectionError):
        await service.start()
    assert seen == ["+a", "+b", "-a"]


async def test_a_store_that_is_away_is_asked_again_and_the_gate_says_so_meanwhile() -> None:
    seen: list[str | None] = []

    async def start() -> None:
        seen.append(service.gate.closed)
        if len(seen) == 1:
            raise Unavailable("nobody answers at mysql:3306")

    service = RunningService("s", FastAPI(), [], opening=[Hook(start)])
    await service.open(wait=True)
    assert seen == ["not open yet: it has not answered since the start", "away: nobody answers at mysql:3306"]


async def test_a_periodic_job_that_fails_comes_again_and_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "_AFTER_FAILURE", Backoff(first=0.001, longest=0.002))
    metrics = Metrics()
    runs = 0
    enough = asyncio.Event()

    async def job() -> None:
        nonlocal runs
        runs += 1
        if runs == 1:
            raise ValueError("not this time")
        if runs == 3:
            enough.set()

    sweep = periodic("sweep", 0.001, job, metrics)
    await sweep.start()
    await asyncio.wait_for(enough.wait(), 60)
    await sweep.stop()
    text = metrics.render().decode()
    assert 'epic_periodic_runs_total{name="sweep",outcome="failed"} 1.0' in text
    assert 'epic_periodic_runs_total{name="sweep",outcome="done"}' in text


async def test_a_periodic_job_is_broken_off_when_its_service_stops() -> None:
    running, seen = asyncio.Event(), []

    async def job() -> None:
        running.set()
        await asyncio.Event().wait()
        seen.append("ended by itself")

    endless = periodic("endless", 3600, job, Metrics())
    await endless.start()
    await asyncio.wait_for(running.wait(), 60)
    await endless.stop()
    await endless.stop()
    assert seen == []


def test_a_running_clock_is_pushed_forward_and_never_back() -> None:
    clock = RunningClock("2024-06-15T09:00:00Z")
    assert iso(clock.now()).startswith("2024-06-15T09:0")
    assert not clock.pushed
    clock.push(datetime(2024, 7, 1, tzinfo=UTC))
    clock.push(datetime(2024, 6, 1, tzinfo=UTC))
    assert clock.pushed
    first = clock.now()
    assert datetime(2024, 7, 1, tzinfo=UTC) <= first < datetime(2024, 7, 1, tzinfo=UTC) + timedelta(minutes=1)
    assert clock.now() >= first
