"""How milestones are rewritten: several at once, parents following their subs, untouched parts shared with the old."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final, Literal, TypeAlias

from services.eventplan_svc.domain.milestones import Milestone, Plan, roll_up


class _Unsaid(Enum):
    UNSAID = "unsaid"


UNSAID: Final = _Unsaid.UNSAID
Unsaid: TypeAlias = Literal[_Unsaid.UNSAID]

_MEMBERS: Final = (
    "EventMilestoneId",
    "MilestoneCompletionStatus",
    "MilestoneMessage",
    "PeakReadyStatus",
    "ETA",
    "LastUpdatedTimestamp",
    "Source",
    "SubMilestones",
)


@dataclass(frozen=True, slots=True)
class Edit:
    """What is to be written on one milestone; what is UNSAID stays. A message of None removes the message.

    A parent's status follows its subs, whatever an edit says.
    """

    status: str | Unsaid = UNSAID
    message: str | Unsaid | None = UNSAID
    eta: str | Unsaid = UNSAID


def edited(plan: Plan, edits: Mapping[str, Edit], *, source: str, at: str) -> Plan:
    """The plan with `edits` written, by milestone id; the very same object where they change nothing.

    A milestone that changes gets `at` as LastUpdatedTimestamp, and `source` where its status or message changes.
    Colours are left as they are.
    """
    changed: dict[str, Any] = {}
    for member in ("EventMilestone", "EventDescaleMilestone"):
        before: list[Milestone] = plan[member]
        after = [_rewritten(milestone, edits, source, at) for milestone in before]
        if any(new is not old for new, old in zip(after, before, strict=True)):
            changed[member] = after
    return {**plan, **changed} if changed else plan


def _rewritten(milestone: Milestone, edits: Mapping[str, Edit], source: str, at: str) -> Milestone:
    edit = edits.get(milestone["EventMilestoneId"])
    subs: list[Milestone] | None = milestone.get("SubMilestones")
    if subs is None:
        return milestone if edit is None else _written(milestone, edit, source, at)
    new_subs = [_rewritten(sub, edits, source, at) for sub in subs]
    if any(new is not old for new, old in zip(new_subs, subs, strict=True)):
        milestone = {**milestone, "SubMilestones": new_subs}
    elif edit is None:
        return milestone
    edit = edit or Edit()
    status = roll_up([sub["MilestoneCompletionStatus"] for sub in new_subs])
    return _written(milestone, Edit(status, edit.message, edit.eta), source, at)


def _written(milestone: Milestone, edit: Edit, source: str, at: str) -> Milestone:
    status = milestone["MilestoneCompletionStatus"] if edit.status is UNSAID else edit.status
    message = milestone.get("MilestoneMessage") if edit.message is UNSAID else edit.message
    eta = milestone.get("ETA") if edit.eta is UNSAID else edit.eta
    says_else = status != milestone["MilestoneCompletionStatus"] or message != milestone.get("MilestoneMessage")
    if not says_else and eta == milestone.get("ETA"):
        return milestone
    values = {
        **milestone,
        "MilestoneCompletionStatus": status,
        "MilestoneMessage": message,
        "ETA": eta,
        "LastUpdatedTimestamp": at,
    }
    if says_else:
        values["Source"] = source
    return {member: values[member] for member in _MEMBERS if values.get(member) is not None}
