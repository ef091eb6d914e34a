"""BAUHostJobs that fall due, each slot once, and the BAU dashboard (4.560 to 4.564)."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

from services.fleet_svc.app.publish_due_jobs import DueJobs
from shared.documents.sqlite import SqliteStore
from shared.schemas.fleet_svc.bau_host_job import BAU_HOST_JOB, BAUHostJobDue
from tests.support.clock import FixedClock
from tests.support.fixtures import Published
from tests.support.fleet import BARE, ok
from tests.support.http import pointers

pytestmark = pytest.mark.slow

JOB = {"JobId": "J1", "FleetId": "F1", "Schedule": "0 * * * *", "TargetHosts": 150}


@pytest.fixture
async def http(http: httpx.AsyncClient) -> httpx.AsyncClient:
    await ok(http.post("/fleet", json=BARE))
    return http


@pytest.fixture
def processes(store: SqliteStore, clock: FixedClock) -> list[DueJobs]:
    jobs = store.documents(BAU_HOST_JOB.topic)
    return [DueJobs(jobs, clock) for _ in range(3)]


async def due(published: Published) -> list[str]:
    """The slots that were published, to the minute; each has an id of its own."""
    messages = [one for one in await published() if one.topic == "bauhostjob.due"]
    assert len({one.id for one in messages}) == len(messages)
    facts = [BAUHostJobDue.model_validate(one.body()) for one in messages]
    return [f"{fact.due_at:%d %H:%M}" for fact in facts]


async def look(processes: list[DueJobs]) -> None:
    await asyncio.gather(*(one.publish() for one in processes))


async def test_a_slot_is_published_once_whatever_number_of_processes_looks(
    http: httpx.AsyncClient, processes: list[DueJobs], clock: FixedClock, published: Published
) -> None:
    """4.561."""
    await ok(http.post("/bauhostjob", json=JOB))
    for instant in ("2024-06-15T09:59:59Z", "2024-06-15T10:00:00Z", "2024-06-15T10:00:20Z", "2024-06-15T11:00:10Z"):
        clock.set(instant)
        await look(processes)
        await look(processes)
    assert await due(published) == ["15 10:00", "15 11:00"]


async def test_missed_slots_become_one_and_those_of_before_a_day_none(
    http: httpx.AsyncClient, processes: list[DueJobs], clock: FixedClock, published: Published
) -> None:
    """As 7.0.11."""
    await ok(http.post("/bauhostjob", json=JOB))
    await ok(http.post("/bauhostjob", json={**JOB, "JobId": "J2", "Schedule": "0 12 16 * *"}))
    clock.set("2024-06-20T14:30:00Z")
    await look(processes)
    await look(processes)
    assert await due(published) == ["20 14:00"]


async def test_a_slot_that_has_come_is_published_although_the_job_was_changed_since(
    http: httpx.AsyncClient, processes: list[DueJobs], clock: FixedClock, published: Published
) -> None:
    await ok(http.post("/bauhostjob", json=JOB))
    clock.set("2024-06-15T10:00:05Z")
    await ok(http.put("/bauhostjob/J1", json={"TargetHosts": 160}))
    await look(processes)
    assert await due(published) == ["15 10:00"]


async def test_another_schedule_and_one_enabled_again_begin_at_the_change(
    http: httpx.AsyncClient, processes: list[DueJobs], clock: FixedClock, published: Published
) -> None:
    await ok(http.post("/bauhostjob", json={**JOB, "Enabled": False}))
    clock.set("2024-06-15T10:30:00Z")
    await look(processes)
    enabled = await ok(http.put("/bauhostjob/J1", json={"Enabled": True}))
    assert enabled["ScheduledSince"] == "2024-06-15T10:30:00.000Z"
    await look(processes)
    clock.set("2024-06-15T11:05:00Z")
    await ok(http.put("/bauhostjob/J1", json={"Schedule": "0 10 * * *", "TimeZone": "Europe/Berlin"}))
    await look(processes)
    assert await due(published) == []
    clock.set("2024-06-16T08:00:00Z")
    await look(processes)
    assert await due(published) == ["16 08:00"]


async def test_the_last_slot_is_outside_the_versions(
    http: httpx.AsyncClient, processes: list[DueJobs], clock: FixedClock
) -> None:
    first = await http.post("/bauhostjob", json=JOB)
    clock.set("2024-06-15T10:00:00Z")
    await look(processes)
    read = await http.get("/bauhostjob/J1")
    assert (read.json()["LastDueAt"], read.json()["VersionId"]) == ("2024-06-15T10:00:00.000Z", 1)
    assert (await http.put("/bauhostjob/J1", json=read.json(), headers={"If-Match": first.headers["etag"]})).is_success


async def test_a_deleted_job_falls_due_no_more(
    http: httpx.AsyncClient, processes: list[DueJobs], clock: FixedClock, published: Published
) -> None:
    await ok(http.post("/bauhostjob", json=JOB))
    await look(processes)
    await ok(http.delete("/bauhostjob/J1"))
    clock.set("2024-06-15T12:00:00Z")
    await look(processes)
    assert await due(published) == []


async def test_a_bad_schedule_is_named_with_its_field_at_creation_and_change(http: httpx.AsyncClient) -> None:
    for given, named in (({"Schedule": "61 * * * *"}, "/Schedule"), ({"TimeZone": "Mars/Olympus"}, "/TimeZone")):
        assert pointers(await http.post("/bauhostjob", json={**JOB, **given})) == [named]
    await ok(http.post("/bauhostjob", json=JOB))
    answer = await http.put("/bauhostjob/J1", json={"Schedule": "0 0 30 2 *"})
    assert (answer.status_code, pointers(answer)) == (400, ["/Schedule"])


async def test_the_dashboard_has_what_each_fleet_needs_and_has_and_when_its_jobs_fall_due(
    http: httpx.AsyncClient,
) -> None:
    """4.564; 7.4 with BAUTPM as PeakTPM: 50,000 × 1.1 / 250 is 220."""
    service = {"ServiceId": "S1", "ServiceType": "Registered", "Owner": "ann", "Philosophy": {"MinHosts": 10}}
    await ok(http.post("/service", json=service))
    await ok(http.put("/fleet/F1", json={"FleetConfiguration": {"BufferPercentage": 10}}))
    await ok(http.put("/fleet/F1/inventory", json={"HostsPresent": 180}))
    asgs = [{"AutoScalingGroupName": "a", "AvailabilityZone": "us-east-1a", "DesiredCapacity": 7}]
    other = {**BARE["FleetConfiguration"], "ASGProperties": asgs}
    await ok(http.post("/fleet", json={**BARE, "FleetId": "F2", "FleetConfiguration": other}))
    await ok(http.post("/fleet", json={**BARE, "FleetId": "F3", "ServiceId": "S2"}))
    await ok(http.post("/bauhostjob", json={**JOB, "TimeZone": "Europe/Berlin", "Schedule": "0 9 * * 1-5"}))
    await ok(http.post("/bauhostjob", json={**JOB, "JobId": "J2", "Enabled": False}))
    series = {f"{place // 60:02d}:{place % 60:02d}": 50000 for place in range(1440)}
    await ok(http.post("/traffic", json={"FleetId": "F1", "Date": "2024-06-14", "Series": series, "Source": "Axon"}))
    shown = await ok(http.get("/bau/dashboard/S1"))
    assert shown == {
        "ServiceId": "S1",
        "Fleets": [
            {
                "FleetId": "F1",
                "BAUTPM": 50000,
                "RequiredHosts": 220,
                "HostsPresent": 180,
                "Jobs": [{"JobId": "J1", "NextDueAt": "2024-06-17T07:00:00.000Z"}, {"JobId": "J2"}],
            },
            {"FleetId": "F2", "HostsPresent": 7, "Jobs": []},
        ],
        "Totals": {"BAUTPM": 50000, "RequiredHosts": 220, "HostsPresent": 187},
    }
    await ok(http.post("/philosophy", json=_philosophy(HeadroomPercentage=20, MaxHosts=230)))
    assert await required(http) == [230, None]  # 264 with the headroom, and at most 230
    await ok(http.put("/philosophy/S1", json={"CapacityStrategy": "Fixed", "MinHosts": 25}))
    assert await required(http) == [25, 25]
    assert (await http.get("/bau/dashboard/S9")).status_code == 404


async def required(http: httpx.AsyncClient) -> list[int | None]:
    return [fleet.get("RequiredHosts") for fleet in (await ok(http.get("/bau/dashboard/S1")))["Fleets"]]


def _philosophy(**more: Any) -> dict[str, Any]:
    return {"ServiceId": "S1", "CapacityStrategy": "PerformanceBased", **more}
