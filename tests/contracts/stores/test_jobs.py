"""Jobs: each chunk is done, whichever worker dies between any two steps; one worker at a time; cancelled for good."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from typing import Any

import pytest

from shared.durability.lease import Lease, Leases
from shared.jobs import Chunk, Jobs, JobStatus, Progress
from tests.support.waiting import until

pytestmark = pytest.mark.slow

LONG = 600.0
CHUNKS = 4


class Killed(BaseException):
    """The process ends here: nothing after it runs."""


class Dying:
    """Leases whose process is killed at its n-th call: before the call, or after it."""

    def __init__(self, leases: Leases, at: int) -> None:
        self._leases = leases
        self._left = at

    async def _step(self, call: Callable[[], Awaitable[Any]]) -> Any:
        self._die_at_zero()
        result = await call()
        self._die_at_zero()
        return result

    def _die_at_zero(self) -> None:
        self._left -= 1
        if self._left < 0:
            raise Killed

    async def claim(self, name: str, holder: str, seconds: float, *, from_others: bool = False) -> Lease | None:
        taken: Lease | None = await self._step(
            lambda: self._leases.claim(name, holder, seconds, from_others=from_others)
        )
        return taken

    async def renew(self, lease: Lease, seconds: float, record: Mapping[str, Any] | None = None) -> None:
        await self._step(lambda: self._leases.renew(lease, seconds, record))

    async def release(self, lease: Lease) -> None:
        await self._step(lambda: self._leases.release(lease))

    async def record_of(self, name: str) -> Mapping[str, Any]:
        record: Mapping[str, Any] = await self._step(lambda: self._leases.record_of(name))
        return record


class Renewing(Dying):
    """Leases that count how often one is renewed."""

    def __init__(self, leases: Leases) -> None:
        super().__init__(leases, at=1_000_000)
        self.renewals = 0

    async def renew(self, lease: Lease, seconds: float, record: Mapping[str, Any] | None = None) -> None:
        await super().renew(lease, seconds, record)
        self.renewals += 1


class Counting:
    """Work in four chunks of ten; it notes what it did and whether it was closed, and can wait before a chunk."""

    def __init__(self) -> None:
        self.done: list[int] = []
        self.closed = False
        self.gate = asyncio.Event()
        self.gate.set()

    async def __call__(self, cursor: str | None) -> AsyncGenerator[Chunk, None]:
        try:
            for number in range(int(cursor or 0), CHUNKS):
                await self.gate.wait()
                self.done.append(number)
                yield Chunk(10, str(number + 1), total=10 * CHUNKS)
        finally:
            self.closed = True


def once_more(last: Progress | None) -> bool:
    return True


async def test_a_job_is_done_once_and_its_progress_is_kept(leases: Leases) -> None:
    seconds = iter(range(100, 200))
    jobs, work = Jobs(leases, lease=LONG, now=lambda: float(next(seconds))), Counting()
    assert await jobs.progress("count") is None
    done = await jobs.run("count", work)
    assert done == await jobs.progress("count")
    assert done is not None
    assert (done.status, done.done, done.total, done.cursor) == (JobStatus.DONE, 40, 40, "4")
    assert done.rate == pytest.approx(40 / 6)
    assert done.remaining_seconds == 0
    assert await jobs.run("count", work) is None
    assert work.done == [0, 1, 2, 3]


async def test_a_job_that_is_due_again_begins_at_the_start(leases: Leases) -> None:
    jobs, work = Jobs(leases, lease=LONG), Counting()
    for _ in range(2):
        assert await jobs.run("count", work, due=once_more) is not None
    assert work.done == [0, 1, 2, 3] * 2


async def test_a_job_is_resumed_whichever_step_its_worker_was_killed_at(leases: Leases) -> None:
    step, finished = 0, False
    while not finished:
        name, work = f"count-{step}", Counting()
        try:
            await Jobs(Dying(leases, step), lease=0.0).run(name, work)
            finished = True  # there were no more steps to be killed at
        except Killed:
            pass
        jobs = Jobs(leases, lease=LONG)
        await until(lambda name=name, jobs=jobs, work=work: _finished(jobs, name, work), "the job's end")  # type: ignore[misc]
        assert sorted(set(work.done)) == [0, 1, 2, 3]
        assert len(work.done) <= CHUNKS + 1, "only the chunk under way is done again"
        progress = await jobs.progress(name)
        assert progress is not None
        assert progress.done == 40
        step += 1
    assert step > 2 * CHUNKS


async def _finished(jobs: Jobs, name: str, work: Counting) -> bool:
    await jobs.run(name, work)
    progress = await jobs.progress(name)
    return progress is not None and progress.status is JobStatus.DONE


async def test_of_two_workers_one_works_and_the_other_goes_on_when_it_fails(
    open_leases: Callable[[], Awaitable[Leases]],
) -> None:
    first, second = Jobs(await open_leases(), lease=LONG), Jobs(await open_leases(), lease=LONG)
    work, begun = Counting(), asyncio.Event()

    async def failing(cursor: str | None) -> AsyncGenerator[Chunk, None]:
        yield Chunk(10, "1")
        begun.set()
        await work.gate.wait()
        raise ConnectionError("the store is away")

    work.gate.clear()
    running = asyncio.create_task(first.run("count", failing))
    await begun.wait()
    assert await second.run("count", work, due=once_more) is None
    work.gate.set()
    with pytest.raises(ConnectionError):
        await running
    done = await second.run("count", work)
    assert done is not None
    assert done.done == 40
    assert work.done == [1, 2, 3]


async def test_a_paused_worker_that_lost_its_lease_writes_nothing_more(
    open_leases: Callable[[], Awaitable[Leases]],
) -> None:
    paused, other = Jobs(await open_leases(), lease=0.0), Jobs(await open_leases(), lease=LONG)
    slow, work = Counting(), Counting()
    slow.gate.clear()
    running = asyncio.create_task(paused.run("count", slow))
    await until(lambda: _is_running(other), "the job's beginning")
    await until(lambda: _finished(other, "count", work), "the other worker's end")
    slow.gate.set()
    assert await running is None
    assert (slow.done, slow.closed) == ([0], True)
    progress = await other.progress("count")
    assert progress is not None
    assert (progress.status, progress.done) == (JobStatus.DONE, 40)


async def test_a_lease_is_kept_while_a_chunk_takes_its_time(open_leases: Callable[[], Awaitable[Leases]]) -> None:
    renewing, other = Renewing(await open_leases()), Jobs(await open_leases(), lease=LONG)
    slow, work = Counting(), Counting()
    slow.gate.clear()
    running = asyncio.create_task(Jobs(renewing, lease=1.0).run("count", slow))
    await until(lambda: renewing.renewals >= 5, "renewals over more than the lease's time")
    assert await other.run("count", work) is None
    slow.gate.set()
    done = await running
    assert done is not None
    assert (done.status, work.done) == (JobStatus.DONE, [])


async def _is_running(jobs: Jobs) -> bool:
    progress = await jobs.progress("count")
    return progress is not None and progress.status is JobStatus.RUNNING


async def test_a_cancelled_job_stops_at_its_next_chunk_and_stays_cancelled(
    open_leases: Callable[[], Awaitable[Leases]],
) -> None:
    jobs, elsewhere = Jobs(await open_leases(), lease=LONG), Jobs(await open_leases(), lease=LONG)
    work = Counting()
    assert not await elsewhere.cancel("count")
    work.gate.clear()
    running = asyncio.create_task(jobs.run("count", work))
    await until(lambda: _is_running(elsewhere), "the job's beginning")
    assert await elsewhere.cancel("count")
    work.gate.set()
    assert await running is None
    assert work.done == [0]
    assert await jobs.run("count", work) is None
    assert not await jobs.cancel("count")
    progress = await jobs.progress("count")
    assert progress is not None
    assert progress.status is JobStatus.CANCELLED


async def test_a_stopped_worker_leaves_its_job_to_the_next_at_once(leases: Leases) -> None:
    jobs, work = Jobs(leases, lease=LONG), Counting()
    work.gate.clear()
    running = asyncio.create_task(jobs.run("count", work))
    await until(lambda: _is_running(jobs), "the job's beginning")
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    work.gate.set()
    assert await jobs.run("count", work) is not None
