"""The HTTP routes of fleets. Services and projections have the routes of every declared resource."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from services.fleet_svc.app.fleets import FILTERS, Fleets
from shared.cause import Cause
from shared.clock import Clock
from shared.documents import Document
from shared.errors import BadInput, FieldError
from shared.messaging.commands import Acceptable, Command
from shared.resources import DocumentHandlers
from shared.schemas.fleet_svc.fleet import (
    CreateFleet,
    DeleteFleet,
    Fleet,
    FleetRead,
    Inventory,
    ReportInventory,
    UpdateFleet,
)
from shared.schemas.results import Accepted
from shared.web import PAGING, Parameter, Routes, json_response, page_of, page_response

_FILTERS: Final = [Parameter(name, f"Only those with this {name}.") for name in FILTERS]
_BASE: Final = "/fleet/{FleetId}"
_LINE: Final = "/fleet/{FleetId}/{EventId}"


def fleet_routes(commands: Sequence[Command[Any]], fleets: Fleets, clock: Clock) -> Routes:
    """The routes of a fleet's own line and of its lines for events.

    A path with a word comes before the path that has an id in its place; an id is never one of those words.
    """
    do, routes = _Handlers(fleets, clock), Routes("Fleet")
    of = {command.model: command for command in commands}
    add = partial(routes.add, response=FleetRead)
    get = partial(add, "GET", action="fleet.read")
    get("/fleet", do.list, summary="List Fleets: their own lines", many=True, parameters=[*_FILTERS, *PAGING])
    every = "All Fleets as they are for an event"
    get("/fleet/event/{EventId}", do.list, summary=every, many=True, parameters=[*_FILTERS, *PAGING])
    of_base, of_line = "A Fleet's own line", "A Fleet's line for an event, else its own"
    for path, summary in ((_BASE, of_base), (_LINE, of_line)):
        versions = f"{summary}: every version, newest first"
        get(f"{path}/versions", do.history, summary=versions, many=True, parameters=PAGING)
        get(f"{path}/versions/{{VersionId}}", do.version, summary=f"{summary}: one version")
        get(path, do.latest, summary=summary)

    def write(method: str, path: str, command: Command[Any], summary: str, body: type[Any] | None = Fleet) -> None:
        action, conditional, handler = command.action, command.conditional, partial(do.write, command)
        add(method, path, handler, action=action, summary=summary, body=body, conditional=conditional)

    write("POST", "/fleet", of[CreateFleet], "Create a Fleet, with EventId its line for the event as well")
    write("PUT", f"{_BASE}/inventory", of[ReportInventory], "Report how many hosts a Fleet has", Inventory)
    update = of[UpdateFleet]
    update_base = replace(update, use_case=partial(_update_base, update))
    write("PUT", _BASE, update_base, "Change a Fleet's own line by a merge patch")
    write("DELETE", _BASE, of[DeleteFleet], "Delete a Fleet with all of its lines", None)
    write("PUT", _LINE, update, "Change a Fleet's line for an event, made as a copy of its own the first time")
    return routes


async def _update_base(update: Command[UpdateFleet], command: UpdateFleet, cause: Cause) -> Acceptable | Accepted:
    """The use case of the path of the fleet's own line. BadInput for an EventId in the body."""
    if command.event_id is not None:
        path = f"PUT /fleet/{{FleetId}}/{command.event_id}"
        error = FieldError("/EventId", f"is a member of an event's line; use {path}, or leave it out")
        raise BadInput("the fleet's own line has no EventId", [error])
    return await update.use_case(command, cause)


class _Handlers(DocumentHandlers):
    def __init__(self, fleets: Fleets, clock: Clock) -> None:
        super().__init__(fleets, clock)
        self._fleets = fleets

    def response(self, document: Document, request: Request) -> Response:
        """The base stands in for a line where the path names an Event and the document is of none."""
        stands_in = "EventId" in request.path_params and "EventId" not in document.state
        return json_response(self.reads.view(document), version=document.version, base=stands_in)

    async def list(self, request: Request) -> Response:
        ids, query = self.keys(request, *FILTERS, "Limit", "Cursor")
        where, page = {member: query[name] for name, member in FILTERS.items() if name in query}, page_of(query, str)
        found = await self._fleets.page(ids.get("EventId"), where, after=page.after, limit=page.limit)
        return page_response([self._fleets.view(item) for item in found.items], found.next_after)
