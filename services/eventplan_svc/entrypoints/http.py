"""The HTTP paths of eventplan_svc: plans, their milestones and versions, and the readiness dashboard."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from services.eventplan_svc.app.commands import C, Commands, UseCase
from services.eventplan_svc.app.read_plans import ReadPlans
from services.eventplan_svc.app.show_dashboard import Dashboard
from shared.clock import Clock
from shared.schemas.eventplan_svc import (
    CreateEventPlan,
    DashboardQuery,
    EventPlanSnapshot,
    ReplaceMilestones,
    SetMilestone,
    SetMilestoneStatus,
)
from shared.schemas.validation import validated
from shared.web import (
    PAGING,
    Handler,
    Parameter,
    Routes,
    checked_ids,
    cursor_of,
    json_response,
    page_of,
    page_response,
    query_of,
    read_write,
    version_number,
    with_keys,
)

_PLAN: Final = "/eventplan/{EventId}/{FleetId}"
_FILTERS: Final[tuple[str, ...]] = ("EventId", "ServiceId", "FleetId")


def routes(
    commands: Commands,
    read_plans: ReadPlans,
    show_dashboard: Callable[[str, DashboardQuery, str | None], Awaitable[Dashboard]],
    clock: Clock,
) -> Routes:
    """All of them; fixed last segments come before ``{VersionId}``."""
    plans = _Plans(read_plans, clock)
    made, response = Routes("EventPlan"), EventPlanSnapshot
    filters = [Parameter(name, f"Only those with this {name}.") for name in _FILTERS]

    def read(path: str, handler: Handler, summary: str, **page: Any) -> None:
        made.add("GET", path, handler, action="eventplan.read", summary=summary, response=response, **page)

    def write(method: str, path: str, action: str, model: type[C], use_case: UseCase[C], summary: str) -> None:
        handler = plans.write(model, use_case)
        made.add(method, path, handler, action=action, summary=summary, body=model, response=response)

    write("POST", "/eventplan", "eventplan.create", CreateEventPlan, commands.create_plan, "Make a plan by hand")
    read("/eventplan", plans.matching, "List plans", many=True, parameters=[*filters, *PAGING])
    read(_PLAN, plans.latest, "A plan, in the colours of the moment")
    newest_first = "Every version of a plan, newest first"
    read(f"{_PLAN}/versions", plans.history, newest_first, many=True, parameters=PAGING)
    read(f"{_PLAN}/versions/{{VersionId}}", plans.version, "One version of a plan")
    read(f"{_PLAN}/{{VersionId}}", plans.version, "One version of a plan")
    update, whole = "milestone.update", "Replace all milestones"
    details, status = "Change a milestone's status, message or ETA", "Set a milestone's status"
    write("PUT", f"{_PLAN}/milestones", update, ReplaceMilestones, commands.replace_milestones, whole)
    write("PUT", f"{_PLAN}/milestone", update, SetMilestone, commands.set_milestone, details)
    write("PUT", f"{_PLAN}/status", update, SetMilestoneStatus, commands.set_milestone_status, status)

    async def dashboard(request: Request) -> Response:
        query_of(request, ())
        event_id = checked_ids(request.path_params)["EventId"]
        asked = read_write(request, clock).unconditional()
        query = validated(DashboardQuery, asked.body)
        after = page_of({"Cursor": query.cursor} if query.cursor else {}).after
        shown = await show_dashboard(event_id, query, after)
        return json_response(
            {
                "EventId": event_id,
                "Services": shown.services,
                "Totals": shown.totals,
                "NextCursor": cursor_of(shown.next_after),
            }
        )

    made.add(
        "PUT",
        "/event/{EventId}/dashboard",
        dashboard,
        action="eventplan.read",
        summary="Who is ready for an event",
        body=DashboardQuery,
        conditional=False,
    )
    return made


class _Plans:
    """The handlers of plans: read the request, call the use case, answer."""

    def __init__(self, read_plans: ReadPlans, clock: Clock) -> None:
        self._read = read_plans
        self._clock = clock

    async def latest(self, request: Request) -> Response:
        query_of(request, ())
        document = await self._read.latest(**_ids(request))
        return json_response(self._read.present_form(document), version=document.version)

    async def version(self, request: Request) -> Response:
        query_of(request, ())
        version = version_number(request)
        document = await self._read.version(**_ids(request), version=version)
        shown = document.wire() if version else self._read.present_form(document)
        return json_response(shown, version=document.version)

    async def history(self, request: Request) -> Response:
        page = page_of(query_of(request, ("Limit", "Cursor")), int)
        found = await self._read.history(**_ids(request), before=page.after, limit=page.limit)
        return page_response([item.wire() for item in found.items], found.next_before)

    async def matching(self, request: Request) -> Response:
        query = query_of(request, (*_FILTERS, "Limit", "Cursor"))
        page = page_of(query)
        where = {name: query[name] for name in _FILTERS if name in query}
        found = await self._read.matching(where, after=page.after, limit=page.limit)
        return page_response([self._read.present_form(item) for item in found.items], found.next_after)

    def write(self, model: type[C], use_case: UseCase[C]) -> Handler:
        async def write(request: Request) -> Response:
            query_of(request, ())
            asked = read_write(request, self._clock)
            body: dict[str, Any] = with_keys(asked.body, checked_ids(request.path_params))
            written = await use_case(validated(model, body), asked.cause)
            return json_response(self._read.present_form(written.document), version=written.document.version)

        return write


def _ids(request: Request) -> dict[str, str]:
    ids = checked_ids({name: request.path_params[name] for name in ("EventId", "FleetId")})
    return {"event_id": ids["EventId"], "fleet_id": ids["FleetId"]}
