"""The HTTP paths of what is shown of an event: the readiness and descale dashboards, and the readiness report."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from services.eventplan_svc.app.show_dashboard import ShowDashboard
from services.eventplan_svc.domain.dashboard import ServiceRows
from shared.clock import Clock
from shared.schemas.eventplan_svc import DashboardQuery
from shared.schemas.eventplan_views import ReadinessDashboard, ReadinessReport
from shared.schemas.hotw_svc import Purpose
from shared.schemas.validation import validated
from shared.web import (
    CSV,
    Routes,
    checked_ids,
    csv_response,
    cursor_of,
    json_response,
    offer_of,
    page_of,
    query_of,
    read_write,
)
from shared.web.openapi import JSON

_SERVICE: Final = ("ServiceId", "Owner", "LeaderAlias")
_FLEET: Final = (
    "FleetId",
    "Region",
    "PeakReadyStatus",
    "EventMilestone",
    "ETA",
    "StatusReasoning",
    "ActionPendingOn",
    "HostsMissing",
)
_AWAITED: Final = ("ActionPendingOn", "EventMilestone", "StatusReasoning", "ETA")


def dashboard_routes(dashboards: ShowDashboard, clock: Clock) -> Routes:
    """All of them. Each answers CSV as well, a dashboard then with all rows that its filters let through."""

    async def dashboard(purpose: Purpose, request: Request) -> Response:
        event_id = _event_of(request)
        body, _ = read_write(request, clock, conditional=False)
        query = validated(DashboardQuery, body)
        if offer_of(request, JSON) == CSV:
            every = await dashboards.every(event_id, query, purpose)
            return csv_response((*_SERVICE, *_FLEET), _rows(every), name=f"{event_id}-{purpose.lower()}.csv")
        place = str if query.sort is None else list
        after = page_of({"Cursor": query.cursor} if query.cursor else {}, place).after
        shown = await dashboards.page(event_id, query, after, purpose)
        board = {"EventId": event_id, "Services": shown.services, "Totals": shown.totals}
        return json_response({**board, "NextCursor": cursor_of(shown.next_after)})

    async def report(request: Request) -> Response:
        event_id = _event_of(request)
        shown = await dashboards.report(event_id)
        if offer_of(request, JSON) == CSV:
            columns = ("LeaderAlias", "ServiceId", "Owner", "PeakReadyStatus", "HostsMissing", *_AWAITED, "Fleets")
            return csv_response(columns, _report_rows(shown["Leaders"]), name=f"{event_id}-readiness.csv")
        return json_response(shown)

    made = Routes("Readiness", "Who is ready for an event, and what is awaited from whom.")
    add = partial(made.add, action="eventplan.read", also_offered=(CSV,))
    board = partial(add, "PUT", body=DashboardQuery, has_cause=False)
    board(
        "/event/{EventId}/dashboard",
        partial(dashboard, Purpose.UPSCALING),
        operation_id="showReadinessDashboard",
        summary="Who is ready for an event",
        response=ReadinessDashboard,
    )
    board(
        "/event/{EventId}/dashboard/descaling",
        partial(dashboard, Purpose.DESCALING),
        operation_id="showDescaleDashboard",
        summary="How far each fleet has come back from an event's hosts",
        response=ReadinessDashboard,
    )
    add(
        "GET",
        "/event/{EventId}/readiness",
        report,
        operation_id="getReadinessReport",
        summary="What an event still waits for, by leader and service, the worst first",
        response=ReadinessReport,
    )
    return made


def _event_of(request: Request) -> str:
    query_of(request)
    return checked_ids(request.path_params)["EventId"]


def _rows(services: Sequence[ServiceRows]) -> Iterator[list[Any]]:
    """A line for each fleet."""
    for one in services:
        shown = one.shown()
        service = [shown[name] for name in _SERVICE]
        for fleet in shown["Fleets"]:
            yield [*service, *(fleet[name] for name in _FLEET)]


def _report_rows(leaders: Sequence[dict[str, Any]]) -> Iterator[list[Any]]:
    """A line for each thing that a service waits for; one for a service that waits for nothing."""
    for leader in leaders:
        for service in leader["Services"]:
            own = [leader["LeaderAlias"], *(service[name] for name in ("ServiceId", "Owner"))]
            own += [service["PeakReadyStatus"], service["HostsMissing"]]
            for one in service["Awaited"] or [dict.fromkeys((*_AWAITED, "FleetIds"))]:
                yield [*own, *(one[name] for name in _AWAITED), " ".join(one["FleetIds"] or ())]
