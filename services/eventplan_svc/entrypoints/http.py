"""Owns the HTTP paths of eventplan_svc: plans, their milestones and versions, and the readiness dashboard."""

from __future__ import annotations

from typing import Final

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from services.eventplan_svc.app import UseCases
from services.eventplan_svc.app.change_plan import ChangePlan
from shared.clock import Clock
from shared.resources import checked_ids, document_response, page_response, version_number
from shared.schemas.eventplan_svc import (
    CreateEventPlan,
    DashboardQuery,
    EventPlanSnapshot,
    ReplaceMilestones,
    SetMilestone,
    SetMilestoneStatus,
)
from shared.web import PAGING, Handler, Parameter, Routes, cursor_of, json_response, page_of, query_of, read_write

__all__ = ["routes"]

_PLAN: Final = "/eventplan/{EventId}/{FleetId}"
_FILTERS: Final[tuple[str, ...]] = ("EventId", "ServiceId", "FleetId")


def routes(use_cases: UseCases, clock: Clock) -> Routes:
    """All of them; the fixed last segments before ``{VersionId}``."""
    do, made = _Reads(use_cases), Routes("EventPlan")
    read = EventPlanSnapshot
    filters = [Parameter(name, f"Only those with this {name}.") for name in _FILTERS]
    made.add(
        "POST",
        "/eventplan",
        _create(use_cases, clock),
        action="eventplan.create",
        summary="Make a plan by hand",
        body=CreateEventPlan,
        response=read,
    )
    made.add(
        "GET",
        "/eventplan",
        do.matching,
        action="eventplan.read",
        summary="List plans",
        response=read,
        many=True,
        parameters=[*filters, *PAGING],
    )
    made.add(
        "GET", _PLAN, do.latest, action="eventplan.read", summary="A plan, in the colours of the moment", response=read
    )
    made.add(
        "GET",
        f"{_PLAN}/versions",
        do.history,
        action="eventplan.read",
        summary="Every version of a plan, newest first",
        response=read,
        many=True,
        parameters=PAGING,
    )
    made.add(
        "GET",
        f"{_PLAN}/versions/{{VersionId}}",
        do.version,
        action="eventplan.read",
        summary="One version of a plan",
        response=read,
    )
    made.add(
        "GET",
        f"{_PLAN}/{{VersionId}}",
        do.version,
        action="eventplan.read",
        summary="One version of a plan",
        response=read,
    )
    changes: list[tuple[str, str, type[BaseModel], ChangePlan]] = [
        ("milestones", "Replace all milestones", ReplaceMilestones, use_cases.replace_milestones),
        ("milestone", "Change a milestone's status, message or ETA", SetMilestone, use_cases.set_milestone),
        ("status", "Set a milestone's status", SetMilestoneStatus, use_cases.set_milestone_status),
    ]
    for name, summary, body, use_case in changes:
        handler = _change(use_case, use_cases, clock)
        made.add(
            "PUT", f"{_PLAN}/{name}", handler, action="milestone.update", summary=summary, body=body, response=read
        )
    made.add(
        "PUT",
        "/event/{EventId}/dashboard",
        _dashboard(use_cases, clock),
        action="eventplan.read",
        summary="Who is ready for an event",
        body=DashboardQuery,
        conditional=False,
    )
    return made


class _Reads:
    def __init__(self, use_cases: UseCases) -> None:
        self._read = use_cases.read_plans

    async def latest(self, request: Request) -> Response:
        query_of(request, ())
        document = await self._read.latest(*_ids(request))
        return document_response(self._read.latest_view(document), document)

    async def version(self, request: Request) -> Response:
        query_of(request, ())
        version = version_number(request)
        document = await self._read.version(*_ids(request), version)
        return document_response(document.wire() if version else self._read.latest_view(document), document)

    async def history(self, request: Request) -> Response:
        page = page_of(query_of(request, ("Limit", "Cursor")), int)
        found = await self._read.history(*_ids(request), before=page.after, limit=page.limit)
        return page_response([item.wire() for item in found.items], found.next_before)

    async def matching(self, request: Request) -> Response:
        query = query_of(request, (*_FILTERS, "Limit", "Cursor"))
        page = page_of(query)
        where = {name: query[name] for name in _FILTERS if name in query}
        found = await self._read.matching(where, after=page.after, limit=page.limit)
        return page_response([self._read.latest_view(item) for item in found.items], found.next_after)


def _create(use_cases: UseCases, clock: Clock) -> Handler:
    async def create(request: Request) -> Response:
        query_of(request, ())
        asked = await read_write(request, clock)
        written = await use_cases.create_plan(asked.body, asked.cause)
        return document_response(use_cases.read_plans.latest_view(written.document), written.document)

    return create


def _change(use_case: ChangePlan, use_cases: UseCases, clock: Clock) -> Handler:
    async def change(request: Request) -> Response:
        query_of(request, ())
        event_id, fleet_id = _ids(request)
        asked = await read_write(request, clock)
        written = await use_case(event_id, fleet_id, asked.body, asked.cause, asked.cause.expected_version)
        return document_response(use_cases.read_plans.latest_view(written.document), written.document)

    return change


def _dashboard(use_cases: UseCases, clock: Clock) -> Handler:
    async def dashboard(request: Request) -> Response:
        query_of(request, ())
        event_id = checked_ids(request.path_params)["EventId"]
        asked = (await read_write(request, clock)).unconditional()
        cursor = asked.body.get("Cursor")
        page = page_of({"Cursor": cursor} if isinstance(cursor, str) else {})
        shown = await use_cases.show_dashboard(event_id, asked.body, page.after)
        return json_response(
            {
                "EventId": shown.event_id,
                "Services": shown.page.services,
                "Totals": shown.totals,
                "NextCursor": cursor_of(shown.page.next_after),
            }
        )

    return dashboard


def _ids(request: Request) -> tuple[str, str]:
    ids = checked_ids({name: request.path_params[name] for name in ("EventId", "FleetId")})
    return ids["EventId"], ids["FleetId"]
