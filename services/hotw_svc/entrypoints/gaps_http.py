"""The routes that show gaps, and a fleet's need and orders day by day."""

from __future__ import annotations

from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from services.hotw_svc.adapters.queries.queries import Queries
from shared.clock import Clock
from shared.errors import BadInput, FieldError
from shared.schemas.base import Id
from shared.schemas.hotw_views import DayOfFleet, GapView
from shared.web import PAGING, Parameter, Routes, checked_ids, page_of, page_response, query_of

_GAPS: Final = (Parameter("EventId", "The event; it has to be given.", of=Id, required=True), *PAGING)


def gap_routes(queries: Queries, clock: Clock) -> Routes:
    """4.223, 4.224."""

    async def gaps(request: Request) -> Response:
        query = query_of(request, _GAPS)
        if "EventId" not in query:
            raise BadInput("the query lacks a parameter", [FieldError("/EventId", "give the event")])
        page = page_of(query, str)
        found = await queries.gaps(query["EventId"], after=page.after, limit=page.limit)
        return page_response(found.items, found.next_after)

    async def series(request: Request) -> Response:
        query_of(request)
        keys = checked_ids(request.path_params)
        return page_response((await queries.series(keys["EventId"], keys["FleetId"], clock.now())).items, None)

    made = Routes("Gaps", "Which fleets lack hosts since an input changed.")
    made.add(
        "GET",
        "/hotw/gap",
        gaps,
        action="hotw.gap.read",
        operation_id="listGaps",
        summary="The open gaps of an event",
        response=GapView,
        many=True,
        parameters=_GAPS,
    )
    made.add(
        "GET",
        "/hotw/series/{EventId}/{FleetId}",
        series,
        action="hotw.gap.read",
        operation_id="getDailySeries",
        summary="A fleet's need, orders and gap at the end of each day",
        response=DayOfFleet,
        many=True,
    )
    return made
