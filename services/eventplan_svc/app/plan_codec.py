"""The one place where plans are turned into their stored form (which is their wire form as well) and back.

The stored form has one member more, ``_Automation``, which the store neither shows nor publishes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import lru_cache
from typing import Any, Final

from services.eventplan_svc.domain.milestones import (
    ALL_UPSCALE_IDS,
    DESCALE_IDS,
    UPSCALE_IDS,
    Milestone,
    Source,
    automatic_etas,
    not_started,
    utc_day,
)
from services.eventplan_svc.domain.plan import AutomationState, Closed, Derivation, DoneFor, Plan, TPMRequest
from services.eventplan_svc.domain.readiness import coloured, milestone_colour
from shared.conditions import entity_tag
from shared.documents import Document, State
from shared.schemas.eventplan_svc import MilestoneId, MilestoneStatus, PeakReadyStatus

_AUTOMATION: Final = "_Automation"
# By value: a plan has some thirty of them, and a lookup costs a quarter of what calling the enum does.
_ID: Final = {one.value: one for one in MilestoneId}
_STATUS: Final = {one.value: one for one in MilestoneStatus}
_COLOUR: Final[dict[str | None, PeakReadyStatus | None]] = {None: None, **{one.value: one for one in PeakReadyStatus}}
_ALL: Final = len(ALL_UPSCALE_IDS) + len(DESCALE_IDS)
_SOURCE: Final = {one.value: one for one in Source}


def encode_plan(plan: Plan) -> State:
    """The plan as it is stored."""
    [state] = encode_plans([plan])
    return state


def encode_plans(plans: Iterable[Plan]) -> list[State]:
    """The same of many; what plans share, their stored forms share too."""
    known: dict[int, Any] = {}
    states = []
    for plan in plans:
        upscale, descale, automation = plan.milestones, plan.descale_milestones, plan.automation
        if id(upscale) not in known:
            known[id(upscale)] = [_encode_milestone(one) for one in upscale]
        if id(descale) not in known:
            known[id(descale)] = [_encode_milestone(one) for one in descale]
        if id(automation) not in known:
            known[id(automation)] = _encode_automation(automation)
        state = {
            "EventPlanId": plan.id,
            "FleetId": plan.fleet_id,
            "EventId": plan.event_id,
            "ServiceId": plan.service_id,
            "EventMilestone": known[id(upscale)],
            "EventDescaleMilestone": known[id(descale)],
            "PeakReadyStatus": plan.colour.value,
            _AUTOMATION: known[id(automation)],
        }
        if plan.hosts_missing:
            state["HostsMissing"] = plan.hosts_missing
        if plan.closed:
            state["Closed"] = {"Reason": plan.closed.reason, "Since": plan.closed.since}
        states.append(state)
    return states


def decode_plan(state: Mapping[str, Any]) -> Plan:
    """The plan of its stored form, or of its snapshot, which has no automation state.

    A milestone that is newer than the stored plan is one that nobody has touched.
    """
    closed = state.get("Closed")
    plan = Plan(
        event_id=state["EventId"],
        fleet_id=state["FleetId"],
        service_id=state["ServiceId"],
        milestones=tuple(map(_decode_milestone, state["EventMilestone"])),
        descale_milestones=tuple(map(_decode_milestone, state["EventDescaleMilestone"])),
        colour=PeakReadyStatus(state["PeakReadyStatus"]),
        automation=_decode_automation(state.get(_AUTOMATION, {})),
        hosts_missing=state.get("HostsMissing", 0),
        closed=Closed(closed["Reason"], closed["Since"]) if closed else None,
    )
    held = sum(1 + len(one.subs) for one in (*plan.milestones, *plan.descale_milestones))
    return plan if held == _ALL else _complete(plan)


def in_colours_of(now: datetime, document: Document) -> Document:
    """A stored plan with the colours of ``now``: the colours that are stored are those of its last write."""
    state, today = document.state, utc_day(now)
    if _colours_hold(state["EventMilestone"], today):
        return document
    return document._replace(state=encode_plan(coloured(decode_plan(state), today)))


def tag_of(document: Document) -> str:
    """The ETag of a plan in the colours of the moment: its hash is that of the colours (3.23a)."""
    state = document.state
    milestones = [*state["EventMilestone"], *state["EventDescaleMilestone"]]
    milestones += [sub for one in milestones for sub in one.get("SubMilestones", ())]
    colours = {one["EventMilestoneId"]: one.get("PeakReadyStatus") for one in milestones}
    return entity_tag(document.version, {"PeakReadyStatus": state["PeakReadyStatus"], **colours})


def _colours_hold(milestones: Sequence[Mapping[str, Any]], today: str) -> bool:
    """Whether stored milestones, which are all of a plan, have the colours of ``today``.

    Nearly all have. Decoding the plan costs ten times as much, and a read may be of a thousand plans.
    """
    return len(milestones) == len(UPSCALE_IDS) and all(
        one.get("PeakReadyStatus") == milestone_colour(_STATUS[one["MilestoneCompletionStatus"]], one.get("ETA"), today)
        for one in milestones
    )


def _encode_milestone(milestone: Milestone) -> State:
    state: State = {"EventMilestoneId": milestone.id.value, "MilestoneCompletionStatus": milestone.status.value}
    if milestone.message is not None:
        state["MilestoneMessage"] = milestone.message
    if milestone.colour is not None:
        state["PeakReadyStatus"] = milestone.colour.value
    if milestone.eta is not None:
        state["ETA"] = milestone.eta
    if milestone.last_updated is not None:
        state["LastUpdatedTimestamp"] = milestone.last_updated
    state["Source"] = milestone.source.value
    if milestone.subs:
        state["SubMilestones"] = [_encode_milestone(sub) for sub in milestone.subs]
    return state


def _complete(plan: Plan) -> Plan:
    """The plan with the milestones that it was stored without; nobody has touched them."""
    automation = plan.automation
    dates = automation.peak_start, automation.peak_end
    etas = automatic_etas(*dates, automation.own_days) if automation.peak_start else {}
    stored = {one.id: one for one in (*plan.milestones, *plan.descale_milestones)}

    def completed(milestone_id: MilestoneId) -> Milestone:
        fresh = not_started(milestone_id, etas)
        milestone = stored.get(milestone_id, fresh)
        return milestone if milestone.subs else replace(milestone, subs=fresh.subs)

    return replace(
        plan,
        milestones=tuple(map(completed, UPSCALE_IDS)),
        descale_milestones=tuple(map(completed, DESCALE_IDS)),
    )


def _decode_milestone(state: Mapping[str, Any]) -> Milestone:
    get = state.get
    milestone = _milestone(
        state["EventMilestoneId"],
        state["MilestoneCompletionStatus"],
        get("MilestoneMessage"),
        get("ETA"),
        state["Source"],
        get("PeakReadyStatus"),
        get("LastUpdatedTimestamp"),
    )
    subs = get("SubMilestones")
    return replace(milestone, subs=tuple(map(_decode_milestone, subs))) if subs else milestone


@lru_cache(maxsize=4096)  # most milestones of most plans are untouched, and equal for all plans of an event
def _milestone(
    milestone_id: str,
    status: str,
    message: str | None,
    eta: str | None,
    source: str,
    colour: str | None,
    last_updated: str | None,
) -> Milestone:
    return Milestone(_ID[milestone_id], _STATUS[status], message, eta, _SOURCE[source], _COLOUR[colour], last_updated)


def _encode_automation(automation: AutomationState) -> State:
    request = automation.tpm_request
    members = {
        "PeakStartDate": automation.peak_start,
        "PeakEndDate": automation.peak_end,
        "PeakMovedAt": automation.peak_moved_at,
        "Derived": {name.value: [one.status, one.message] for name, one in automation.derived.items()},
        "PersonAt": {name.value: at for name, at in automation.person_at.items()},
        "HandETA": sorted(name.value for name in automation.hand_etas),
        "DoneFor": {
            name.value: {"PeakTPM": one.peak_tpm, "At": one.at, "Message": one.message}
            for name, one in automation.done_for.items()
        },
        "TPMRequest": request and [request.service_id, request.peak_tpm, *request.services],
        "CommunicatedTPM": automation.communicated,
        "DaysBeforePeak": {name.value: days for name, days in automation.own_days},
    }
    return {member: value for member, value in members.items() if value or value == 0}


def _decode_automation(state: Mapping[str, Any]) -> AutomationState:
    get = state.get
    request = get("TPMRequest")
    return AutomationState(
        peak_start=get("PeakStartDate", ""),
        peak_end=get("PeakEndDate", ""),
        peak_moved_at=get("PeakMovedAt", ""),
        derived={
            _ID[name]: Derivation(None if status is None else _STATUS[status], message)
            for name, (status, message) in get("Derived", {}).items()
        },
        person_at={_ID[name]: at for name, at in get("PersonAt", {}).items()},
        hand_etas=frozenset(_ID[name] for name in get("HandETA", ())),
        done_for={
            _ID[name]: DoneFor(one["PeakTPM"], one["At"], one["Message"]) for name, one in get("DoneFor", {}).items()
        },
        tpm_request=TPMRequest(request[0], request[1], tuple(request[2:])) if request else None,
        communicated=get("CommunicatedTPM"),
        own_days=tuple((_ID[name], days) for name, days in get("DaysBeforePeak", {}).items()),
    )
