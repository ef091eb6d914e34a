"""Which fleets a run takes when services or fleets are named, how runs are listed, and how their progress is shown."""

from __future__ import annotations

from datetime import timedelta

import pytest

from services.hotw_svc.adapters import tables as t
from services.hotw_svc.app.runs.work_run import work_chunk
from shared.errors import Conflict, NotFound
from shared.schemas.hotw_svc import RunStatus
from tests.support.hotw_store import EVENT, Replica, counted, event_body, fleet_body, many, service_body, snapshot

pytestmark = pytest.mark.slow


async def fleets_of(hotw: Replica, run_id: int) -> set[str]:
    """The fleets that have an execution in the run."""
    found = set()
    for n in range(10):
        for execution in await hotw.executions(f"Fleet-{n}"):
            if execution["RunId"] == run_id:
                found.add(execution["FleetId"])
    return found


async def test_a_run_of_services_takes_their_fleets_and_those_named_besides(hotw: Replica) -> None:
    await many(hotw, 10)
    far = fleet_body("Fleet-7", "Service-1", 6, configuration={"Region": "ap-south-1"})
    await hotw.keep("fleet", snapshot("Fleet-7", far))
    run = await hotw.run(ServiceIds=["Service-1", "Service-1"])
    assert (run["Fleets"], run["ByStatus"]) == (4, {"Success": 4})
    assert await fleets_of(hotw, run["RunId"]) == {"Fleet-5", "Fleet-6", "Fleet-8", "Fleet-9"}
    both = await hotw.run(ServiceIds=["Service-1"], FleetIds=["Fleet-2", "Fleet-7", "Fleet-8"])
    assert (both["Fleets"], both["ByStatus"]) == (6, {"Fail": 1, "Success": 5})
    assert await fleets_of(hotw, both["RunId"]) == {f"Fleet-{n}" for n in (2, 5, 6, 7, 8, 9)}


async def test_a_named_service_that_is_not_registered_is_refused_by_name(hotw: Replica) -> None:
    """7.0.16b; one that is not known or deleted is 404."""
    await hotw.settle_in()
    await hotw.keep("service", snapshot("Other", service_body("Other", ServiceType="Onboarding")))
    await hotw.keep("service", snapshot("Gone", service_body("Gone"), deleted=True))
    with pytest.raises(Conflict, match="Other is Onboarding"):
        await hotw.start(ServiceIds=["FORTRESSService", "Other"])
    with pytest.raises(NotFound, match="no service Gone, Never"):
        await hotw.start(ServiceIds=["FORTRESSService", "Gone", "Never"])
    assert await counted(hotw, t.hotw_run) == 0


async def test_runs_are_listed_newest_first_by_event_and_status(hotw: Replica) -> None:
    await many(hotw, 2)
    await hotw.keep("event", snapshot("PD2025", event_body(EventId="PD2025")))
    done = (await hotw.run())["RunId"]
    cancelled = (await hotw.start())["RunId"]
    await hotw.cancel(cancelled)
    other = (await hotw.start(EventId="PD2025"))["RunId"]
    running = (await hotw.start())["RunId"]

    async def listed(
        event_id: str | None = None, status: RunStatus | None = None, before: int | None = None
    ) -> list[int]:
        page = await hotw.queries.runs(event_id=event_id, status=status, before=before, limit=3, now=hotw.clock.now())
        return [run["RunId"] for run in page.items]

    assert await listed() == [running, other, cancelled]
    assert await listed(before=cancelled) == [done]
    assert await listed(EVENT) == [running, cancelled, done]
    assert await listed(EVENT, RunStatus.RUNNING) == [running]
    assert await listed("PD2025", RunStatus.CANCELLED) == []
    assert await listed("Never") == []


async def test_the_progress_of_a_run_is_shown_while_it_runs_and_kept_when_it_ends(hotw: Replica) -> None:
    """7.13.6"""
    await many(hotw, 10)
    run_id = (await hotw.start())["RunId"]
    hotw.clock.advance(timedelta(seconds=2))
    await work_chunk(hotw.store, hotw.clock, run_id, limit=4)
    half = await hotw.read_run(run_id)
    assert (half["Progress"], half["FleetsPerSecond"], half["RemainingSeconds"]) == (0.4, 2.0, 3)
    hotw.clock.advance(timedelta(seconds=300))
    stalled = await hotw.read_run(run_id)
    assert (stalled["Progress"], stalled["FleetsPerSecond"], stalled["RemainingSeconds"]) == (0.4, 0.0, None)
    hotw.clock.advance(timedelta(seconds=98))
    await hotw.work(run_id)
    whole = await hotw.read_run(run_id)
    assert (whole["Progress"], whole["FleetsPerSecond"], whole["RemainingSeconds"]) == (1.0, 0.03, 0)
    assert (whole["Executions"], whole["ByStatus"], whole["OrderedHosts"]) == (10, {"Success": 10}, 370)
    async with hotw.database.engine.begin() as connection:
        await connection.execute(t.hotw_execution.delete())
    assert await hotw.read_run(run_id) == whole
