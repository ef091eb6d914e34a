"""The routes of the calendar that show the dates of Events as well. Its other routes are those of every resource."""

from __future__ import annotations

import asyncio
from hashlib import blake2b
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from services.event_svc.app.read_calendar import SORTS, CalendarView
from services.event_svc.domain.event_dates import event_of
from services.event_svc.entrypoints.icalendar_file import MEDIA_TYPE, to_icalendar
from shared.clock import Clock
from shared.conditions import entity_tag
from shared.resources import DocumentHandlers, sort_of, sort_parameter
from shared.schemas.base import DayOrInstant, Id
from shared.schemas.event_svc.calendar import CalendarKind, CalendarQuery, CalendarRead, EntryId
from shared.schemas.validation import validated
from shared.web import PAGING, Parameter, Routes, bad_cursor, json_response, page_of, page_response, query_of

_FILTERS: Final = (
    Parameter("From", "Only what ends after this day or time begins.", of=DayOrInstant),
    Parameter("To", "Only what begins before this day or time ends.", of=DayOrInstant),
    Parameter("EventId", "Only those with this EventId.", of=Id),
    Parameter("Kind", "Only those with this Kind.", of=CalendarKind),
)
_LISTED: Final = (*_FILTERS, *sort_parameter(SORTS), *PAGING)


def calendar_routes(view: CalendarView, clock: Clock) -> Routes:
    """The list, one entry, and the calendar to subscribe to (4.270, 4.271)."""
    do = _Handlers(view, clock)
    routes = Routes("Calendar", "What happens around Events, and when.", path_types={"CalendarId": EntryId})

    def read(path: str, handler: Any, operation_id: str, summary: str, **options: Any) -> None:
        routes.add("GET", path, handler, action="calendar.read", operation_id=operation_id, summary=summary, **options)

    summary = "List Calendar entries and the dates of Events, by their beginning"
    read(
        "/calendar",
        do.list,
        "listCalendars",
        summary,
        many=True,
        response=CalendarRead,
        parameters=_LISTED,
    )
    summary = "The calendar as iCalendar (RFC 5545), to subscribe to"
    read("/calendar.ics", do.subscribe, "getCalendarFile", summary, parameters=_FILTERS, media_type=MEDIA_TYPE)
    summary = "The latest version of a Calendar entry, or a date of an Event"
    read("/calendar/{CalendarId}", do.latest, "getCalendar", summary, response=CalendarRead)
    return routes


class _Handlers(DocumentHandlers):
    def __init__(self, view: CalendarView, clock: Clock) -> None:
        super().__init__(view.entries, clock)
        self._view = view

    async def list(self, request: Request) -> Response:
        query = query_of(request, _LISTED)
        sort, page = query.get("Sort", "Start"), page_of(query, list)
        by, descending = sort_of(sort, SORTS)
        after = None if page.after is None else _place_in(page.after, sort)
        items, place = await self._view.page(_asked(query), by=by, descending=descending, after=after, limit=page.limit)
        return page_response([_shown(item) for item in items], place and (sort, *place))

    async def latest(self, request: Request) -> Response:
        calendar_id = request.path_params["CalendarId"]
        if event_of(calendar_id) is None:
            return await super().latest(request)
        query_of(request)
        entry = await self._view.of_event(calendar_id)
        return json_response(_shown(entry), etag=entity_tag(entry.version_id))

    async def subscribe(self, request: Request) -> Response:
        entries = await self._view.all(_asked(query_of(request, _FILTERS)))
        file = await asyncio.to_thread(to_icalendar, entries)  # thousands of entries take a second
        return Response(file, headers={"etag": _tag_of(file)}, media_type=MEDIA_TYPE)


def _place_in(after: list[Any], sort: str) -> tuple[str, str]:
    """The place in a cursor, which belongs to one order."""
    match after:
        case [str() as of, str() as value, str() as calendar_id] if of == sort:
            return value, calendar_id
    raise bad_cursor()


def _tag_of(file: bytes) -> str:
    return f'"{blake2b(file, digest_size=8).hexdigest()}"'


def _asked(query: dict[str, Any]) -> CalendarQuery:
    return validated(CalendarQuery, {one.name: query[one.name] for one in _FILTERS if one.name in query})


def _shown(entry: CalendarRead) -> dict[str, Any]:
    return entry.model_dump(mode="json", by_alias=True, exclude_unset=True, exclude_none=True)
