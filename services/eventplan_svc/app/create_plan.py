"""Use case: a person makes one plan by hand."""

from __future__ import annotations

from services.eventplan_svc.app.planner import Planner
from services.eventplan_svc.app.read_models import ReadModels
from services.eventplan_svc.domain.changes import check_keys
from services.eventplan_svc.domain.lifecycle import check_creation_by_hand, new_plan, plan_template
from services.eventplan_svc.domain.milestones import utc_day
from services.eventplan_svc.domain.plan import Plan, plan_id
from shared.cause import Cause
from shared.documents import Written
from shared.errors import Conflict, NotFound, Refused
from shared.schemas.eventplan_svc import CreateEventPlan


async def create_plan(command: CreateEventPlan, cause: Cause, *, planner: Planner) -> Written:
    """Makes the plan; closed where the fleet's region is not among the event's (6.1.19c). Idempotent by the cause's id.

    NotFound: event or fleet unknown or deleted. Conflict: the plan is there already, its service is deleted or not
    Registered, or its event is inactive or past. BadInput: EventPlanId or ServiceId is not the plan's.
    """
    key = plan_id(command.event_id, command.fleet_id)
    since = await planner.read_models.generation()
    outcome = await _planned(command, cause, planner.read_models)

    def decide(present: Plan | None) -> Plan:
        if present is not None:
            raise Conflict(f"EventPlan {key} is there already", slug="exists")
        if isinstance(outcome, Refused):
            raise outcome
        return outcome

    written = await planner.plans.write(key, decide, cause)
    if written.changed and await planner.read_models.generation() != since:
        await planner.refresh({key: cause.trace})
    return written


async def _planned(command: CreateEventPlan, cause: Cause, read_models: ReadModels) -> Plan | Refused:
    """The plan, or why it may not be made: the write raises that, and keeps it under the cause's id."""
    event = await read_models.events.get(command.event_id)
    if event is None or event.deleted:
        return NotFound(f"there is no Event {command.event_id}")
    fleet = await read_models.fleets.get(command.fleet_id)
    if fleet is None or fleet.deleted:
        return NotFound(f"there is no Fleet {command.fleet_id}")
    [inputs] = await read_models.inputs_of_fleets(event, [fleet])
    try:
        check_creation_by_hand(inputs, utc_day(cause.now))
        plan = new_plan(plan_template(event, cause.now), inputs, cause.now)
        check_keys(plan, command)
    except Refused as refusal:
        return refusal
    return plan
