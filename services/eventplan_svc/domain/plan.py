"""A plan's life: when it is due, how it is made, why it is closed, and how it follows its surroundings and facts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from services.eventplan_svc.domain.automation import EPIC_USER, automated
from services.eventplan_svc.domain.editing import Edit, edited
from services.eventplan_svc.domain.errors import RefusedByRule
from services.eventplan_svc.domain.facts import FactSheet
from services.eventplan_svc.domain.memory import MEMORY, Memory, remembering
from services.eventplan_svc.domain.milestones import (
    AUTOMATED,
    DESCALE_IDS,
    PLACE_ORDER,
    UPSCALE_IDS,
    Milestone,
    Plan,
    by_id,
    unstarted,
)
from services.eventplan_svc.domain.readiness import coloured, turned
from services.eventplan_svc.domain.surroundings import Event, Fleet, Service, Surroundings
from services.eventplan_svc.domain.times import utc_day
from shared.clock import iso

_UNHEARD: Final = FactSheet()


def plan_id(event_id: str, fleet_id: str) -> str:
    """EventPlanId, the key a plan is stored and published under."""
    return f"{event_id}#{fleet_id}"


def is_due(event: Event, fleet: Fleet, service: Service | None, today: str) -> bool:
    """Whether automation makes the plan: Registered service, active event, peak not past, nothing deleted.

    The region is not asked: a fleet outside the event's RegionList gets its plan, closed.
    """
    if service is None or service.deleted or not service.registered or fleet.deleted:
        return False
    return event.active and not event.deleted and not event.is_past(today)


def refuse_creation_by_hand(service_id: str, service: Service | None) -> None:
    """RefusedByRule unless the fleet's service is there and Registered (unknown fleets and events are a 404 before)."""
    if service is None or service.deleted:
        raise RefusedByRule("service-deleted", f"service {service_id} is deleted or was never created")
    if not service.registered:
        raise RefusedByRule("service-not-registered", f"service {service_id} is not Registered")


def closing_reason(surroundings: Surroundings) -> str | None:
    """Why the plan stands closed, the first reason that holds; None while it is open."""
    event, fleet, service = surroundings.event, surroundings.fleet, surroundings.service
    if event.deleted:
        return f"event {event.event_id} is deleted"
    if not event.active:
        return f"event {event.event_id} is not active"
    if fleet.deleted:
        return f"fleet {fleet.fleet_id} is deleted"
    if service is None:
        return f"service {fleet.service_id} was never created"
    if service.deleted:
        return f"service {fleet.service_id} is deleted"
    if not service.registered:
        return f"service {fleet.service_id} is not Registered"
    if fleet.region not in event.regions:
        return f"region {fleet.region} is not in the RegionList of {event.event_id}"
    return None


@dataclass(frozen=True, slots=True)
class PlanTemplate:
    """What all untouched plans of one event share on one day; made once, used for every fleet."""

    event_id: str
    milestones: list[Milestone]
    descale: list[Milestone]
    colour: str
    memory: dict[str, Any]


def plan_template(event: Event, now: datetime) -> PlanTemplate:
    """Every milestone NotStarted, with the ETAs that follow from the event's dates."""
    upscale: list[Milestone] = [unstarted(name, event.etas) for name in UPSCALE_IDS]
    bare = coloured({"EventMilestone": upscale}, utc_day(now))
    return PlanTemplate(
        event_id=event.event_id,
        milestones=bare["EventMilestone"],
        descale=[unstarted(name, event.etas) for name in DESCALE_IDS],
        colour=bare["PeakReadyStatus"],
        memory=Memory(event.peak_start, event.peak_end).wire(),
    )


def initial_plan(template: PlanTemplate, surroundings: Surroundings, facts: FactSheet, now: datetime) -> Plan:
    """A fleet's new plan: untouched, then as the facts known so far make it, and closed where a reason holds."""
    fleet = surroundings.fleet
    plan: Plan = {
        "EventPlanId": plan_id(template.event_id, fleet.fleet_id),
        "FleetId": fleet.fleet_id,
        "EventId": template.event_id,
        "ServiceId": fleet.service_id,
        "EventMilestone": template.milestones,
        "EventDescaleMilestone": template.descale,
        "PeakReadyStatus": template.colour,
        MEMORY: template.memory,
    }
    reason = closing_reason(surroundings)
    if reason is not None:
        plan["Closed"] = {"Reason": reason, "Since": iso(now)}
    if facts == _UNHEARD:
        return plan
    return coloured(automated(plan, facts, at=iso(now)).plan, utc_day(now))


@dataclass(frozen=True, slots=True)
class Revision:
    """A plan to be written, by whom and why (AuditMetadata's User and Message)."""

    plan: Plan
    user: str
    message: str


def settle(plan: Plan, surroundings: Surroundings, facts: FactSheet, now: datetime) -> Revision | None:
    """The plan as its surroundings and facts make it now; None where it is so already.

    The one answer to every arrival: the event's dates move the ETAs nobody set by hand, the fleet says whose the plan
    is, reasons close and reopen it, facts write milestones, the day turns colours. The order of arrival does not
    matter; a closed plan goes on taking facts.
    """
    at = iso(now)
    reasons: list[str] = []
    after = _rescheduled(plan, surroundings.event, at)
    if after is not plan:
        reasons.append("Event dates moved")
    if after["ServiceId"] != surroundings.fleet.service_id:
        after = {**after, "ServiceId": surroundings.fleet.service_id}
        reasons.append(f"Fleet belongs to {surroundings.fleet.service_id}")
    standing = _closed_or_reopened(after, surroundings, at)
    if standing is not after:
        reasons.append(f"Closed: {standing['Closed']['Reason']}" if "Closed" in standing else "Reopened")
    automatic = automated(standing, facts, at=at)
    if automatic.written:
        reasons.append(_said(automatic.plan, automatic.written))
    if automatic.plan is plan:
        return turn(plan, now)
    after = coloured(automatic.plan, utc_day(now))
    return Revision(after, automatic.user, "; ".join(reasons) or "Facts noted that change no milestone")


def turn(plan: Plan, now: datetime) -> Revision | None:
    """What the sweep after 00:00 UTC writes; None where no colour turned or the plan is closed."""
    after = plan if "Closed" in plan else coloured(plan, utc_day(now))
    if after is plan:
        return None
    return Revision(after, EPIC_USER, f"Colours of the day: {', '.join(turned(plan, after))}")


def shown(plan: Plan, now: datetime) -> Plan:
    """The plan as readers and events see it: colours of the moment, automation's memory left out."""
    present = coloured(plan, utc_day(now))
    return {member: value for member, value in present.items() if member != MEMORY}


def _rescheduled(plan: Plan, event: Event, at: str) -> Plan:
    memory = Memory.of(plan)
    if (memory.peak_start, memory.peak_end) == (event.peak_start, event.peak_end):
        return plan
    etas = {name: Edit(eta=eta) for name, eta in event.etas.items() if name not in memory.hand_etas}
    moved = replace(memory, peak_start=event.peak_start, peak_end=event.peak_end, peak_moved_at=event.changed_at or at)
    return remembering(edited(plan, etas, source=AUTOMATED, at=at), moved)


def _closed_or_reopened(plan: Plan, surroundings: Surroundings, at: str) -> Plan:
    """Since stays while the plan stays closed, whatever reason takes over."""
    reason = closing_reason(surroundings)
    closed = plan.get("Closed")
    if reason == (closed and closed["Reason"]):
        return plan
    if reason is None:
        return {member: value for member, value in plan.items() if member != "Closed"}
    return {**plan, "Closed": {"Reason": reason, "Since": closed["Since"] if closed else at}}


def _said(plan: Plan, written: tuple[str, ...]) -> str:
    milestones = by_id(plan)
    if PLACE_ORDER in written and (milestones[PLACE_ORDER].get("MilestoneMessage") or "").endswith("via HOTW"):
        return "HOTW placed hardware order"
    return ", ".join(f"{name} {milestones[name]['MilestoneCompletionStatus']}" for name in written)
