"""A person's changes of a plan: what a body may say, and what it does.

Bodies are those of HTTP, or of a command with the path's ids among them. Members that only EPIC sets are ignored, keys
must be the plan's own, anything else unknown is refused (BadValue). A body that changes nothing gives back the very
same plan.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from services.eventplan_svc.domain.automation import PEAK_TPM_MILESTONES, peak_tpm_milestone
from services.eventplan_svc.domain.editing import UNSAID, Edit, Unsaid, edited
from services.eventplan_svc.domain.errors import BadValue, RefusedByRule
from services.eventplan_svc.domain.facts import FactSheet
from services.eventplan_svc.domain.memory import DoneFor, Memory, remembering
from services.eventplan_svc.domain.milestones import (
    ALL_IDS,
    COMPLETED,
    DESCALE_IDS,
    HUMAN,
    PARENT_OF,
    STATUSES,
    SUB_IDS,
    UPSCALE_IDS,
    Plan,
    automatic_etas,
    by_id,
)
from services.eventplan_svc.domain.readiness import coloured
from services.eventplan_svc.domain.times import is_day, utc_day
from shared.clock import iso
from shared.schemas.base import MANAGED_FIELDS

_KEYS: Final = ("EventPlanId", "FleetId", "EventId", "ServiceId")
_STATUS_MEMBERS: Final = frozenset(("EventMilestoneId", "MilestoneCompletionStatus", "MilestoneMessage"))
_DETAIL_MEMBERS: Final = _STATUS_MEMBERS | {"ETA"}
_LIST_MEMBERS: Final = frozenset(("EventMilestone", "EventDescaleMilestone"))
_MAX_MESSAGE: Final = 16_384


@dataclass(frozen=True, slots=True)
class _Wish:
    """What a person asks of one milestone; an ETA of None makes it automatic again."""

    milestone_id: str
    pointer: str
    status: str | Unsaid = UNSAID
    message: str | Unsaid | None = UNSAID
    eta: str | Unsaid | None = UNSAID


def set_milestone_status(plan: Plan, body: Mapping[str, Any], *, facts: FactSheet, now: datetime) -> Plan:
    """`PUT …/status` {EventMilestoneId, MilestoneCompletionStatus, MilestoneMessage?}, on any milestone or sub."""
    _check_members(plan, body, _STATUS_MEMBERS)
    wish = _wish(body, "")
    if wish.status is UNSAID:
        raise BadValue("/MilestoneCompletionStatus", "required; add it")
    return _granted(plan, [wish], facts=facts, now=now)


def set_milestone(plan: Plan, body: Mapping[str, Any], *, facts: FactSheet, now: datetime) -> Plan:
    """`PUT …/milestone` {EventMilestoneId, any of MilestoneCompletionStatus, MilestoneMessage, ETA}.

    What is not there stays; a null message is removed, a null ETA is automatic again.
    """
    _check_members(plan, body, _DETAIL_MEMBERS)
    return _granted(plan, [_wish(body, "")], facts=facts, now=now)


def replace_milestones(plan: Plan, body: Mapping[str, Any], *, facts: FactSheet, now: datetime) -> Plan:
    """`PUT …/milestones` {EventMilestone: [...], EventDescaleMilestone?: [...]}: exactly the known ids, in order.

    A list is replaced: a milestone without a message has none, one without an ETA has its automatic one. A parent may
    be sent as it was read, although its subs change.
    """
    _check_members(plan, body, _LIST_MEMBERS)
    if "EventMilestone" not in body:
        raise BadValue("/EventMilestone", "required; add it")
    wishes = _listed(body["EventMilestone"], UPSCALE_IDS, "/EventMilestone")
    if body.get("EventDescaleMilestone") is not None:
        wishes += _listed(body["EventDescaleMilestone"], DESCALE_IDS, "/EventDescaleMilestone")
    return _granted(plan, wishes, facts=facts, now=now)


def _check_members(plan: Plan, body: Mapping[str, Any], allowed: frozenset[str]) -> None:
    for member, value in body.items():
        if member in _KEYS:
            if value != plan[member]:
                raise BadValue(f"/{member}", f"must be {plan[member]}, as in the path; correct it or leave it out")
        elif member not in allowed and member not in MANAGED_FIELDS and member != "AuditMetadata":
            raise BadValue(_pointer("", member), "unknown field; remove it or correct its name")


def _listed(items: Any, ids: Sequence[str], pointer: str) -> list[_Wish]:
    """The wishes of a whole list of milestones, which must hold exactly `ids`, in order."""
    if not isinstance(items, list) or not all(isinstance(item, Mapping) for item in items):
        raise BadValue(pointer, "give a list of milestones")
    if [item.get("EventMilestoneId") for item in items] != list(ids):
        raise BadValue(pointer, f"must hold exactly {', '.join(ids)}, in this order")
    wishes: list[_Wish] = []
    for number, (item, milestone_id) in enumerate(zip(items, ids, strict=True)):
        at = f"{pointer}/{number}"
        for member in item:
            if member not in _DETAIL_MEMBERS and member not in MANAGED_FIELDS and member != "SubMilestones":
                raise BadValue(_pointer(at, member), "unknown field; remove it or correct its name")
        wish = _wish(item, at)
        if wish.status is UNSAID:
            raise BadValue(f"{at}/MilestoneCompletionStatus", "required; add it")
        eta = wish.eta if wish.eta is not UNSAID or milestone_id in PARENT_OF else None
        wishes.append(replace(wish, message=None if wish.message is UNSAID else wish.message, eta=eta))
        subs = SUB_IDS.get(milestone_id, ())
        if subs or item.get("SubMilestones"):
            wishes += _listed(item.get("SubMilestones"), subs, f"{at}/SubMilestones")
    return wishes


def _wish(item: Mapping[str, Any], pointer: str) -> _Wish:
    """One milestone's wish, its values checked."""
    milestone_id = item.get("EventMilestoneId")
    if milestone_id not in ALL_IDS:
        raise BadValue(f"{pointer}/EventMilestoneId", f"give one of {', '.join(ALL_IDS)}")
    status = item.get("MilestoneCompletionStatus", UNSAID)
    if status is not UNSAID and status not in STATUSES:
        raise BadValue(f"{pointer}/MilestoneCompletionStatus", f"give one of {', '.join(STATUSES)}")
    message = item.get("MilestoneMessage", UNSAID)
    if message is not UNSAID and message is not None and (not isinstance(message, str) or len(message) > _MAX_MESSAGE):
        raise BadValue(f"{pointer}/MilestoneMessage", f"give a text of at most {_MAX_MESSAGE} characters, or null")
    eta = item.get("ETA", UNSAID)
    if eta is not UNSAID and milestone_id in PARENT_OF:
        raise BadValue(f"{pointer}/ETA", f"goes by the ETA of {PARENT_OF[milestone_id]}; set that")
    if eta is not UNSAID and eta is not None and not is_day(eta):
        raise BadValue(f"{pointer}/ETA", "give a day such as 2024-07-16, or null")
    return _Wish(milestone_id, pointer, status, message, eta)


def _pointer(base: str, member: str) -> str:
    return f"{base}/{member.replace('~', '~0').replace('/', '~1')}"


def _granted(plan: Plan, wishes: Sequence[_Wish], *, facts: FactSheet, now: datetime) -> Plan:
    """The plan with the wishes written; RefusedByRule where it is closed or a parent is set against its subs."""
    if "Closed" in plan:
        raise RefusedByRule("plan-closed", f"the plan is closed: {plan['Closed']['Reason']}")
    at = iso(now)
    memory = Memory.of(plan)
    automatic = automatic_etas(memory.peak_start, memory.peak_end)
    edits = {
        wish.milestone_id: Edit(
            wish.status, wish.message, automatic[wish.milestone_id] if wish.eta is None else wish.eta
        )
        for wish in wishes
    }
    after = edited(plan, edits, source=HUMAN, at=at)
    before_by_id, after_by_id = by_id(plan), by_id(after)
    for wish in wishes:
        if wish.milestone_id in SUB_IDS and wish.status is not UNSAID:
            rolled_up = after_by_id[wish.milestone_id]["MilestoneCompletionStatus"]
            read = before_by_id[wish.milestone_id]["MilestoneCompletionStatus"]
            if wish.status not in (rolled_up, read):
                subs = " and ".join(SUB_IDS[wish.milestone_id])
                raise RefusedByRule(
                    "parent-status", f"{wish.milestone_id} is {rolled_up}, as {subs} make it; set those instead"
                )
    for wish in wishes:
        memory = _remembered(memory, wish, before_by_id, after_by_id, facts, at)
    after = remembering(after, memory)
    return plan if after is plan else coloured(after, utc_day(now))


def _remembered(
    memory: Memory, wish: _Wish, before: Mapping[str, Any], after: Mapping[str, Any], facts: FactSheet, at: str
) -> Memory:
    """The memory after one granted wish: whose ETA it is, when a person spoke, for which PeakTPM it was done."""
    name = wish.milestone_id
    old, new = before[name], after[name]
    if wish.eta is None:
        memory = replace(memory, hand_etas=memory.hand_etas - {name})
    elif wish.eta is not UNSAID and wish.eta != old.get("ETA"):
        memory = replace(memory, hand_etas=memory.hand_etas | {name})
    message = new.get("MilestoneMessage")
    turned = wish.status is not UNSAID and wish.status != old["MilestoneCompletionStatus"]
    if not turned and message == old.get("MilestoneMessage"):
        return memory
    if name not in SUB_IDS or message != old.get("MilestoneMessage"):
        memory = replace(memory, human_at={**memory.human_at, name: at})
    if name not in PEAK_TPM_MILESTONES:
        return memory
    marks = dict(memory.done_for)
    held = marks.pop(name, None)
    if new["MilestoneCompletionStatus"] == COMPLETED:
        peak_tpm = facts.peak_tpm if turned else held.peak_tpm if held else None
        if peak_tpm is not None:
            marks[name] = DoneFor(peak_tpm, at, message)
    memory = replace(memory, done_for=marks)
    # The person knew these facts: only what they come to from here on is news.
    derived, _ = peak_tpm_milestone(name, facts, memory)
    return replace(memory, derived={**memory.derived, name: derived})
