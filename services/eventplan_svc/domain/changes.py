"""What a person's request does to the milestones of a plan.

A request that changes nothing gives back the same plan. BadInput names a member that cannot be taken, NotFound a
milestone that no plan has; Conflict ``plan-closed``, ``parent-status`` and ``parent-eta`` are the rules' refusals.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime

from services.eventplan_svc.domain.facts import Facts
from services.eventplan_svc.domain.milestones import (
    DESCALE_IDS,
    KEEP,
    PARENT_OF,
    SUB_IDS,
    UPSCALE_IDS,
    Edit,
    Keep,
    Milestone,
    Source,
    automatic_etas,
    utc_day,
)
from services.eventplan_svc.domain.plan import AutomationState, DoneFor, Plan
from services.eventplan_svc.domain.readiness import coloured
from services.eventplan_svc.domain.tpm import PEAK_TPM_IDS, peak_tpm_milestone
from shared.clock import iso
from shared.errors import BadInput, Conflict, FieldError, NotFound
from shared.schemas import eventplan_svc as contract
from shared.schemas.eventplan_svc import MilestoneId, MilestoneStatus


@dataclass(frozen=True, slots=True)
class _Request:
    """What a person asks of one milestone. An ETA of None makes it automatic again."""

    id: MilestoneId
    status: MilestoneStatus | Keep = KEEP
    message: str | Keep | None = KEEP
    eta: str | Keep | None = KEEP


def set_milestone_status(plan: Plan, wanted: contract.SetMilestoneStatus, facts: Facts, now: datetime) -> Plan:
    """Sets the status, and the message where one is given (null removes it), of any milestone or sub."""
    message = wanted.milestone_message if "milestone_message" in wanted.model_fields_set else KEEP
    request = _Request(_known(wanted.event_milestone_id), wanted.milestone_completion_status, message)
    return _granted(plan, [request], facts, now)


def set_milestone(plan: Plan, wanted: contract.SetMilestone, facts: Facts, now: datetime) -> Plan:
    """Sets what is given. A null message is removed, a null ETA is automatic again."""
    milestone_id = _known(wanted.event_milestone_id)
    given, status = wanted.model_fields_set, wanted.milestone_completion_status
    if "milestone_completion_status" in given and status is None:
        raise _bad("/MilestoneCompletionStatus", f"give one of {', '.join(MilestoneStatus)}")
    has_own_eta = milestone_id not in PARENT_OF
    if wanted.eta is not None and not has_own_eta:
        detail = f"{milestone_id} goes by the ETA of {PARENT_OF[milestone_id]}; set that"
        raise Conflict(detail, [FieldError("/ETA", detail)], slug="parent-eta")
    request = _Request(
        milestone_id,
        KEEP if status is None else status,
        wanted.milestone_message if "milestone_message" in given else KEEP,
        _day(wanted.eta) if "eta" in given and has_own_eta else KEEP,
    )
    return _granted(plan, [request], facts, now)


def replace_milestones(plan: Plan, wanted: contract.ReplaceMilestones, facts: Facts, now: datetime) -> Plan:
    """Replaces a whole list, which must hold exactly the known ids, in order (6.2.19). Of the descale milestones it
    replaces those that are given, which must be in order; the others stay (6.2.20, 6.2.21).

    A milestone sent without a message has none, one without an ETA has its automatic one. A parent may be sent as it
    was read although its subs change.
    """
    requests = _requests(wanted.event_milestone, UPSCALE_IDS, "/EventMilestone")
    if wanted.event_descale_milestone is not None:
        requests += _requests(wanted.event_descale_milestone, DESCALE_IDS, "/EventDescaleMilestone", some=True)
    return _granted(plan, requests, facts, now)


def restore_milestones(plan: Plan, former: Plan, facts: Facts, now: datetime) -> Plan:
    """Makes every milestone, subs and descale milestones included, what it is in a former version (3.20, 3.20c).

    A person may set a milestone's status, message and ETA. An ETA that nobody had set by hand in that version is not a
    person's (3.20a): it is automatic again, by the event as it is now (6.5.1, 6.5.3).
    """
    by_hand = former.automation.hand_etas
    requests = [
        _Request(
            one.id,
            one.status,
            one.message,
            KEEP if one.id in PARENT_OF else one.eta if one.id in by_hand else None,
        )
        for one in former.all_milestones()
    ]
    return _granted(plan, requests, facts, now)


def check_keys(plan: Plan, wanted: contract.PlanCommand) -> None:
    """BadInput where a request gives the ids of another plan."""
    given = {"EventPlanId": (wanted.event_plan_id, plan.id), "ServiceId": (wanted.service_id, plan.service_id)}
    wrong = [
        FieldError(f"/{name}", f"must equal {own}; correct it or leave it out")
        for name, (value, own) in given.items()
        if value not in (None, own)
    ]
    if wrong:
        raise BadInput("the body's keys are not the plan's", wrong, slug="key-mismatch")


def _known(milestone_id: str) -> MilestoneId:
    try:
        return MilestoneId(milestone_id)
    except ValueError:
        raise NotFound(f"there is no milestone {milestone_id}; give one of {', '.join(MilestoneId)}") from None


def _requests(
    items: Sequence[contract.Milestone], ids: Sequence[MilestoneId], pointer: str, *, some: bool = False
) -> list[_Request]:
    """What is asked of each. ``some``: the list may hold only some of the ids."""
    _check_ids(items, ids, pointer, some=some)
    requests = []
    for number, item in enumerate(items):
        subs = item.sub_milestones or []
        _check_ids(subs, SUB_IDS.get(item.event_milestone_id, ()), f"{pointer}/{number}/SubMilestones")
        status, message = item.milestone_completion_status, item.milestone_message
        requests.append(_Request(item.event_milestone_id, status, message, _day(item.eta)))
        requests += [
            _Request(sub.event_milestone_id, sub.milestone_completion_status, sub.milestone_message) for sub in subs
        ]
    return requests


def _check_ids(
    items: Sequence[contract.SubMilestone], ids: Sequence[MilestoneId], pointer: str, *, some: bool = False
) -> None:
    given = [item.event_milestone_id for item in items]
    if given == [name for name in ids if not some or name in given]:
        return
    if not ids:
        raise _bad(pointer, "has no sub-milestones")
    raise _bad(pointer, f"must hold {'only' if some else 'exactly'} {', '.join(ids)}, in this order")


def _day(day: date | None) -> str | None:
    return day.isoformat() if day else None


def _bad(pointer: str, detail: str) -> BadInput:
    return BadInput(f"{pointer}: {detail}", [FieldError(pointer, detail)])


def _granted(plan: Plan, requests: Sequence[_Request], facts: Facts, now: datetime) -> Plan:
    if plan.closed:
        raise Conflict(f"the plan is closed: {plan.closed.reason}", slug="plan-closed")
    at, state = iso(now), plan.automation
    automatic = automatic_etas(state.peak_start, state.peak_end, state.own_days)
    edits = {
        one.id: Edit(one.status, one.message, automatic[one.id] if one.eta is None else one.eta) for one in requests
    }
    after = plan.edited(edits, source=Source.HUMAN, at=at)
    old = {milestone.id: milestone for milestone in plan.all_milestones()}
    new = {milestone.id: milestone for milestone in after.all_milestones()}
    for one in requests:
        if one.id in SUB_IDS and one.status not in (KEEP, new[one.id].status, old[one.id].status):
            subs = " and ".join(SUB_IDS[one.id])
            detail = f"{one.id} is {new[one.id].status}, as {subs} make it; set those instead"
            raise Conflict(detail, slug="parent-status")
    for one in requests:
        state = _remembering(state, one, old[one.id], new[one.id], facts, at)
        if state.person_at.get(one.id) == at and one.id in PEAK_TPM_IDS:
            # The person knew these facts: automation writes again only when they come to something else.
            derivation, _ = peak_tpm_milestone(one.id, facts, state, gathered=after.is_gathered)
            state = state.deriving({one.id: derivation})
    after = replace(after, automation=state)
    return plan if after == plan else coloured(after, utc_day(now))


def _remembering(
    state: AutomationState, request: _Request, old: Milestone, new: Milestone, facts: Facts, at: str
) -> AutomationState:
    """The state after one request: whose ETA it is, when a person changed it, for which PeakTPM it was done."""
    name = request.id
    if request.eta is None:
        state = replace(state, hand_etas=state.hand_etas - {name})
    elif request.eta is not KEEP and request.eta != old.eta:
        state = replace(state, hand_etas=state.hand_etas | {name})
    turned = request.status is not KEEP and request.status is not old.status
    if not turned and new.message == old.message:
        return state
    if name not in SUB_IDS or new.message != old.message:
        state = replace(state, person_at={**state.person_at, name: at})
    if name not in PEAK_TPM_IDS:
        return state
    done_for = dict(state.done_for)
    held = done_for.pop(name, None)
    if new.is_completed():
        peak_tpm = facts.peak_tpm if turned or held is None else held.peak_tpm
        done_for[name] = DoneFor(peak_tpm, at, new.message)
    return replace(state, done_for=done_for)
