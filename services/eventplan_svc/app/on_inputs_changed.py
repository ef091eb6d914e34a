"""Use cases: what plans are computed from has changed. Each keeps what is new, makes the plans that are due now, and
refreshes those that were there. Idempotent.

A change comes with the trace of what it causes. No plan can be made of an older version than a resource's first, so a
first version of an event or fleet has no plans to refresh.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from services.eventplan_svc.app.downstream_services import follow_fleets, follow_mails, follow_projections
from services.eventplan_svc.app.planner import Planner
from services.eventplan_svc.app.read_models import ReadModels
from services.eventplan_svc.app.readiness_view import ReadinessView
from services.eventplan_svc.domain.downstream import Pair, tpm_mails
from services.eventplan_svc.domain.facts import AppliedLimits, BAUTraffic, Hardware, Limits, Projection, TPMMail
from services.eventplan_svc.domain.inputs import Event, Fleet, Organization, Service
from services.eventplan_svc.domain.plan import plan_id
from shared.clock import Clock
from shared.schemas.base import WireModel
from shared.schemas.event_svc.event import EventSnapshot
from shared.schemas.fleet_svc.fleet import FleetSnapshot
from shared.schemas.fleet_svc.organization import OrganizationSnapshot
from shared.schemas.fleet_svc.projection import ProjectionSnapshot
from shared.schemas.fleet_svc.service import ServiceSnapshot
from shared.schemas.fleet_svc.throttling import ThrottlingApplied, ThrottlingSnapshot
from shared.schemas.fleet_svc.traffic import BAUChanged
from shared.schemas.hotw_svc import HardwareFact, Purpose
from shared.schemas.notify_svc.notification import NotificationSnapshot
from shared.trace import Trace


async def on_event_changed(snapshot: EventSnapshot, trace: Trace, *, planner: Planner) -> None:
    """An event was created, changed or deleted. An older version than the one that is kept changes nothing."""
    read_models = planner.read_models
    since = await read_models.generation()
    event = Event.of(snapshot)
    if not await read_models.events.consume([(event.event_id, event)], planner.clock.now()):
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
    await read_models.fleets.consume(((fleet.fleet_id, fleet) for fleet, _ in changed), planner.clock.now())
    upstreams = await follow_fleets(traces, read_models=read_models)
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
    of_upstreams = await _plans_of(dict.fromkeys(upstreams, trace), read_models)
    await planner.refresh({**of_upstreams, **refreshing})


async def on_services_changed(
    changes: Sequence[tuple[ServiceSnapshot, Trace]], *, planner: Planner, view: ReadinessView
) -> None:
    """Services were created, changed or deleted."""
    traces = {snapshot.service_id: trace for snapshot, trace in changes}
    services = [Service.of(snapshot) for snapshot, _ in changes]
    read_models = planner.read_models
    since = await read_models.generation()
    await read_models.services.consume(((service.service_id, service) for service in services), planner.clock.now())
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


async def on_organizations_changed(
    snapshots: Sequence[OrganizationSnapshot], *, read_models: ReadModels, view: ReadinessView, clock: Clock
) -> None:
    """Organizations were created, changed or deleted. No plan goes by them; the dashboards do."""
    organizations = [Organization.of(snapshot) for snapshot in snapshots]
    await read_models.organizations.consume(((one.organization_id, one) for one in organizations), clock.now())
    for organization in organizations:
        view.put_organization(organization)


async def on_facts_changed(changes: Sequence[tuple[WireModel, Trace]], *, planner: Planner) -> None:
    """Projections, limits or traffic changed, limits were applied, HOTW executed or ordered, mails were sent.

    All of them write a plan together, once. Facts are kept also for plans that are not made yet. Only projections of
    type Peak and mails with a TPM matter. A change of the downstream services, and of their mails, concerns every plan
    of the upstream service for the event; the traffic of a fleet outside events concerns all its plans.
    """
    facts, traces, of_fleets = _Facts(), dict[str, Trace](), dict[str, Trace]()
    upstreams: dict[Pair, Trace] = {}
    for fact, trace in changes:
        match fact:
            case ProjectionSnapshot(projection_type="Peak"):
                facts.projections.append((key := plan_id(fact.event_id, fact.fleet_id), Projection.of(fact)))
            case HardwareFact(purpose=Purpose.UPSCALING):
                facts.hardware.append((key := plan_id(fact.event_id, fact.fleet_id), Hardware.of(fact)))
            case HardwareFact(purpose=Purpose.DESCALING):
                facts.descale.append((key := plan_id(fact.event_id, fact.fleet_id), Hardware.of(fact)))
            case BAUChanged():
                facts.bau_traffic.append((fact.fleet_id, BAUTraffic.of(fact)))
                of_fleets[fact.fleet_id] = trace
                continue
            case ThrottlingSnapshot():
                facts.limits.append((key := plan_id(fact.event_id, fact.fleet_id), Limits.of(fact)))
            case ThrottlingApplied():
                facts.applied.append((key := plan_id(fact.event_id, fact.fleet_id), AppliedLimits.of(fact)))
            case NotificationSnapshot(event_id=str(event_id), upstream_service_id=str(upstream_id)):
                upstreams[event_id, upstream_id] = trace
                for peak_tpm, mail in tpm_mails(fact):
                    facts.mails.setdefault(((event_id, upstream_id), peak_tpm), []).append(mail)
                continue
            case _:
                continue
        traces[key] = trace
    changed = await _keep(facts, planner.read_models)
    _, trace = changes[-1]
    upstreams |= dict.fromkeys(changed - upstreams.keys(), trace)
    if of_fleets:
        events = await planner.read_models.all_events()
        traces = {plan_id(one.event_id, name): of for one in events for name, of in of_fleets.items()} | traces
    await planner.refresh({**await _plans_of(upstreams, planner.read_models), **traces})


@dataclass(frozen=True, slots=True)
class _Facts:
    """Facts of one batch by EventPlanId, traffic by FleetId, and mails by event, upstream service and TPM."""

    projections: list[tuple[str, Projection]] = field(default_factory=list)
    hardware: list[tuple[str, Hardware]] = field(default_factory=list)
    limits: list[tuple[str, Limits]] = field(default_factory=list)
    applied: list[tuple[str, AppliedLimits]] = field(default_factory=list)
    descale: list[tuple[str, Hardware]] = field(default_factory=list)
    bau_traffic: list[tuple[str, BAUTraffic]] = field(default_factory=list)
    mails: dict[tuple[Pair, int], list[TPMMail]] = field(default_factory=dict)


async def _keep(facts: _Facts, read_models: ReadModels) -> set[Pair]:
    """Keeps the facts; gives the events and upstream services whose downstream services changed."""
    await read_models.projections.put(facts.projections)
    await read_models.hardware.put(facts.hardware)
    await read_models.limits.put(facts.limits)
    await read_models.applied.put(facts.applied)
    await read_models.descale.put(facts.descale)
    await read_models.bau_traffic.put(facts.bau_traffic)
    if facts.mails:
        await follow_mails(facts.mails, read_models=read_models)
    return await follow_projections(facts.projections, read_models=read_models) if facts.projections else set()


async def _plans_of(upstreams: Mapping[Pair, Trace], read_models: ReadModels) -> dict[str, Trace]:
    """The plans of services for events, each with its trace."""
    if not upstreams:
        return {}
    fleets: dict[str, list[str]] = {}
    for fleet in await read_models.fleets_of({service_id for _, service_id in upstreams}):
        fleets.setdefault(fleet.service_id, []).append(fleet.fleet_id)
    return {
        plan_id(event_id, fleet_id): trace
        for (event_id, service_id), trace in upstreams.items()
        for fleet_id in fleets.get(service_id, ())
    }
