"""The colour of a plan on a day, of its wire form and by the contract alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_COLOUR_OF = {
    "Completed": "Green",
    "InProgress": "Yellow",
    "PendingOnEPIC": "Yellow",
    "PendingOnServiceOwner": "Yellow",
}


def colour_on(day: str, plan: Mapping[str, Any]) -> str:
    """The worst of its milestones, of which one that is not completed is Red once its ETA has passed."""
    colours = set()
    for one in plan["EventMilestone"]:
        status = one["MilestoneCompletionStatus"]
        late = status != "Completed" and one.get("ETA", day) < day
        colours.add("Red" if late else _COLOUR_OF.get(status, "Red"))
    return next(name for name in ("Red", "Yellow", "Green") if name in colours)
