"""Use case: a person sets a milestone's status, changes its details, or replaces all milestones of a plan."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TypeVar

from services.eventplan_svc.app.planner import Planner
from services.eventplan_svc.domain.changes import check_keys
from services.eventplan_svc.domain.facts import Facts
from services.eventplan_svc.domain.plan import Plan, plan_id
from shared.cause import Cause
from shared.documents import Written
from shared.errors import NotFound
from shared.schemas.eventplan_svc import PlanCommand

C = TypeVar("C", bound=PlanCommand)


async def change_milestones(
    command: C, cause: Cause, *, rule: Callable[[Plan, C, Facts, datetime], Plan], planner: Planner
) -> Written:
    """The plan after the command's rule. A command that changes nothing makes no version. Idempotent by the cause's id.

    NotFound: there is no such plan. BadInput, Conflict: what the rule refuses. Stale: the condition does not hold
    for the plan.
    """
    key = plan_id(command.event_id, command.fleet_id)
    facts = await planner.read_models.facts_of(key)
    gathering_turned = False

    def decide(present: Plan | None) -> Plan:
        nonlocal gathering_turned
        if present is None:
            raise NotFound(f"there is no EventPlan {key}")
        check_keys(present, command)
        after = rule(present, command, facts, cause.now)
        gathering_turned = after.is_gathered != present.is_gathered
        return after

    written = await planner.plans.write(key, decide, cause)
    # What else follows from gathered projections is automation's; or the rule went by older facts.
    if written.changed and (gathering_turned or await planner.read_models.facts_of(key) != facts):
        await planner.refresh({key: cause.trace})
    return written
