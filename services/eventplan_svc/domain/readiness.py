"""The colours: how ready a milestone and a plan are on a given UTC day.

`PeakReadyStatus` is computed at every read; what is stored is only the colour of the last write, kept so that a sweep
can tell which plans turned since.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from services.eventplan_svc.domain.milestones import BLOCKED, COMPLETED, NOT_STARTED, Milestone, Plan

GREEN: Final = "Green"
YELLOW: Final = "Yellow"
RED: Final = "Red"
COLOURS: Final = (GREEN, YELLOW, RED)


def status_colour(status: str) -> str:
    """The colour a status has while its ETA has not passed."""
    if status == COMPLETED:
        return GREEN
    return RED if status in (NOT_STARTED, BLOCKED) else YELLOW


def milestone_colour(milestone: Milestone, today: str) -> str:
    """Red as well where the ETA passed (at its 24:00 UTC) and the milestone is not Completed."""
    status: str = milestone["MilestoneCompletionStatus"]
    if status != COMPLETED and milestone["ETA"] < today:
        return RED
    return status_colour(status)


def worst(colours: Iterable[str]) -> str:
    """The worst of the colours; Green where there is none."""
    found = set(colours)
    return RED if RED in found else YELLOW if YELLOW in found else GREEN


def plan_colour(plan: Plan, today: str) -> str:
    """A plan has its worst milestone's colour; descale milestones never colour it."""
    return worst(milestone_colour(milestone, today) for milestone in plan["EventMilestone"])


def coloured(plan: Plan, today: str) -> Plan:
    """The plan with every PeakReadyStatus as of `today`; the very same object where no colour turned."""
    colours = [milestone_colour(milestone, today) for milestone in plan["EventMilestone"]]
    whole = worst(colours)
    if whole == plan.get("PeakReadyStatus") and all(
        milestone.get("PeakReadyStatus") == colour
        for milestone, colour in zip(plan["EventMilestone"], colours, strict=True)
    ):
        return plan
    milestones = [
        milestone if milestone.get("PeakReadyStatus") == colour else {**milestone, "PeakReadyStatus": colour}
        for milestone, colour in zip(plan["EventMilestone"], colours, strict=True)
    ]
    return {**plan, "PeakReadyStatus": whole, "EventMilestone": milestones}


def turned(before: Plan, after: Plan) -> list[str]:
    """The ids of the milestones whose stored colour differs between two states of a plan, in order."""
    return [
        new["EventMilestoneId"]
        for old, new in zip(before["EventMilestone"], after["EventMilestone"], strict=True)
        if old.get("PeakReadyStatus") != new.get("PeakReadyStatus")
    ]


def next_turn(plan: Plan) -> str | None:
    """The first ETA whose passing turns a stored colour (`coloured` then differs); None for a plan that stays so."""
    return min(
        (
            milestone["ETA"]
            for milestone in plan["EventMilestone"]
            if milestone["MilestoneCompletionStatus"] != COMPLETED and milestone["PeakReadyStatus"] != RED
        ),
        default=None,
    )


def is_ready(plan: Plan) -> bool:
    """Whether the plan is open and every milestone Completed, which alone is Green on any day."""
    return "Closed" not in plan and all(
        milestone["MilestoneCompletionStatus"] == COMPLETED for milestone in plan["EventMilestone"]
    )


def became_ready(before: Plan | None, after: Plan) -> bool:
    """Whether the write from `before` (None: the plan was just made) to `after` calls for `eventplan.ready`."""
    return is_ready(after) and (before is None or not is_ready(before))
