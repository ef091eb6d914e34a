from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from services.eventplan_svc.app.reconcile import Reconcile
from services.eventplan_svc.domain.inputs import Event, Fleet, Service
from shared.schemas.event_svc.event import EventSnapshot
from shared.schemas.fleet_svc.fleet import FleetSnapshot
from shared.schemas.fleet_svc.service import ServiceSnapshot
from tests.support.clock import FixedClock
from tests.support.eventplan_processes import Home, Process, Published, state
from tests.support.snapshots import TopicBody, event, fleet, projection, service

pytestmark = pytest.mark.slow

FLEETS = [f"F{number:03d}" for number in range(40)]


@pytest.fixture
async def planned(process: Process) -> Process:
    await process.take(service(), *(fleet(fleet_id) for fleet_id in FLEETS), event())
    for fleet_id in FLEETS[:30]:
        await process.status("GatherProjectionFromUpstream", "InProgress", fleet_id)
    return process


async def test_the_sweep_writes_those_that_turned_and_no_other(
    planned: Process, clock: FixedClock, published: Published
) -> None:
    clock.set("2024-06-01T23:59:59Z")
    await planned.wiring.turn_colours()
    assert len(await published()) == 70
    clock.set("2024-06-02T00:00:01Z")
    await planned.wiring.turn_colours()
    turned = (await published())[70:]
    assert sorted(message.key for message in turned) == [f"PD2024#{fleet_id}" for fleet_id in FLEETS[:30]]
    assert {message.type for message in turned} == {"eventplan.updated"}
    assert turned[0].body()["EventMilestone"][0]["PeakReadyStatus"] == "Red"
    assert turned[0].body()["AuditMetadata"]["Message"] == "Colours of the day: GatherProjectionFromUpstream"
    for _ in range(3):
        await planned.wiring.turn_colours()
    assert len(await published()) == 100


async def test_the_sweep_catches_up_after_days_off(planned: Process, home: Home, clock: FixedClock) -> None:
    clock.set("2024-06-20T10:00:00Z")
    later = await home.process()
    await later.look()
    await later.wiring.turn_colours()
    assert (await later.plan("F000"))["VersionId"] == 3
    assert (await later.plan("F035"))["VersionId"] == 1


async def test_two_processes_that_sweep_write_each_plan_once(planned: Process, home: Home, clock: FixedClock) -> None:
    other = await home.process()
    await other.look()
    clock.set("2024-06-02T00:00:01Z")
    await planned.wiring.turn_colours()
    await other.wiring.turn_colours()
    assert {(await planned.plan(fleet_id))["VersionId"] for fleet_id in FLEETS[:30]} == {3}
    assert other.wiring.view.turning("2024-06-02") == []


async def keep(process: Process, *published: TopicBody) -> None:
    """Puts events and services into the read models, as if the process had stopped before it did what follows."""
    models = process.wiring.planner.read_models
    for topic, body in published:
        resource = topic.partition(".")[0]
        if resource == "event":
            await models.events.put([(body["EventId"], Event.of(EventSnapshot.model_validate(body)))])
        elif resource == "fleet":
            await models.fleets.put([(body["FleetId"], Fleet.of(FleetSnapshot.model_validate(body)))])
        else:
            await models.services.put([(body["ServiceId"], Service.of(ServiceSnapshot.model_validate(body)))])


async def test_what_is_missing_is_made(process: Process) -> None:
    await keep(process, event(), fleet(), service())
    assert await process.plans() == []
    assert await process.wiring.reconcile()
    assert len(await process.plans()) == 1


async def test_an_events_fault_costs_its_own_plans_alone(process: Process) -> None:
    await keep(process, service(), *map(fleet, FLEETS), event())
    broken = Event("Broken", 1, "2024-07-16", "9999-12-31", ("us-east-1",), active=True, deleted=False)
    await process.wiring.planner.read_models.events.put([("Broken", broken)])
    assert await process.wiring.reconcile()
    assert {plan["EventId"] for plan in await process.plans()} == {"PD2024"}


async def test_what_is_not_refreshed_is_refreshed(planned: Process) -> None:
    await keep(planned, service(version=2, deleted=True))
    assert await planned.wiring.reconcile()
    assert {plan["Closed"]["Reason"] for plan in await planned.plans()} == {"service FORTRESSService is deleted"}


async def test_the_reconciler_writes_nothing_where_all_is_well(planned: Process, published: Published) -> None:
    await planned.take(projection("F000"))
    before = len(await published())
    assert await planned.wiring.reconcile()
    assert len(await published()) == before
    assert state(await planned.plan("F000"), "GatherProjectionFromUpstream")[0] == "Completed"


async def test_of_several_replicas_one_reconciles_every_ten_minutes(home: Home) -> None:
    real = 1_000_000.0
    jobs = [job(await home.process(), lambda: real) for _ in range(3)]
    for minute in range(60):
        real = 1_000_000.0 + 60 * minute
        assert sum([await job() for job in jobs]) == (minute % 10 == 0), f"minute {minute}"


async def test_of_replicas_that_start_at_once_one_reconciles(home: Home) -> None:
    jobs = [job(await home.process(), lambda: 1_000_000.0) for _ in range(3)]
    assert sorted(await asyncio.gather(*(job() for job in jobs))) == [False, False, True]


async def test_a_process_that_starts_again_reconciles_within_a_minute_or_so(home: Home) -> None:
    real = 1_000_000.0
    assert await job(await home.process(), lambda: real)()
    real += 5
    again = job(await home.process(), lambda: real)
    assert not await again(), "it was done half a minute ago"
    real += 60
    assert await again()
    real += 60
    assert not await again()


def job(process: Process, real_time: Callable[[], float]) -> Reconcile:
    one = process.wiring
    return Reconcile(
        process.store.leases(),
        planner=one.planner,
        view=one.view,
        real_time=real_time,
    )
