"""Owns the HTTP side of fleets; services and projections have the routes of every declared resource."""

from __future__ import annotations

from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from services.fleet_svc.app import (
    BASE_FILTERS,
    Fleets,
    Line,
    change_fleet,
    change_fleet_for_event,
    create_fleet,
    delete_fleet,
    report_inventory,
)
from shared.clock import Clock
from shared.resources import checked_ids, only_keys, page_response, version_number
from shared.schemas.fleet_svc import Fleet, FleetRead, Inventory
from shared.web import PAGING, Page, Parameter, Routes, etag, json_response, page_of, query_of, read_write

__all__ = ["fleet_routes"]

_FILTERS: Final = [Parameter(name, f"Only those with this {name}.") for name in BASE_FILTERS]


def fleet_routes(fleets: Fleets, clock: Clock) -> Routes:
    """The fleet's own line and its lines for events; words of the path come before ids, which are never those words."""
    do, routes = _Handlers(fleets, clock), Routes("Fleet")
    routes.add(
        "POST",
        "/fleet",
        do.create,
        action="fleet.create",
        summary="Create a Fleet, with EventId its line for the event as well",
        body=Fleet,
        response=FleetRead,
    )
    routes.add(
        "GET",
        "/fleet",
        do.list,
        action="fleet.read",
        summary="List Fleets: their own lines",
        response=FleetRead,
        many=True,
        parameters=[*_FILTERS, *PAGING],
    )
    routes.add(
        "GET",
        "/fleet/event/{EventId}",
        do.list_for_event,
        action="fleet.read",
        summary="All Fleets as they are for an event",
        response=FleetRead,
        many=True,
        parameters=[*_FILTERS, *PAGING],
    )
    routes.add(
        "PUT",
        "/fleet/{FleetId}/inventory",
        do.report_inventory,
        action="inventory.report",
        summary="Report how many hosts a Fleet has",
        body=Inventory,
        response=FleetRead,
        conditional=False,
    )
    of_base, of_line = "A Fleet's own line", "A Fleet's line for an event, else its own"
    for path, said in (("/fleet/{FleetId}", of_base), ("/fleet/{FleetId}/{EventId}", of_line)):
        routes.add(
            "GET",
            f"{path}/versions",
            do.history,
            action="fleet.read",
            summary=f"{said}: every version, newest first",
            response=FleetRead,
            many=True,
            parameters=PAGING,
        )
        routes.add(
            "GET",
            f"{path}/versions/{{VersionId}}",
            do.version,
            action="fleet.read",
            summary=f"{said}: one version",
            response=FleetRead,
        )
    routes.add("GET", "/fleet/{FleetId}", do.read, action="fleet.read", summary=of_base, response=FleetRead)
    routes.add(
        "PUT",
        "/fleet/{FleetId}",
        do.change,
        action="fleet.update",
        summary="Change a Fleet's own line by a merge patch",
        body=Fleet,
        response=FleetRead,
    )
    routes.add(
        "DELETE",
        "/fleet/{FleetId}",
        do.delete,
        action="fleet.delete",
        summary="Delete a Fleet with all of its lines",
        response=FleetRead,
    )
    routes.add("GET", "/fleet/{FleetId}/{EventId}", do.read, action="fleet.read", summary=of_line, response=FleetRead)
    routes.add(
        "PUT",
        "/fleet/{FleetId}/{EventId}",
        do.change_for_event,
        action="fleet.update",
        body=Fleet,
        response=FleetRead,
        summary="Change a Fleet's line for an event, made as a copy of its own the first time",
    )
    return routes


class _Handlers:
    def __init__(self, fleets: Fleets, clock: Clock) -> None:
        self.fleets = fleets
        self.clock = clock

    async def create(self, request: Request) -> Response:
        query_of(request, ())
        asked = await read_write(request, self.clock)
        return _answer(await create_fleet(self.fleets, asked.body, asked.cause))

    async def change(self, request: Request) -> Response:
        fleet_id = _ids(request)["FleetId"]
        asked = await read_write(request, self.clock)
        return _answer(await change_fleet(self.fleets, fleet_id, asked.body, asked.cause, asked.cause.expected_version))

    async def change_for_event(self, request: Request) -> Response:
        ids = _ids(request)
        asked = await read_write(request, self.clock)
        return _answer(
            await change_fleet_for_event(self.fleets, ids["FleetId"], ids["EventId"], asked.body, asked.cause)
        )

    async def delete(self, request: Request) -> Response:
        fleet_id = _ids(request)["FleetId"]
        asked = await read_write(request, self.clock)
        only_keys(asked.body, {"FleetId": fleet_id})
        written = await delete_fleet(self.fleets, fleet_id, asked.cause, asked.cause.expected_version)
        return _answer(Line(written.document))

    async def report_inventory(self, request: Request) -> Response:
        fleet_id = _ids(request)["FleetId"]
        asked = (await read_write(request, self.clock)).unconditional()
        return _answer(await report_inventory(self.fleets, fleet_id, asked.body, asked.cause))

    async def read(self, request: Request) -> Response:
        ids = _ids(request)
        if "EventId" in ids:
            return _answer(await self.fleets.for_event(ids["FleetId"], ids["EventId"]))
        return _answer(await self.fleets.base(ids["FleetId"]))

    async def history(self, request: Request) -> Response:
        ids = checked_ids(request.path_params)
        page = page_of(query_of(request, ("Limit", "Cursor")), int)
        lines, before = await self.fleets.history(
            ids["FleetId"], ids.get("EventId"), before=page.after, limit=page.limit
        )
        return page_response([line.view() for line in lines], before)

    async def version(self, request: Request) -> Response:
        query_of(request, ())
        ids = checked_ids({name: value for name, value in request.path_params.items() if name != "VersionId"})
        return _answer(await self.fleets.version(ids["FleetId"], ids.get("EventId"), version_number(request)))

    async def list(self, request: Request) -> Response:
        where, page = _asked(request)
        lines, after = await self.fleets.all(where, after=page.after, limit=page.limit)
        return page_response([line.view() for line in lines], after)

    async def list_for_event(self, request: Request) -> Response:
        event_id = checked_ids(request.path_params)["EventId"]
        where, page = _asked(request)
        lines, after = await self.fleets.all_for_event(event_id, where, after=page.after, limit=page.limit)
        return page_response([line.view() for line in lines], after)


def _ids(request: Request) -> dict[str, str]:
    query_of(request, ())
    return checked_ids(request.path_params)


def _asked(request: Request) -> tuple[dict[str, str], Page]:
    query = query_of(request, (*BASE_FILTERS, "Limit", "Cursor"))
    return {stored: query[name] for name, stored in BASE_FILTERS.items() if name in query}, page_of(query, str)


def _answer(line: Line) -> Response:
    return json_response(line.view(), tag=etag(line.document.version, base=line.stands_in))
