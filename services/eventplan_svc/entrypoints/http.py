"""The HTTP paths of plans: themselves, many of them at once, their milestones and versions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from services.eventplan_svc.app.read_plans import FILTERS, ReadPlans
from services.eventplan_svc.domain.plan import plan_id
from shared.clock import Clock
from shared.messaging.commands import Command
from shared.resources import DocumentHandlers
from shared.schemas.eventplan_svc import (
    EVENT_PLAN,
    CreateEventPlan,
    EventPlanSnapshot,
    PlanCommand,
    PlanKeys,
    ReplaceMilestones,
    RestoreEventPlan,
    SetMilestone,
    SetMilestoneStatus,
)
from shared.schemas.validation import validated
from shared.web import (
    PAGING,
    Handler,
    Parameter,
    Routes,
    operation_id_of,
    page_of,
    page_response,
    query_of,
)

_PLAN: Final = "/eventplan/{EventId}/{FleetId}"


def routes(
    commands: Sequence[Command[Any]],
    read_plans: ReadPlans,
    clock: Clock,
) -> Routes:
    """All of them; fixed last segments come before ``{VersionId}``."""
    plans = _Plans(read_plans, clock)
    made = Routes("EventPlan", "Every fleet's milestones for every event, and who is ready.")
    add = partial(made.add, response=EventPlanSnapshot)
    of = {command.model: command for command in commands}
    filters = [Parameter(name, f"Only those with this {name}.", of=EVENT_PLAN.type_of(name)) for name in FILTERS]
    listed = [*filters, *PAGING]

    def read(path: str, handler: Handler, name: str, summary: str, **page: Any) -> None:
        add("GET", path, handler, action="eventplan.read", operation_id=name, summary=summary, **page)

    def write(method: str, path: str, model: type[PlanCommand], summary: str) -> None:
        command, name = of[model], operation_id_of(model)
        handler = partial(plans.restore if model is RestoreEventPlan else plans.write, command)
        add(method, path, handler, action=command.action, operation_id=name, summary=summary, body=model)

    async def matching(request: Request) -> Response:
        query = query_of(request, listed)
        page = page_of(query)
        where = {name: query[name] for name in FILTERS if name in query}
        found = await read_plans.matching(where, after=page.after, limit=page.limit)
        return page_response([item.wire() for item in found.items], found.next_after)

    write("POST", "/eventplan", CreateEventPlan, "Make a plan by hand")
    plans.add_batch(made, "/eventplan", "eventplan.read", "EventPlans", response=EventPlanSnapshot, body=PlanKeys)
    read("/eventplan", matching, "listEventPlans", "List plans", many=True, parameters=listed)
    read(_PLAN, plans.latest, "getEventPlan", "A plan, in the colours of the moment")
    newest_first, one = "Every version of a plan, newest first", "One version of a plan"
    read(f"{_PLAN}/versions", plans.history, "listEventPlanVersions", newest_first, many=True, parameters=PAGING)
    read(f"{_PLAN}/versions/{{VersionId}}", plans.version, "getEventPlanVersion", one)
    plans.add_difference(made, _PLAN, "eventplan.read", "EventPlan", one="a plan")
    read(f"{_PLAN}/{{VersionId}}", plans.version, "getEventPlanByVersion", one)
    write("PUT", f"{_PLAN}/milestones", ReplaceMilestones, "Replace all milestones")
    write("PUT", f"{_PLAN}/milestone", SetMilestone, "Change a milestone's status, message or ETA")
    write("PUT", f"{_PLAN}/status", SetMilestoneStatus, "Set a milestone's status")
    path, summary = f"{_PLAN}/versions/{{VersionId}}/restore", "Make a plan's milestones what a former version holds"
    write("POST", path, RestoreEventPlan, summary)
    return made


class _Plans(DocumentHandlers):
    def wanted(self, body: Any) -> Mapping[str, str]:
        keys = validated(PlanKeys, body)
        return {plan_id(keys.event_id, fleet_id): fleet_id for fleet_id in keys.fleet_ids}
