"""The memory that a bulk job takes."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import replace

import orjson
import pytest

from services.fleet_svc.app.bulk.bulk_store import PART_BYTES
from services.fleet_svc.app.bulk.start_bulk_job import NDJSON, NewBulkJob, start_bulk_job
from services.fleet_svc.app.bulk.write_rows import RowCommand
from shared.schemas.fleet_svc.bulk_job import BulkMode
from tests.support.bulk_jobs import Process
from tests.support.document_stores import cause

pytestmark = pytest.mark.slow


@contextmanager
def peak_below(limit: int) -> Iterator[None]:
    tracemalloc.start()
    try:
        yield
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < limit, f"{peak:,} bytes"


async def test_a_large_body_takes_a_few_mib_of_memory(processes: list[Process]) -> None:
    """The body is never in memory whole, neither while it arrives nor while its rows are written."""
    process = processes[0]
    row = orjson.dumps({"ServiceId": "S", "ServiceType": "Registered", "Owner": "a", "Fleet": "x" * 9_900}) + b"\n"

    async def body() -> AsyncIterator[bytes]:
        for _ in range(64):
            yield row * 50  # 0.5 MB, 32 MB in all

    async def count(row: RowCommand) -> None:
        process.sent.append(row.id)

    with peak_below(6 * 1_048_576):
        new = NewBulkJob("Service", BulkMode.UPDATE, False, NDJSON)
        await start_bulk_job(new, body(), cause(), jobs=process.jobs, wake=lambda: None)
        await replace(process.work, own=count, rows=500)()
    assert len(process.sent) == 3200
    assert PART_BYTES < 1_048_576


async def test_large_rows_that_are_refused_do_not_stay_in_memory(processes: list[Process]) -> None:
    """Not even until the garbage collector runs, which counts objects: a service has it run seldom."""
    process = processes[0]

    async def body() -> AsyncIterator[bytes]:
        for number in range(30):
            yield orjson.dumps({"ServiceId": f"S{number}", "Owner": "x" * 900_000}) + b"\n"

    gc.disable()
    try:
        with peak_below(24 * 1_048_576):  # a few copies of the two rows of a chunk
            new = NewBulkJob("Service", BulkMode.UPSERT, False, NDJSON)
            written = await start_bulk_job(new, body(), cause(), jobs=process.jobs, wake=lambda: None)
            await replace(process.work, rows=500)()
    finally:
        gc.enable()
    assert (await process.shown(written.document.key))["RowsFailed"] == 30
