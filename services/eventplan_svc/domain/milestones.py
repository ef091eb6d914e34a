"""The milestones of a plan: their ids in order, statuses, how a parent follows its subs, and automatic ETAs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Final, TypeAlias

from services.eventplan_svc.domain.times import days_from

Milestone: TypeAlias = dict[str, Any]
Plan: TypeAlias = dict[str, Any]

GATHER_PROJECTION: Final = "GatherProjectionFromUpstream"
HARDWARE_ORDER: Final = "HardwareOrder"
PLACE_ORDER: Final = "PlaceHardwareOrder"
ORDER_APPROVAL: Final = "HardwareOrderApproval"
FULFILLMENT: Final = "HardwareFulfillment"
COMMUNICATE_TPM: Final = "CommunicateTPMToDownstream"
UPDATE_THROTTLING: Final = "UpdateThrottlingInSDC"

UPSCALE_IDS: Final = (GATHER_PROJECTION, HARDWARE_ORDER, FULFILLMENT, COMMUNICATE_TPM, UPDATE_THROTTLING)
DESCALE_IDS: Final = ("GatherDescaleProjections", "PlaceDescaleOrder", "DescaleFulfillment", "RestoreThrottling")
SUB_IDS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType({HARDWARE_ORDER: (PLACE_ORDER, ORDER_APPROVAL)})
ALL_UPSCALE_IDS: Final = tuple(sub for top in UPSCALE_IDS for sub in (top, *SUB_IDS.get(top, ())))
ALL_IDS: Final = (*ALL_UPSCALE_IDS, *DESCALE_IDS)
PARENT_OF: Final[Mapping[str, str]] = MappingProxyType({sub: top for top, subs in SUB_IDS.items() for sub in subs})
HARDWARE_IDS: Final = frozenset((HARDWARE_ORDER, PLACE_ORDER, ORDER_APPROVAL, FULFILLMENT))

NOT_STARTED: Final = "NotStarted"
IN_PROGRESS: Final = "InProgress"
COMPLETED: Final = "Completed"
PENDING_ON_EPIC: Final = "PendingOnEPIC"
PENDING_ON_OWNER: Final = "PendingOnServiceOwner"
BLOCKED: Final = "Blocked"
STATUSES: Final = (NOT_STARTED, IN_PROGRESS, COMPLETED, PENDING_ON_EPIC, PENDING_ON_OWNER, BLOCKED)

HUMAN: Final = "Human"
AUTOMATED: Final = "Automated"

DAYS_BEFORE_PEAK: Final[Mapping[str, int]] = MappingProxyType(
    {GATHER_PROJECTION: 45, HARDWARE_ORDER: 30, COMMUNICATE_TPM: 14, FULFILLMENT: 10, UPDATE_THROTTLING: 7}
)
DAYS_AFTER_PEAK: Final[Mapping[str, int]] = MappingProxyType(dict(zip(DESCALE_IDS, (3, 5, 14, 14), strict=True)))


def roll_up(statuses: Sequence[str]) -> str:
    """The status of a parent whose subs, in order, have `statuses`."""
    if all(status == COMPLETED for status in statuses):
        return COMPLETED
    if BLOCKED in statuses:
        return BLOCKED
    for status in statuses:
        if status in (PENDING_ON_EPIC, PENDING_ON_OWNER):
            return status
    if all(status == NOT_STARTED for status in statuses):
        return NOT_STARTED
    return IN_PROGRESS


@lru_cache(maxsize=1024)
def automatic_etas(peak_start: str, peak_end: str) -> Mapping[str, str]:
    """The ETA of every milestone nobody set by hand, by id; sub-milestones go by their parent's."""
    before = {name: days_from(peak_start, -days) for name, days in DAYS_BEFORE_PEAK.items()}
    after = {name: days_from(peak_end, days) for name, days in DAYS_AFTER_PEAK.items()}
    return MappingProxyType(before | after)


def unstarted(milestone_id: str, etas: Mapping[str, str]) -> Milestone:
    """A milestone nobody has touched: NotStarted, its automatic ETA, no message."""
    milestone: Milestone = {"EventMilestoneId": milestone_id, "MilestoneCompletionStatus": NOT_STARTED}
    if milestone_id in etas:
        milestone["ETA"] = etas[milestone_id]
    milestone["Source"] = AUTOMATED
    if milestone_id in SUB_IDS:
        milestone["SubMilestones"] = [unstarted(sub, etas) for sub in SUB_IDS[milestone_id]]
    return milestone


def leaves(plan: Plan) -> Iterator[tuple[Milestone, str]]:
    """The upscale milestones without subs, in order, each with the ETA it goes by (a sub by its parent's)."""
    for milestone in plan["EventMilestone"]:
        for leaf in milestone.get("SubMilestones") or (milestone,):
            yield leaf, milestone["ETA"]


def by_id(plan: Plan) -> dict[str, Milestone]:
    """Every milestone of the plan, subs and descale milestones included."""
    found: dict[str, Milestone] = {}
    for milestone in (*plan["EventMilestone"], *plan["EventDescaleMilestone"]):
        found[milestone["EventMilestoneId"]] = milestone
        for sub in milestone.get("SubMilestones", ()):
            found[sub["EventMilestoneId"]] = sub
    return found
