"""The HTTP paths of what is shown of an event: the readiness and descale dashboards, the readiness report,
the trend and the changes of colour.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial
from typing import Annotated, Any, Final, Literal

from pydantic import WithJsonSchema
from starlette.requests import Request
from starlette.responses import Response

from services.eventplan_svc.app.colour_changes import ChangesPage
from services.eventplan_svc.app.show_dashboard import Dashboards
from services.eventplan_svc.domain.dashboard import ServiceRows
from shared.clock import Clock
from shared.schemas.base import Instant, WireDate
from shared.schemas.eventplan_svc import DashboardQuery
from shared.schemas.eventplan_views import ColourChange, ReadinessDashboard, ReadinessReport, Trend
from shared.schemas.hotw_svc import Purpose
from shared.schemas.validation import validated
from shared.web import (
    CSV,
    PAGING,
    Parameter,
    Routes,
    checked_ids,
    csv_response,
    cursor_of,
    json_response,
    offer_of,
    page_of,
    page_response,
    query_of,
    read_write,
)
from shared.web.openapi import JSON

_AS_OF: Final = Parameter("AsOf", "The dashboard as it stood then; one at a time for each caller.", of=Instant)
_Step = Annotated[Literal["day"], WithJsonSchema({"type": "string", "enum": ["day"]})]
_OF_TREND: Final = (
    Parameter("From", "The first day; 90 days are shown unless it is given.", of=WireDate),
    Parameter("To", "The last day; the last that is over unless given.", of=WireDate),
    Parameter("By", "The step of the trend.", of=_Step),
)
_OF_CHANGES: Final = (Parameter("Since", "Only changes at or after this time.", of=Instant), *PAGING)
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
    "OrderByDate",
)
_AWAITED: Final = ("ActionPendingOn", "EventMilestone", "StatusReasoning", "ETA")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadinessViews:
    """The use cases that show who is ready for an event, who was, and since when."""

    present: Callable[[str], Awaitable[Dashboards]]
    past: Callable[..., Awaitable[Dashboards]]
    trend: Callable[[str, date | None, date | None], Awaitable[list[dict[str, Any]]]]
    changes: Callable[..., Awaitable[ChangesPage]]


def dashboard_routes(views: ReadinessViews, clock: Clock) -> Routes:
    """All of them. Dashboards and report answer CSV as well, a dashboard then with all rows that its filters let
    through; the name of the file says where it is approximate.
    """

    async def dashboard(purpose: Purpose, request: Request) -> Response:
        at = query_of(request, [_AS_OF]).get(_AS_OF.name)
        event_id = checked_ids(request.path_params)["EventId"]
        body, cause = read_write(request, clock, conditional=False)
        query = validated(DashboardQuery, body)
        place = str if query.sort is None else list
        after = page_of({"Cursor": query.cursor} if query.cursor else {}, place).after
        found = await (views.present(event_id) if at is None else views.past(event_id, at=at, caller=cause.user))
        if offer_of(request, JSON) == CSV:
            name = f"{event_id}-{purpose.lower()}{'-approximate' if found.approximate else ''}.csv"
            return csv_response((*_SERVICE, *_FLEET), _rows(found.every(query, purpose)), name=name)
        shown = found.page(query, after, purpose)
        board = {"EventId": event_id, "Services": shown.services, "Totals": shown.totals}
        approximate = {"Approximate": True} if shown.approximate else {}
        return json_response({**board, "NextCursor": cursor_of(shown.next_after), **approximate})

    async def report(request: Request) -> Response:
        query_of(request)
        event_id = checked_ids(request.path_params)["EventId"]
        shown = (await views.present(event_id)).report()
        if offer_of(request, JSON) == CSV:
            columns = ("LeaderAlias", "ServiceId", "Owner", "PeakReadyStatus", "HostsMissing", *_AWAITED, "Fleets")
            return csv_response(columns, _report_rows(shown["Leaders"]), name=f"{event_id}-readiness.csv")
        return json_response(shown)

    async def trend(request: Request) -> Response:
        query = query_of(request, _OF_TREND)
        event_id = checked_ids(request.path_params)["EventId"]
        return json_response({"Items": await views.trend(event_id, query.get("From"), query.get("To"))})

    async def changes(request: Request) -> Response:
        query = query_of(request, _OF_CHANGES)
        event_id = checked_ids(request.path_params)["EventId"]
        page = page_of(query)
        found = await views.changes(event_id, since=query.get("Since"), after=page.after, limit=page.limit)
        return page_response(found.items, found.next_after)

    made = Routes("Readiness", "Who is ready for an event, and what is awaited from whom.")
    add = partial(made.add, action="eventplan.read", also_offered=(CSV,))
    board = partial(add, "PUT", parameters=[_AS_OF], body=DashboardQuery, has_cause=False)
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
    made.add(
        "GET",
        "/event/{EventId}/trend",
        trend,
        action="eventplan.read",
        operation_id="showReadinessTrend",
        summary="Plans by colour, day by day",
        parameters=_OF_TREND,
        response=Trend,
    )
    made.add(
        "GET",
        "/event/{EventId}/changes",
        changes,
        action="eventplan.read",
        operation_id="listColourChanges",
        summary="Which plans changed colour, and why",
        parameters=_OF_CHANGES,
        response=ColourChange,
        many=True,
    )
    return made


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
