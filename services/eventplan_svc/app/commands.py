"""The commands of eventplan_svc."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from shared.cause import Cause
from shared.documents import Written
from shared.schemas.eventplan_svc import (
    CreateEventPlan,
    PlanCommand,
    ReplaceMilestones,
    SetMilestone,
    SetMilestoneStatus,
)

C = TypeVar("C", bound=PlanCommand)
UseCase = Callable[[C, Cause], Awaitable[Written]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Commands:
    """The use cases that HTTP and the command topic both call, with what they need."""

    create_plan: UseCase[CreateEventPlan]
    set_milestone_status: UseCase[SetMilestoneStatus]
    set_milestone: UseCase[SetMilestone]
    replace_milestones: UseCase[ReplaceMilestones]
