"""What the cancellation of a bulk job comes to."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from services.fleet_svc.app.bulk import work_bulk_jobs
from services.fleet_svc.app.bulk.write_rows import RowCommand
from shared.errors import Conflict
from tests.support.bulk_jobs import Process
from tests.support.document_stores import cause

pytestmark = pytest.mark.slow


async def test_a_cancelled_job_stops_at_the_end_of_its_chunk(processes: list[Process]) -> None:
    """4.283."""
    process = processes[0]
    job_id = await process.begin(100)

    async def cancelling(row: RowCommand) -> None:
        await process.work.own(row)
        if row.id.endswith(":13"):
            await process.jobs.cancel(job_id, cause())

    await replace(process.work, own=cancelling)()
    job = await process.shown(job_id)
    assert (job["Status"], job["RowsDone"]) == ("Cancelled", 20)
    assert len(process.sent) == 20
    assert await process.work() is False


async def test_a_cancelled_job_ends_with_what_it_had_under_way(processes: list[Process]) -> None:
    """The rows under way are written and counted, none is begun any more, and only then has the job an end."""
    process, other, _ = processes
    job_id = await process.begin(10)
    under_way, go_on = asyncio.Barrier(3), asyncio.Event()

    async def slow(row: RowCommand) -> None:
        await process.work.own(row)
        await under_way.wait()
        await go_on.wait()

    work = replace(process.work, own=slow)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(work_bulk_jobs, "_AT_ONCE", 2)
        working = asyncio.create_task(work())
        await under_way.wait()
        await process.jobs.cancel(job_id, cause())
        job = await process.shown(job_id)
        assert (job["Status"], job.get("EndedAt")) == ("Cancelled", None)
        with pytest.raises(Conflict):
            await process.jobs.cancel(job_id, cause())
        seen, is_running = asyncio.Event(), process.jobs.is_running

        async def look(job_id: str) -> bool:
            seen.set()
            return await is_running(job_id)

        patch.setattr(process.jobs, "is_running", look)
        await seen.wait()
        seen.clear()
        await seen.wait()  # the first look has its outcome now
        go_on.set()
        assert await working is True
    job = await process.shown(job_id)
    assert (job["Status"], job["RowsDone"], len(process.sent), "EndedAt" in job) == ("Cancelled", 2, 2, True)
    assert await other.work() is False


async def test_a_cancelled_job_that_nobody_works_on_is_ended(processes: list[Process]) -> None:
    process = processes[0]
    job_id = await process.begin(10)
    await process.jobs.cancel(job_id, cause())
    await process.work()
    job = await process.shown(job_id)
    assert (job["Status"], job["RowsDone"], "EndedAt" in job, process.sent) == ("Cancelled", 0, True, [])
    assert await process.jobs.open(own=True) == []
