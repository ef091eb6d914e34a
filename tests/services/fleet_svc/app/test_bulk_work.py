"""The worker of bulk jobs: what a crash, another worker, a cancellation and a large body come to."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import Any

import orjson
import pytest

from services.fleet_svc.app.bulk import bulk_store
from services.fleet_svc.app.bulk.bulk_store import new_upload
from services.fleet_svc.app.bulk.start_bulk_job import NDJSON, NewBulkJob, start_bulk_job
from services.fleet_svc.app.bulk.write_rows import RowCommand, Send
from shared.errors import BadInput, Conflict, NotFound, Refused, Unavailable
from shared.schemas.fleet_svc.bulk_job import BulkMode
from tests.support.bulk_jobs import EventService, Process
from tests.support.document_stores import cause

pytestmark = pytest.mark.slow


def failing_at(send: Send, place: int) -> Send:
    async def fail(row: RowCommand) -> None:
        if row.id.endswith(f":{place}"):
            raise Unavailable("the process dies here")
        await send(row)

    return fail


@pytest.mark.parametrize("where", ["row", "show", "keep_failures"])
async def test_a_job_goes_on_where_its_worker_died(
    processes: list[Process], where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """4.595, 4.596: a row that were applied twice would be refused, because it creates."""
    first, second, _ = processes
    await first.begin(1, name="S7-")
    await first.work()
    job_id = await first.begin(35, name="S7-")  # the first row of it fails, in the first chunk
    dying = first.work
    if where == "row":
        dying = replace(dying, own=failing_at(first.work.own, 14))
    else:

        async def fail(*_: Any) -> None:
            raise RuntimeError("the process dies here")

        monkeypatch.setattr(first.jobs, where, fail)
    with suppress(Unavailable):
        assert await dying() is False
    assert (await first.shown(job_id))["Status"] == "Running"
    assert await second.work() is True
    job = await second.shown(job_id)
    assert (job["Status"], job["RowsDone"], job["RowsFailed"]) == ("Done", 35, 1)
    assert [one["Row"] for one in job["Failures"]] == [1]
    documents = await second.services.latest_many([f"S7-{number}" for number in range(35)])
    assert [document.version for document in documents.values()] == [1] * 35
    assert await second.work() is False
    assert await second.store.parts().get((await second.jobs.get(job_id)).state["Upload"], 0) is None


async def upsert(process: Process, *rows: dict[str, Any], resource: str = "Service") -> str:
    """A job of these rows, begun; its id."""

    async def body() -> AsyncIterator[bytes]:
        yield b"\n".join(map(orjson.dumps, rows))

    new = NewBulkJob(resource, BulkMode.UPSERT, False, NDJSON)
    return (await start_bulk_job(new, body(), cause(), jobs=process.jobs, wake=lambda: None)).document.key


async def test_an_upsert_changes_what_was_made_since_it_looked(processes: list[Process]) -> None:
    """Two jobs race to make a key; the row of the later one is applied once, also by a worker that goes on with it."""
    first, second, _ = processes
    row = {"ServiceId": "S1", "ServiceType": "Registered", "Owner": "ann@example.com", "LeaderAlias": "ann"}
    job_id = await upsert(first, row)
    made = {**row, "LeaderAlias": "bob"}

    async def racing(command: RowCommand) -> None:
        if command.id.endswith(":create"):
            await first.work.own(replace(command, id="another job", fields=made))
        await first.work.own(command)
        if command.id.endswith(":update"):
            after = {"ServiceId": "S1", "LeaderAlias": "cid"}
            await first.work.own(replace(command, id="a third job", fields=after))
            raise Unavailable("the process dies here")

    with suppress(Unavailable):
        await replace(first.work, own=racing)()
    assert await second.work() is True
    job = await second.shown(job_id)
    assert (job["Status"], job["RowsDone"], job["RowsFailed"]) == ("Done", 1, 0)
    document = await second.services.latest("S1")
    assert document is not None
    assert (document.version, document.state["LeaderAlias"]) == (3, "cid")


@pytest.mark.parametrize(
    ("refused", "shown"),
    [
        ({"1": NotFound("none"), "1:create": Conflict("there", slug="exists")}, None),
        ({"1": NotFound("no parent"), "1:create": Conflict("", slug="exists"), "1:update": NotFound("no parent")}, 404),
        ({"1": NotFound("none"), "1:create": NotFound("no parent")}, 404),
        ({"1": NotFound("none"), "1:create": BadInput("bad")}, 400),
        ({"1": Conflict("no change now")}, 409),
    ],
)
async def test_a_row_of_another_service_shows_the_refusal_of_its_last_command(
    processes: list[Process], refused: dict[str, Refused], shown: int | None
) -> None:
    """Where a document is there that somebody made meanwhile, or that names a missing one, it is changed."""
    process = processes[0]
    job_id = await upsert(process, {"EventId": "E1", "EventName": "Sale"}, resource="Event")
    sent = []

    async def answer(row: RowCommand) -> None:
        name = row.id.removeprefix(f"{job_id}:")
        sent.append((name, row.model.__name__))
        if name in refused:
            raise refused[name]

    assert await replace(process.work, answers=EventService(answer), of_others=True)() is True
    commands = [("1", "UpdateEvent"), ("1:create", "CreateEvent"), ("1:update", "UpdateEvent")]
    assert sent == commands[: 3 if shown is None else len(refused)]
    failures = (await process.shown(job_id))["Failures"]
    assert [(one["Status"], one["Reason"]) for one in failures] == (
        [] if shown is None else [(shown, list(refused.values())[-1].detail)]
    )


async def test_several_workers_write_each_row_once(processes: list[Process]) -> None:
    jobs = [await processes[0].begin(30, name=f"J{number}-") for number in range(4)]

    async def work(process: Process) -> None:
        while await process.jobs.open(own=True):
            await process.work()
            await asyncio.sleep(0)

    await asyncio.gather(*map(work, processes))
    shown = [await processes[1].shown(job_id) for job_id in jobs]
    assert [(job["Status"], job["RowsDone"], job["RowsFailed"]) for job in shown] == [("Done", 30, 0)] * 4
    assert sum(len(process.sent) for process in processes) == 120


async def test_what_nobody_needs_any_more_is_swept(processes: list[Process], monkeypatch: pytest.MonkeyPatch) -> None:
    process, parts = processes[0], processes[0].store.parts()
    await process.begin(1, name="F")
    await process.work()
    failed = await process.begin(1, name="F")  # is there already
    await process.work()
    waiting = await process.begin(1)
    await parts.put(new_upload(), 0, b"broken off")
    await parts.put("of/something-else", 0, b"")
    await process.jobs.sweep()
    assert len(await parts.names("")) == 4
    monkeypatch.setattr(bulk_store, "UPLOAD_KEPT", timedelta(seconds=-1))
    await process.jobs.sweep()
    upload = (await process.jobs.get(waiting)).state["Upload"]
    assert sorted(await parts.names("")) == sorted([f"bulkjob/{failed}/failures", upload, "of/something-else"])
    monkeypatch.setattr(bulk_store, "FAILURES_KEPT", timedelta(seconds=-1))
    await process.jobs.sweep()
    assert sorted(await parts.names("")) == sorted([upload, "of/something-else"])
    assert (await process.shown(failed))["RowsFailed"] == 1
    assert await process.work() is True


async def test_an_unexpected_error_fails_its_row_and_no_other(processes: list[Process]) -> None:
    process = processes[0]
    job_id = await process.begin(25)

    async def failing(row: RowCommand) -> None:
        if row.id.endswith(":7"):
            raise RuntimeError("a defect")
        await process.work.own(row)

    assert await replace(process.work, own=failing)() is True
    job = await process.shown(job_id)
    assert (job["RowsDone"], job["FailedByType"]) == (25, {"internal": 1})
    assert [(one["Row"], one["Key"], one["Status"]) for one in job["Failures"]] == [(7, "S6", 500)]


@pytest.mark.parametrize(
    "row",
    [
        b'{"ServiceId": "a b", "Owner": 7}',
        b'{"ServiceId": "' + b"x" * 5_000 + b'"}',
        b'{"ServiceId": "S", "Owner": "\\ud800"}',
        b'{"ServiceId": "S", "Owner": ["\\ud800"]}',
        b'{"ServiceId": 7, "Owner": 1e400}',
        b'{"ServiceId": "S", "Owner": ' + b"[" * 300 + b"]" * 300 + b"}",
        b"\xff\xfe",
        b'{"ServiceId": "S", "Owner": "' + b"\\u0001" * 100_000 + b'"}',
    ],
)
async def test_whatever_is_in_a_row_it_is_named_and_ends_no_job(processes: list[Process], row: bytes) -> None:
    process = processes[0]

    async def body() -> AsyncIterator[bytes]:
        yield row

    new = NewBulkJob("Service", BulkMode.UPSERT, False, NDJSON)
    written = await start_bulk_job(new, body(), cause(), jobs=process.jobs, wake=lambda: None)
    assert await process.work() is True
    job = await process.shown(written.document.key)
    assert (job["Status"], job["RowsFailed"], job["Failures"][0]["Status"]) == ("Done", 1, 400)


async def test_a_job_whose_body_is_lost_fails_and_says_so(processes: list[Process]) -> None:
    process = processes[0]
    job_id = await process.begin(25)
    await process.store.parts().delete((await process.jobs.get(job_id)).state["Upload"])
    assert await process.work() is True
    job = await process.shown(job_id)
    assert (job["Status"], "is gone" in job["Reason"]) == ("Failed", True)
