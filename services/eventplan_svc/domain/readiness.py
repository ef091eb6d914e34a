"""The colours: how ready a milestone and a plan are on a UTC day.

A read computes the colours anew. A plan keeps those of its last write, so that a sweep finds the plans that turned.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Final

from services.eventplan_svc.domain.plan import Plan
from shared.schemas.eventplan_svc import MilestoneStatus, PeakReadyStatus

# By name, because each plan is asked several times, and an attribute of an enum or a method costs three times as much.
_COMPLETED: Final = MilestoneStatus.COMPLETED
_GREEN: Final = PeakReadyStatus.GREEN
_YELLOW: Final = PeakReadyStatus.YELLOW
_RED: Final = PeakReadyStatus.RED


COLOUR_OF: Final[Mapping[MilestoneStatus, PeakReadyStatus]] = {
    MilestoneStatus.NOT_STARTED: _RED,
    MilestoneStatus.IN_PROGRESS: _YELLOW,
    MilestoneStatus.PENDING_ON_EPIC: _YELLOW,
    MilestoneStatus.PENDING_ON_SERVICE_OWNER: _YELLOW,
    MilestoneStatus.BLOCKED: _RED,
    MilestoneStatus.COMPLETED: _GREEN,
}
"""The colour a status has until its ETA has passed."""


def milestone_colour(status: MilestoneStatus, eta: str | None, today: str) -> PeakReadyStatus:
    """The colour of the status; Red where the ETA passed (at its 24:00 UTC) and the milestone is not Completed."""
    if eta is not None and eta < today and status is not _COMPLETED:
        return _RED
    return COLOUR_OF[status]


def worst(colours: Iterable[PeakReadyStatus]) -> PeakReadyStatus:
    """The worst of the colours; Green where there is none."""
    found = set(colours)
    if _RED in found:
        return _RED
    return _YELLOW if _YELLOW in found else _GREEN


def coloured(plan: Plan, today: str) -> Plan:
    """The plan with every colour as of ``today``; the same object where no colour turned.

    A plan has its worst milestone's colour. Descale milestones have none.
    """
    colours = [milestone_colour(milestone.status, milestone.eta, today) for milestone in plan.milestones]
    if colours == [milestone.colour for milestone in plan.milestones]:
        return plan
    milestones = tuple(
        milestone if milestone.colour is colour else replace(milestone, colour=colour)
        for milestone, colour in zip(plan.milestones, colours, strict=True)
    )
    return replace(plan, colour=worst(colours), milestones=milestones)


def is_ready(plan: Plan) -> bool:
    """Whether the plan is open and every milestone Completed, which alone is Green on any day."""
    return plan.closed is None and all(milestone.status is _COMPLETED for milestone in plan.milestones)


def became_ready(before: Plan | None, after: Plan) -> bool:
    """Whether the write from ``before`` (None: the plan is new) to ``after`` calls for ``eventplan.ready``."""
    return is_ready(after) and (before is None or not is_ready(before))
