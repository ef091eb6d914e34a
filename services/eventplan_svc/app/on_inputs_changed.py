"""Use cases: what plans are computed from has changed. Each keeps what is new, makes the plans that are due now, and
refreshes those that were there. Idempotent.

A change comes with the trace of what it causes. No plan can be made of an older version than a resource's first, so a
first version of an event or fleet has no plans to refresh.
"""

from __future__ import annotations

from collections.abc import Sequence

from services.eventplan_svc.app.planner import Planner
from services.eventplan_svc.app.readiness_view import ReadinessView
from services.eventplan_svc.domain.facts import Hardware, Projection
from services.eventplan_svc.domain.inputs import Event, Fleet, Service
from services.eventplan_svc.domain.plan import plan_id
from shared.schemas.base import WireModel
from shared.schemas.event_svc.event import EventSnapshot
from shared.schemas.fleet_svc.fleet import FleetSnapshot
from shared.schemas.fleet_svc.projection import ProjectionSnapshot
from shared.schemas.fleet_svc.service import ServiceSnapshot
from shared.schemas.hotw_svc import HardwareFact, Purpose
from shared.trace import Trace


async def on_event_changed(snapshot: EventSnapshot, trace: Trace, *, planner: Planner) -> None:
    """An event was created, changed or deleted. An older version than the one that is kept changes nothing."""
    read_models = planner.read_models
    since = await read_models.generation()
    event = Event.of(snapshot)
    if not await read_models.events.put([(event.event_id, event)]):
        return
    await planner.plan_event(event, trace, since=since)
    if event.version > 1:
        async for fleets in read_models.fleets.pages():
            traces = {plan_id(event.event_id, fleet.fleet_id): trace for fleet in fleets}
            await planner.refresh(traces)


async def on_fleets_changed(
    changes: Sequence[tuple[FleetSnapshot, Trace]], *, planner: Planner, view: ReadinessView
) -> None:
    """Fleets were created, changed or deleted. A fleet's line for an event changes nothing that a plan goes by."""
    changed = [(Fleet.of(snapshot), trace) for snapshot, trace in changes if snapshot.event_id is None]
    traces = {fleet.fleet_id: trace for fleet, trace in changed}
    read_models = planner.read_models
    since = await read_models.generation()
    await read_models.fleets.put((fleet.fleet_id, fleet) for fleet, _ in changed)
    for fleet, _ in changed:
        view.put_fleet(fleet)
    events = await read_models.all_events() if changed else []
    if not events:
        return
    fleets = list((await read_models.fleets.get_many(traces)).values())
    _, trace = changed[-1]
    await planner.plan_fleets(fleets, events, trace, since=since)
    later = sorted({fleet.fleet_id for fleet, _ in changed if fleet.version > 1})
    refreshing = {plan_id(event.event_id, fleet_id): traces[fleet_id] for event in events for fleet_id in later}
    await planner.refresh(refreshing)


async def on_services_changed(
    changes: Sequence[tuple[ServiceSnapshot, Trace]], *, planner: Planner, view: ReadinessView
) -> None:
    """Services were created, changed or deleted."""
    traces = {snapshot.service_id: trace for snapshot, trace in changes}
    services = [Service.of(snapshot) for snapshot, _ in changes]
    read_models = planner.read_models
    since = await read_models.generation()
    await read_models.services.put((service.service_id, service) for service in services)
    for service in services:
        view.put_service(service)
    events = await read_models.all_events()
    if not events:
        return
    fleets = await read_models.fleets_of(traces)
    if not fleets:
        return
    _, trace = changes[-1]
    await planner.plan_fleets(fleets, events, trace, since=since)
    refreshing = {
        plan_id(event.event_id, fleet.fleet_id): traces[fleet.service_id] for event in events for fleet in fleets
    }
    await planner.refresh(refreshing)


async def on_facts_changed(changes: Sequence[tuple[WireModel, Trace]], *, planner: Planner) -> None:
    """Projections changed, or HOTW executed, ordered or delivered for fleets. Both write a plan together, once.

    Facts are kept also for plans that are not made yet. Only projections of type Peak and hardware of upscaling matter.
    """
    projections: list[tuple[str, Projection]] = []
    hardware: list[tuple[str, Hardware]] = []
    traces: dict[str, Trace] = {}
    for fact, trace in changes:
        match fact:
            case ProjectionSnapshot(projection_type="Peak"):
                key = plan_id(fact.event_id, fact.fleet_id)
                projections.append((key, Projection.of(fact)))
            case HardwareFact(purpose=Purpose.UPSCALING):
                key = plan_id(fact.event_id, fact.fleet_id)
                hardware.append((key, Hardware.of(fact)))
            case _:
                continue
        traces[key] = trace
    await planner.read_models.projections.put(projections)
    await planner.read_models.hardware.put(hardware)
    await planner.refresh(traces)
