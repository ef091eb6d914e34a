"""Bulk jobs whole: from a body over HTTP, or a command, to the documents of fleet_svc and of other services."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from typing import Any

import httpx
import orjson
import pytest

from shared.messaging.transport import ensure_topics
from shared.schemas.results import Outcome
from shared.settings import Settings
from tests.support.clock import FixedClock
from tests.support.embedded_stack import Stack, open_stack
from tests.support.fleet import Both, build_event, build_fleet, ok
from tests.support.reference import EVENT
from tests.support.waiting import eventually

pytestmark = pytest.mark.embedded

CSV, NDJSON = {"content-type": "text/csv"}, {"content-type": "application/x-ndjson"}


def ndjson(rows: Iterable[Mapping[str, Any]]) -> bytes:
    return b"\n".join(map(orjson.dumps, rows))


def service(number: int, **more: Any) -> dict[str, Any]:
    return {"ServiceId": f"S{number}", "ServiceType": "Registered", "Owner": f"owner{number}@example.com", **more}


async def start(http: httpx.AsyncClient, resource: str, body: bytes, headers: dict[str, str], **query: str) -> str:
    job = await ok(http.post(f"/bulkjobs/{resource}", content=body, headers=headers, params=query))
    assert job["Status"] == "Running"
    job_id: str = job["JobId"]
    return job_id


async def ended(http: httpx.AsyncClient, job_id: str) -> dict[str, Any]:
    return await eventually(
        lambda: ok(http.get(f"/bulkjobs/{job_id}")), lambda job: job["Status"] != "Running", "the bulk job has ended"
    )


async def done(http: httpx.AsyncClient, resource: str, body: bytes, headers: dict[str, str], **query: str) -> Any:
    return await ended(http, await start(http, resource, body, headers, **query))


async def test_rows_of_one_key_are_written_in_the_order_of_the_file(stack: Both) -> None:
    """4.596a, and more rows than one chunk has."""
    rows = [service(number % 7, LeaderAlias=f"leader{number}") for number in range(1201)]
    job = await done(stack.fleet, "service", ndjson(rows), NDJSON)
    assert (job["Status"], job["RowsDone"], job["RowsFailed"]) == ("Done", 1201, 0)
    assert job["BytesRead"] >= job["Bytes"] - 1201
    history = await ok(stack.fleet.get("/service/S3/versions", params={"Limit": "200"}))
    assert [item["LeaderAlias"] for item in history["Items"]] == [
        f"leader{n}" for n in range(1200, -1, -1) if n % 7 == 3
    ]


async def test_rows_that_are_judged_by_those_before_them_are_written_one_by_one(stack: Both) -> None:
    """A tree of organizations, each below the one of the line before, and a move at the end."""
    chain = [
        {"OrganizationId": f"O{n}", "Name": f"Level {n}", **({"ParentId": f"O{n - 1}"} if n else {})} for n in range(30)
    ]
    job = await done(stack.fleet, "organization", ndjson([*chain, {"OrganizationId": "O9", "ParentId": "O2"}]), NDJSON)
    assert (job["Status"], job["RowsDone"], job["RowsFailed"]) == ("Done", 31, 0)
    assert (await ok(stack.fleet.get("/organization/O9")))["ParentId"] == "O2"
    dry = await done(
        stack.fleet, "organization", ndjson([{"OrganizationId": "O1", "ParentId": "O9"}]), NDJSON, DryRun="true"
    )
    assert (dry["RowsFailed"], (await ok(stack.fleet.get("/organization/O1")))["ParentId"]) == (1, "O0")


async def test_the_failed_rows_are_corrected_and_sent_again(stack: Both) -> None:
    """4.593, 4.284: each with its line, its pointer and its reason, as CSV that a job takes."""
    header = "ServiceId;ServiceType;Owner;Philosophy.MinHosts;Fleet"
    lines = [header, "S1;Registered;a;2;", "", "S2;Wrong;b;x;", "S3;Registered;c;;["]
    job = await done(stack.fleet, "Service", "\r\n".join(lines).encode(), CSV)
    assert (job["RowsDone"], job["RowsFailed"]) == (3, 2)
    assert [(one["Row"], one["Line"], one.get("Key"), one["Status"]) for one in job["Failures"]] == [
        (2, 4, "S2", 400),
        (3, 5, None, 400),
    ]
    assert {error["Pointer"] for error in job["Failures"][0]["Errors"]} == {"/ServiceType", "/Philosophy/MinHosts"}
    answer = await stack.fleet.get(f"/bulkjobs/{job['JobId']}/failures")
    assert answer.headers["content-type"].startswith("text/csv")
    columns, second, _ = csv.reader(io.StringIO(answer.text, newline=""))
    assert columns == ["ServiceId", "ServiceType", "Owner", "Philosophy.MinHosts", "Fleet", "_Line", "_Type", "_Reason"]
    assert job["FailedByType"] == {"bad-input": 2}
    assert second[:6] == ["S2", "Wrong", "b", "x", "", "4"]
    corrected = answer.text.replace("Wrong", "Onboarding").replace(",x,", ",3,").replace(",[,", ",[],")
    again = await done(stack.fleet, "service", corrected.encode(), CSV)
    assert (again["RowsDone"], again["RowsFailed"]) == (2, 0), again
    assert (await ok(stack.fleet.get("/service/S2")))["Philosophy"] == {"MinHosts": 3}


async def test_the_mode_decides_whether_a_row_may_make_or_change(stack: Both) -> None:
    """4.591a; an upsert need not repeat what the document has already."""
    made = await done(stack.fleet, "service", ndjson([service(1), service(1)]), NDJSON, Mode="create")
    assert [(one["Row"], one["Status"], one["Type"]) for one in made["Failures"]] == [(2, 409, "exists")]
    rows = [{"ServiceId": "S1", "LeaderAlias": "b"}, {"ServiceId": "S2", "LeaderAlias": "b"}]
    changed = await done(stack.fleet, "service", ndjson(rows), NDJSON, Mode="update")
    assert [(one["Row"], one["Status"]) for one in changed["Failures"]] == [(2, 404)]
    both = await done(stack.fleet, "service", ndjson([*rows, service(3)]), NDJSON)
    assert [(one["Row"], one["Status"]) for one in both["Failures"]] == [(2, 400)]
    assert (await ok(stack.fleet.get("/service/S1")))["VersionId"] == 2
    assert (await ok(stack.fleet.get("/service/S3")))["VersionId"] == 1


async def test_a_dry_run_finds_the_same_failures_and_writes_nothing(stack: Both) -> None:
    """4.591."""
    await done(stack.fleet, "service", ndjson([service(1)]), NDJSON)
    rows = [service(1, LeaderAlias="x"), service(2), {"ServiceId": "S3"}, service(4, ServiceTier=7)]
    job = await done(stack.fleet, "service", ndjson(rows), NDJSON, DryRun="true")
    assert job["DryRun"] is True
    assert [one["Row"] for one in job["Failures"]] == [3, 4]
    assert (await ok(stack.fleet.get("/service/S1")))["VersionId"] == 1
    assert (await stack.fleet.get("/service/S2")).status_code == 404
    fleets = [{"FleetId": "F1", "ServiceId": "S1", "FleetConfiguration": {"Region": "us-east-1"}}]
    job = await done(stack.fleet, "fleet", ndjson(fleets), NDJSON, DryRun="true")
    assert [error["Pointer"] for error in job["Failures"][0]["Errors"]] == ["/FleetConfiguration/HostThroughPutTPM"]


@pytest.mark.parametrize("mode", ["create", "upsert"])
async def test_a_dry_run_checks_the_rules_of_another_service(stack: Both, mode: str) -> None:
    """A row that does not give the whole document is checked member by member, with all that need no store."""
    dates = {"EventId": "PD2024", "PeakStartDate": EVENT["PeakEndDate"], "PeakEndDate": EVENT["PeakStartDate"]}
    partial = {"EventId": "PD2024", "EventName": "Prime Day"}
    rows = [EVENT, EVENT | dates, *([partial, dates, partial | {"EventName": 7}] if mode == "upsert" else [])]
    job = await done(stack.fleet, "event", ndjson(rows), NDJSON, Mode=mode, DryRun="true")
    pointers = [(one["Row"], [error["Pointer"] for error in one["Errors"]]) for one in job["Failures"]]
    assert pointers == [(2, ["/PeakStartDate"]), *([(5, ["/EventName"])] if mode == "upsert" else [])]


async def test_rows_of_another_service_go_as_commands(stack: Both) -> None:
    """4.594: {JobId}:{row}, and the results are the job's."""
    rows = [
        EVENT,
        {**EVENT, "EventId": "PD2025", "PeakEndDate": "wrong"},
        {"EventId": "PD2024", "EventName": "Prime Day"},
    ]
    job = await done(stack.fleet, "event", ndjson(rows), NDJSON)
    assert (job["RowsDone"], [one["Row"] for one in job["Failures"]]) == (3, [2])
    assert [error["Pointer"] for error in job["Failures"][0]["Errors"]] == ["/PeakEndDate"]
    assert (await ok(stack.event.get("/event/PD2024")))["EventName"] == "Prime Day"
    sent = [message.id for message in await stack.published("event.commands")]
    assert {name.removeprefix(job["JobId"]) for name in sent} == {":1", ":1:create", ":2", ":2:create", ":3"}


async def test_a_command_starts_a_job_and_one_cancels_it(stack: Both) -> None:
    """4.591b, 5.19."""
    body = {"Resource": "Service", "Mode": "create", "Rows": [service(1), service(2)]}
    result = await stack.ask("fleet.commands", "StartBulkJob", body)
    assert result.outcome is Outcome.ACCEPTED
    job = await ended(stack.fleet, result.id or "")
    assert (job["RowsDone"], job["RowsFailed"], job["Mode"]) == (2, 0, "create")
    late = await stack.ask("fleet.commands", "CancelBulkJob", {"JobId": result.id})
    assert (late.outcome, (late.problem or {})["status"]) == (Outcome.REFUSED, 409)
    answer = await stack.fleet.put(f"/bulkjobs/{result.id}/cancel")
    assert (answer.status_code, answer.json()["type"]) == (409, "urn:epic:problem:ended")
    assert (await stack.fleet.put("/bulkjobs/none/cancel")).status_code == 404


async def test_the_same_request_starts_one_job(stack: Both) -> None:
    headers = {**NDJSON, "idempotency-key": "k1"}
    first = await start(stack.fleet, "service", ndjson([service(1)]), headers)
    assert (await ended(stack.fleet, first))["RowsDone"] == 1
    again = await ok(stack.fleet.post("/bulkjobs/service", content=ndjson([service(1)]), headers=headers))
    assert again["JobId"] == first
    other = await stack.fleet.post("/bulkjobs/service", content=ndjson([service(2)]), headers=headers)
    assert (other.status_code, other.json()["type"]) == (409, "urn:epic:problem:id-reused")
    listed = await ok(stack.fleet.get("/bulkjobs", params={"Status": "Done"}))
    assert [job["JobId"] for job in listed["Items"]] == [first]


@pytest.mark.parametrize(
    ("path", "body", "headers", "status"),
    [
        ("/bulkjobs/nothing", b"{}", NDJSON, 404),
        ("/bulkjobs/notification", b"{}", NDJSON, 404),
        ("/bulkjobs/service", b"", NDJSON, 400),
        ("/bulkjobs/service", b"{}", {"content-type": "text/plain"}, 400),
        ("/bulkjobs/service?Mode=replace", b"{}", NDJSON, 400),
        ("/bulkjobs/service?DryRun=1", b"{}", NDJSON, 400),
        ("/bulkjobs/eventplan?Mode=update", b"{}", NDJSON, 400),
        ("/bulkjobs/inventory?Mode=create", b"{}", NDJSON, 400),
    ],
)
async def test_a_job_that_cannot_begin_is_refused(
    stack: Both, path: str, body: bytes, headers: dict[str, str], status: int
) -> None:
    answer = await stack.fleet.post(path, content=body, headers=headers)
    assert answer.status_code == status, answer.text
    assert (await ok(stack.fleet.get("/bulkjobs")))["Items"] == []


async def test_a_file_that_cannot_be_read_on_fails_with_its_line(stack: Both) -> None:
    body = b'[{"ServiceId":"S1","ServiceType":"Registered","Owner":"a"},\n{"ServiceId":'
    job = await done(stack.fleet, "service", body, {"content-type": "application/json"})
    assert (job["Status"], job["RowsDone"], job["Reason"].partition(":")[0]) == ("Failed", 1, "line 2")
    job = await done(stack.fleet, "service", b"ServiceId,Ownr\nS2,a\n", CSV)
    assert (job["Status"], job["RowsDone"]) == ("Failed", 0)
    assert "Ownr" in job["Reason"]


async def test_a_job_waits_visibly_for_a_service_that_is_away(settings: Settings, clock: FixedClock) -> None:
    """4.594: it goes on when the service is back, and can be cancelled meanwhile."""
    async with open_stack(Stack, settings, clock) as stack:
        await ensure_topics(stack.transport)
        fleet = await stack.start(build_fleet)
        waits = await start(fleet.http, "event", ndjson([EVENT]), NDJSON)
        job = await eventually(
            lambda: ok(fleet.http.get(f"/bulkjobs/{waits}")), lambda job: "WaitingFor" in job, "the job waits visibly"
        )
        assert (job["WaitingFor"]["Service"], job["WaitingFor"]["Rows"]) == ("event_svc", 1)
        other = await start(fleet.http, "event", ndjson([{**EVENT, "EventId": "PD2026"}]), NDJSON)
        assert (await ok(fleet.http.put(f"/bulkjobs/{other}/cancel")))["Status"] == "Cancelled"
        event = await stack.start(build_event)
        job = await ended(fleet.http, waits)
        assert (job["Status"], job["RowsDone"], job["RowsFailed"], job.get("WaitingFor")) == ("Done", 1, 0, None)
        assert (await event.get("/event/PD2024"))["VersionId"] == 1
        assert (await ok(fleet.http.get(f"/bulkjobs/{other}")))["Status"] == "Cancelled"
