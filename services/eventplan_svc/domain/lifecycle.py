"""A plan's life: how it is made, why it is closed, and how it follows its inputs and the day."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from services.eventplan_svc.domain.automation import automated
from services.eventplan_svc.domain.facts import NO_FACTS
from services.eventplan_svc.domain.hardware import hosts_missing
from services.eventplan_svc.domain.inputs import Event, PlanInputs
from services.eventplan_svc.domain.milestones import (
    DESCALE_IDS,
    UPSCALE_IDS,
    Edit,
    Source,
    automatic_etas,
    not_started,
    utc_day,
)
from services.eventplan_svc.domain.plan import AutomationState, Closed, Plan
from services.eventplan_svc.domain.readiness import coloured
from shared.cause import AUTOMATION
from shared.clock import iso
from shared.errors import Conflict
from shared.schemas.eventplan_svc import MilestoneId, PeakReadyStatus


def check_creation_by_hand(inputs: PlanInputs, today: str) -> None:
    """Conflict unless the fleet's service is Registered, and the event active and not past (6.1.18 to 6.1.19b)."""
    event, service, service_id = inputs.event, inputs.service, inputs.fleet.service_id
    if service is None or service.deleted:
        raise Conflict(f"service {service_id} is deleted or was never created", slug="service-deleted")
    if not service.registered:
        raise Conflict(f"service {service_id} is not Registered", slug="service-not-registered")
    if not event.active:
        raise Conflict(f"event {event.event_id} is not active", slug="event-inactive")
    if event.peak_end < today:
        raise Conflict(f"the peak of {event.event_id} was over on {event.peak_end}", slug="peak-over")


def closing_reason(inputs: PlanInputs) -> str | None:
    """Why the plan is closed, the first reason that holds; None while it is open."""
    event, fleet, service = inputs.event, inputs.fleet, inputs.service
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


def plan_template(event: Event, now: datetime) -> Plan:
    """The plan that all fleets' new plans of one event are made from: nothing is started, and no fleet is named.

    It is made once for many plans, which then share their milestones.
    """
    etas = automatic_etas(event.peak_start, event.peak_end, event.own_days)
    bare = Plan(
        event_id=event.event_id,
        fleet_id="",
        service_id="",
        milestones=tuple(not_started(name, etas) for name in UPSCALE_IDS),
        descale_milestones=tuple(not_started(name, etas) for name in DESCALE_IDS),
        colour=PeakReadyStatus.RED,
        automation=AutomationState(event.peak_start, event.peak_end, own_days=event.own_days),
    )
    return coloured(bare, utc_day(now))


def new_plan(template: Plan, inputs: PlanInputs, now: datetime) -> Plan:
    """A fleet's new plan, as the facts known so far make it, closed where a reason holds."""
    reason = closing_reason(inputs)
    plan = replace(
        template,
        fleet_id=inputs.fleet.fleet_id,
        service_id=inputs.fleet.service_id,
        closed=None if reason is None else Closed(reason, iso(now)),
    )
    if inputs.facts == NO_FACTS:
        return plan
    plan = replace(plan, hosts_missing=hosts_missing(inputs.facts.hardware))
    return coloured(automated(plan, inputs.facts, inputs.fleet, at=iso(now)).plan, utc_day(now))


@dataclass(frozen=True, slots=True)
class Revision:
    """A plan to be written, by whom and why (AuditMetadata's User and Message)."""

    plan: Plan
    user: str
    message: str


def refreshed(plan: Plan, inputs: PlanInputs, now: datetime) -> Revision | None:
    """The plan as its inputs and the day make it now; None where it is so already.

    The order in which inputs arrive does not matter. The event's dates and days move the ETAs that nobody set by hand,
    the fleet says whose the plan is, reasons close and reopen it, facts write milestones, the day turns colours. A
    closed plan goes on taking facts.
    """
    at = iso(now)
    reasons: list[str] = []
    after = _rescheduled(plan, inputs.event, at)
    if after is not plan:
        moved = after.automation.peak_moved_at != plan.automation.peak_moved_at
        reasons.append("Event dates moved" if moved else "Event's milestones are due on other days")
    if after.service_id != inputs.fleet.service_id:
        after = replace(after, service_id=inputs.fleet.service_id)
        reasons.append(f"Fleet belongs to {after.service_id}")
    closed = _closed(plan.closed, inputs, at)
    if closed != plan.closed:
        after = replace(after, closed=closed)
        reasons.append(f"Closed: {closed.reason}" if closed else "Reopened")
    missing, fallback = hosts_missing(inputs.facts.hardware), "Facts noted that change no milestone"
    if missing != after.hosts_missing:
        after = replace(after, hosts_missing=missing)
        fallback = f"HostsMissing is {missing}"
    automatic = automated(after, inputs.facts, inputs.fleet, at=at)
    if automatic.written:
        reasons.append(_wording(automatic.plan, automatic.written))
    request = automatic.plan.automation.tpm_request
    if request is not None and request != plan.automation.tpm_request:
        reasons.append(f"TPM of {request.peak_tpm:,} to be sent to {len(request.services)} services")
    if automatic.plan is plan:
        return turned(plan, now)
    after = coloured(automatic.plan, utc_day(now))
    return Revision(after, automatic.user, "; ".join(reasons) or fallback)


def turned(plan: Plan, now: datetime) -> Revision | None:
    """The plan in the colours of the day; None where no colour turned or the plan is closed."""
    after = plan if plan.closed else coloured(plan, utc_day(now))
    if after is plan:
        return None
    names = [new.id for old, new in zip(plan.milestones, after.milestones, strict=True) if new.colour != old.colour]
    return Revision(after, AUTOMATION, f"Colours of the day: {', '.join(names)}")


def _rescheduled(plan: Plan, event: Event, at: str) -> Plan:
    state = plan.automation
    is_moved = (state.peak_start, state.peak_end) != (event.peak_start, event.peak_end)
    if not is_moved and state.own_days == event.own_days:
        return plan
    automatic = automatic_etas(event.peak_start, event.peak_end, event.own_days)
    etas = {name: Edit(eta=eta) for name, eta in automatic.items() if name not in state.hand_etas}
    after = replace(
        state,
        peak_start=event.peak_start,
        peak_end=event.peak_end,
        peak_moved_at=(event.changed_at or at) if is_moved else state.peak_moved_at,
        own_days=event.own_days,
    )
    return replace(plan.edited(etas, source=Source.AUTOMATED, at=at), automation=after)


def _closed(before: Closed | None, inputs: PlanInputs, at: str) -> Closed | None:
    """``since`` stays while the plan stays closed, whatever reason takes over."""
    reason = closing_reason(inputs)
    if reason is None:
        return None
    return Closed(reason, before.since if before else at)


def _wording(plan: Plan, written: tuple[MilestoneId, ...]) -> str:
    if MilestoneId.PLACE_HARDWARE_ORDER in written:
        message = plan.milestone(MilestoneId.PLACE_HARDWARE_ORDER).message
        if message and message.endswith("via HOTW"):
            return "HOTW placed hardware order"
    return ", ".join(f"{name} {plan.milestone(name).status}" for name in written)
