"""Use cases: a person sets a milestone's status, changes its details, or replaces all milestones of a plan.

A request that changes nothing makes no version. Idempotent by the cause's id. NotFound: there is no such plan.
BadInput, Conflict: what the rule refuses. Stale: the plan is not at the version of If-Match any more.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TypeVar

from services.eventplan_svc.app.plan_store import PlanStore
from services.eventplan_svc.app.read_models import ReadModels
from services.eventplan_svc.app.refresh_plans import refresh_plans
from services.eventplan_svc.domain import changes
from services.eventplan_svc.domain.facts import Facts
from services.eventplan_svc.domain.plan import Plan, plan_id
from shared.cause import Cause
from shared.clock import Clock
from shared.documents.contract import Written
from shared.errors import NotFound
from shared.schemas.eventplan_svc import PlanCommand, ReplaceMilestones, SetMilestone, SetMilestoneStatus

C = TypeVar("C", bound=PlanCommand)


async def set_milestone_status(
    command: SetMilestoneStatus, cause: Cause, *, plans: PlanStore, read_models: ReadModels, clock: Clock
) -> Written:
    """Sets the status of a milestone or sub, and its message where one is given."""
    return await _change(changes.set_milestone_status, command, cause, plans, read_models, clock)


async def set_milestone(
    command: SetMilestone, cause: Cause, *, plans: PlanStore, read_models: ReadModels, clock: Clock
) -> Written:
    """Sets what is given of a milestone's status, message and ETA."""
    return await _change(changes.set_milestone, command, cause, plans, read_models, clock)


async def replace_milestones(
    command: ReplaceMilestones, cause: Cause, *, plans: PlanStore, read_models: ReadModels, clock: Clock
) -> Written:
    """Replaces all milestones, and all descale milestones where they are given."""
    return await _change(changes.replace_milestones, command, cause, plans, read_models, clock)


async def _change(
    rule: Callable[[Plan, C, Facts, datetime], Plan],
    command: C,
    cause: Cause,
    plans: PlanStore,
    read_models: ReadModels,
    clock: Clock,
) -> Written:
    key = plan_id(command.event_id, command.fleet_id)
    facts = await read_models.facts_of(key)

    def decide(present: Plan | None) -> Plan:
        if present is None:
            raise NotFound(f"there is no EventPlan {key}")
        changes.check_keys(present, command)
        return rule(present, command, facts, cause.now)

    written = await plans.write(key, decide, cause, expected=cause.expected_version)
    if written.changed and await read_models.facts_of(key) != facts:  # the rule went by older facts
        await refresh_plans({key: cause.trace}, plans=plans, read_models=read_models, clock=clock)
    return written
