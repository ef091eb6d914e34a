"""A worker: goes on while there is more, waits otherwise, and outlives every fault."""

from __future__ import annotations

import asyncio

import pytest

from shared.durability.backoff import Backoff
from shared.errors import Unavailable
from shared.jobs import Worker, worker
from tests.support.waiting import until


async def test_work_is_repeated_at_once_while_there_is_more() -> None:
    left, calls = 5, 0

    async def work() -> bool:
        nonlocal left, calls
        calls += 1
        left = max(left - 1, 0)
        return left > 0

    one = Worker("count", work, poll=600.0)
    await one.start()
    await until(lambda: not left, "all work done")
    assert calls == 5
    left = 1
    one.wake()
    await until(lambda: calls == 6, "the work that it was woken for")
    await one.stop()


async def test_a_fault_ends_no_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "_AFTER_FAILURE", Backoff(first=0.001, longest=0.002))
    faults = iter([Unavailable("away"), ValueError("a bug")])
    done = asyncio.Event()

    async def work() -> bool:
        for fault in faults:
            raise fault
        done.set()
        return False

    one = Worker("count", work, poll=600.0)
    await one.start()
    await until(done.is_set, "work after two faults")
    await one.stop()


async def test_calls_run_at_the_same_time_and_end_together() -> None:
    waiting, gate = 0, asyncio.Event()

    async def work() -> bool:
        nonlocal waiting
        waiting += 1
        await gate.wait()
        return False

    one = Worker("count", work, poll=600.0, concurrency=3)
    await one.start()
    await until(lambda: waiting == 3, "three calls at once")
    await one.stop()
