"""The HTTP routes of fleets. Services and projections have the routes of every declared resource."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final, TypeVar

from starlette.requests import Request
from starlette.responses import Response

from services.fleet_svc.app import FILTERS, FleetLine, Fleets, FleetUseCases
from shared.cause import Cause, UseCase
from shared.clock import Clock
from shared.errors import BadInput, FieldError
from shared.schemas.base import CommandBody
from shared.schemas.fleet_svc.fleet import (
    CreateFleet,
    DeleteFleet,
    Fleet,
    FleetRead,
    Inventory,
    ReportInventory,
    UpdateFleet,
)
from shared.schemas.validation import validated
from shared.web import (
    PAGING,
    Parameter,
    Routes,
    checked_ids,
    json_response,
    page_of,
    page_response,
    query_of,
    read_write,
    version_number,
    with_keys,
)

C = TypeVar("C", bound=CommandBody)

_FILTERS: Final = [Parameter(name, f"Only those with this {name}.") for name in FILTERS]
_BASE: Final = "/fleet/{FleetId}"
_LINE: Final = "/fleet/{FleetId}/{EventId}"


def fleet_routes(use_cases: FleetUseCases, fleets: Fleets, clock: Clock) -> Routes:
    """The routes of a fleet's own line and of its lines for events.

    A path with a word comes before the path that has an id in its place; an id is never one of those words.
    """
    write, read, routes = partial(_writing, clock=clock), _Reads(fleets), Routes("Fleet")
    add = partial(routes.add, response=FleetRead)
    get = partial(add, "GET", action="fleet.read")
    get("/fleet", read.list, summary="List Fleets: their own lines", many=True, parameters=[*_FILTERS, *PAGING])
    every = "All Fleets as they are for an event"
    get("/fleet/event/{EventId}", read.list, summary=every, many=True, parameters=[*_FILTERS, *PAGING])
    of_base, of_line = "A Fleet's own line", "A Fleet's line for an event, else its own"
    for path, summary in ((_BASE, of_base), (_LINE, of_line)):
        versions = f"{summary}: every version, newest first"
        get(f"{path}/versions", read.history, summary=versions, many=True, parameters=PAGING)
        get(f"{path}/versions/{{VersionId}}", read.version, summary=f"{summary}: one version")
        get(path, read.latest, summary=summary)
    put = partial(add, "PUT")
    summary = "Create a Fleet, with EventId its line for the event as well"
    create = write(CreateFleet, use_cases.create)
    add("POST", "/fleet", create, action="fleet.create", summary=summary, body=Fleet)
    summary = "Report how many hosts a Fleet has"
    count = write(ReportInventory, use_cases.report_inventory, conditional=False)
    put(f"{_BASE}/inventory", count, action="inventory.report", summary=summary, body=Inventory, conditional=False)
    summary = "Change a Fleet's own line by a merge patch"
    update = write(UpdateFleet, _of_base(use_cases.update))
    put(_BASE, update, action="fleet.update", summary=summary, body=Fleet)
    summary = "Delete a Fleet with all of its lines"
    delete = write(DeleteFleet, use_cases.delete)
    add("DELETE", _BASE, delete, action="fleet.delete", summary=summary)
    summary = "Change a Fleet's line for an event, made as a copy of its own the first time"
    update = write(UpdateFleet, use_cases.update)
    put(_LINE, update, action="fleet.update", summary=summary, body=Fleet)
    return routes


def _writing(
    model: type[C], use_case: UseCase[C, FleetLine], *, clock: Clock, conditional: bool = True
) -> Callable[[Request], Awaitable[Response]]:
    """The handler that validates a request as a command, calls its use case and answers with the line."""

    async def handle(request: Request) -> Response:
        ids = _ids(request)
        write = read_write(request, clock)
        if not conditional:
            write.unconditional()
        return _response(await use_case(validated(model, with_keys(write.body, ids)), write.cause))

    return handle


def _of_base(update: UseCase[UpdateFleet, FleetLine]) -> UseCase[UpdateFleet, FleetLine]:
    """The use case for the path of the fleet's own line. BadInput for an EventId in the body."""

    async def update_base(command: UpdateFleet, cause: Cause) -> FleetLine:
        if command.event_id is not None:
            path = f"PUT /fleet/{{FleetId}}/{command.event_id}"
            error = FieldError("/EventId", f"is a member of an event's line; use {path}, or leave it out")
            raise BadInput("the fleet's own line has no EventId", [error])
        return await update(command, cause)

    return update_base


class _Reads:
    def __init__(self, fleets: Fleets) -> None:
        self._fleets = fleets

    async def latest(self, request: Request) -> Response:
        ids = _ids(request)
        return _response(await self._fleets.latest(ids["FleetId"], ids.get("EventId")))

    async def history(self, request: Request) -> Response:
        ids = checked_ids(request.path_params)
        page = page_of(query_of(request, ("Limit", "Cursor")), int)
        lines, before = await self._fleets.history(
            ids["FleetId"], ids.get("EventId"), before=page.after, limit=page.limit
        )
        return page_response([line.view() for line in lines], before)

    async def version(self, request: Request) -> Response:
        query_of(request, ())
        ids = checked_ids({name: value for name, value in request.path_params.items() if name != "VersionId"})
        return _response(await self._fleets.version(ids["FleetId"], ids.get("EventId"), version_number(request)))

    async def list(self, request: Request) -> Response:
        event_id = checked_ids(request.path_params).get("EventId")
        query = query_of(request, (*FILTERS, "Limit", "Cursor"))
        where, page = {member: query[name] for name, member in FILTERS.items() if name in query}, page_of(query, str)
        lines, after = await self._fleets.page(event_id, where, after=page.after, limit=page.limit)
        return page_response([line.view() for line in lines], after)


def _ids(request: Request) -> dict[str, str]:
    query_of(request, ())
    return checked_ids(request.path_params)


def _response(line: FleetLine) -> Response:
    return json_response(line.view(), version=line.document.version, base=line.is_stand_in)
