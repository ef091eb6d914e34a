"""Which plans changed colour, and why (4.155)."""

from __future__ import annotations

from dataclasses import dataclass

from services.eventplan_svc.domain.milestones import Milestone
from services.eventplan_svc.domain.plan import Plan
from services.eventplan_svc.domain.readiness import worst
from shared.schemas.eventplan_svc import MilestoneId, PeakReadyStatus


@dataclass(frozen=True, slots=True)
class ColourChange:
    """A plan's change from one colour to another, the milestone that made it, and why in words."""

    before: PeakReadyStatus
    after: PeakReadyStatus
    milestone_id: MilestoneId
    reason: str


def changed_colour(before: Plan, after: Plan) -> bool:
    """Whether a write of a plan is a change of its colour: dashboards show the plan, in another colour than before."""
    return after.closed is None and after.colour is not before.colour


def colour_change(before: Plan, after: Plan) -> ColourChange | None:
    """The change that a write was; None where it was none.

    A plan that got worse has its new colour by the first milestone that took it. One that got better had its former
    colour until the last milestone left it. Both colours are those of the two versions, so a change by the clock is
    one like any other.
    """
    if not changed_colour(before, after):
        return None
    former = {one.id: one for one in before.milestones}
    turned = [(former[new.id], new) for new in after.milestones if former[new.id].colour is not new.colour]
    if worst((before.colour, after.colour)) is after.colour:
        old, new = next((old, new) for old, new in turned if new.colour is after.colour)
    else:
        old, new = next((old, new) for old, new in reversed(turned) if old.colour is before.colour)
    leaf = next((sub for sub, was in zip(new.subs, old.subs, strict=True) if sub.status is not was.status), new)
    return ColourChange(before.colour, after.colour, leaf.id, _reason(old, new, leaf))


def _reason(old: Milestone, new: Milestone, leaf: Milestone) -> str:
    if new.status is old.status:  # only the day or the ETA can have turned the colour
        moved = f"ETA moved from {old.eta} to {new.eta}"
        if new.colour is PeakReadyStatus.RED:
            return f"ETA {new.eta} has passed" if new.eta == old.eta else f"{moved}, which has passed"
        return moved
    return leaf.status if leaf.message is None else f"{leaf.status}: {leaf.message}"
