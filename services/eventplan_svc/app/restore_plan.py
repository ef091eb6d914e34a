"""Use case: a person makes the milestones of a plan what a former version holds."""

from __future__ import annotations

from datetime import datetime

from services.eventplan_svc.app.change_milestones import change_milestones
from services.eventplan_svc.app.plan_codec import decode_plan
from services.eventplan_svc.app.planner import Planner
from services.eventplan_svc.app.read_plans import ReadPlans
from services.eventplan_svc.domain.changes import restore_milestones
from services.eventplan_svc.domain.facts import Facts
from services.eventplan_svc.domain.plan import Plan, plan_id
from shared.cause import Cause
from shared.documents import Written
from shared.errors import NotFound
from shared.resources import with_reason
from shared.schemas.eventplan_svc import RestoreEventPlan


async def restore_plan(command: RestoreEventPlan, cause: Cause, *, planner: Planner, read_plans: ReadPlans) -> Written:
    """As ``change_milestones``. NotFound: there is no such plan, or it has no such version."""
    former = await _former(command, read_plans)

    def rule(plan: Plan, _: RestoreEventPlan, facts: Facts, now: datetime) -> Plan:
        if isinstance(former, NotFound):
            raise former  # here, so that the same request again gets the same answer
        return restore_milestones(plan, former, facts, now)

    return await change_milestones(command, with_reason(cause, command), rule=rule, planner=planner)


async def _former(command: RestoreEventPlan, read_plans: ReadPlans) -> Plan | NotFound:
    try:
        version = await read_plans.version(plan_id(command.event_id, command.fleet_id), command.version_id)
    except NotFound as missing:
        return missing
    return decode_plan(version.state)
