"""Use case: make the plans that are due, for every fleet of every Registered service and every event to come.

Whichever of event, service and fleet becomes known last makes them.
"""

from __future__ import annotations

from collections.abc import Sequence

from services.eventplan_svc.app.plan_store import PlanStore, automatic
from services.eventplan_svc.app.read_models import ReadModels
from services.eventplan_svc.app.refresh_plans import refresh_plans
from services.eventplan_svc.domain.inputs import Event, Fleet
from services.eventplan_svc.domain.lifecycle import new_plan, plan_template
from services.eventplan_svc.domain.milestones import utc_day
from shared.clock import Clock
from shared.trace import Trace


async def plan_event(
    event: Event, trace: Trace, *, since: int, plans: PlanStore, read_models: ReadModels, clock: Clock
) -> int:
    """Makes the plans of all fleets that are due and not there; how many. The cost is linear in the fleets."""
    if not event.takes_plans(utc_day(clock.now())):
        return 0
    made = 0
    with plans.creating_many():
        async for fleets in read_models.fleets.pages():
            made += await plan_fleets(
                fleets, [event], trace, since=since, plans=plans, read_models=read_models, clock=clock
            )
    return made


async def plan_fleets(
    fleets: Sequence[Fleet],
    events: Sequence[Event],
    trace: Trace,
    *,
    since: int,
    plans: PlanStore,
    read_models: ReadModels,
    clock: Clock,
) -> int:
    """The same for some fleets and events. Idempotent: a plan that is there stays as it is.

    ``since`` is the generation from before fleets and events were read. Where it has grown since, the plans made are
    refreshed: whoever handled the change may have found no plan to refresh.
    """
    made: list[str] = []
    now = clock.now()
    today = utc_day(now)
    for event in events:
        planless = [fleet for fleet in fleets if not plans.is_known(event.event_id, fleet.fleet_id)]
        if not planless or not event.takes_plans(today):
            continue
        template = plan_template(event, now)
        inputs = await read_models.inputs_of_fleets(event, planless)
        due = [new_plan(template, one, now) for one in inputs if one.is_due(today)]
        made += await plans.create_missing(due, automatic(now, trace, f"Planned for {event.event_id}"))
    if made and await read_models.generation() != since:
        await refresh_plans(dict.fromkeys(made, trace), plans=plans, read_models=read_models, clock=clock)
    return len(made)
