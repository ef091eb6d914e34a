"""The HTTP routes of fleets. Services and projections have the routes of every declared resource."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from services.fleet_svc.app.fleets import LISTED_BY, Fleets
from shared.cause import Cause
from shared.clock import Clock
from shared.errors import BadInput, FieldError
from shared.messaging.commands import Acceptable, Command
from shared.resources import DocumentHandlers, Listing
from shared.schemas.fleet_svc.fleet import (
    FLEET,
    CreateFleet,
    DeleteFleet,
    FleetRead,
    ReportInventory,
    RestoreFleet,
    UpdateFleet,
)
from shared.schemas.results import Accepted
from shared.web import PAGING, Routes, operation_id_of, page_response

_LISTING: Final = Listing(FLEET, LISTED_BY)
_BASE: Final = "/fleet/{FleetId}"
_LINE: Final = "/fleet/{FleetId}/{EventId}"


def fleet_routes(commands: Sequence[Command[Any]], fleets: Fleets, clock: Clock) -> Routes:
    """The routes of a fleet's own line and of its lines for events.

    An id is never one of the words that stand in its place in another path.
    """
    do = _Handlers(fleets, clock)
    routes = Routes(
        "Fleet", "The hosts of a service in one region, with a line for each event that needs one of its own."
    )
    of = {command.model: command for command in commands}
    get = partial(routes.add, "GET", action="fleet.read", response=FleetRead)
    many: dict[str, Any] = {"many": True, "parameters": _LISTING.parameters}
    get("/fleet", do.list, operation_id="listFleets", summary="List Fleets: their own lines", **many)
    path, summary = "/fleet/event/{EventId}", "All Fleets as they are for an event"
    get(path, do.list, operation_id="listFleetsForEvent", summary=summary, **many)
    of_base, of_line = "A Fleet's own line", "A Fleet's line for an event, else its own"
    many = {"many": True, "parameters": PAGING}
    for path, name, line in ((_BASE, "Fleet", of_base), (_LINE, "FleetForEvent", of_line)):
        every, one = f"{line}: every version, newest first", f"{line}: one version"
        get(f"{path}/versions", do.history, operation_id=f"list{name}Versions", summary=every, **many)
        get(f"{path}/versions/{{VersionId}}", do.version, operation_id=f"get{name}Version", summary=one)
        do.add_difference(routes, path, "fleet.read", name, one=line.replace("A Fleet", "a Fleet"))
        get(path, do.latest, operation_id=f"get{name}", summary=line)

    do.add_batch(routes, "/fleet", "fleet.read", "Fleets", response=FleetRead)

    def write(method: str, path: str, command: Command[Any], summary: str, operation_id: str | None = None) -> None:
        handler = do.restore if command.model is RestoreFleet else do.write
        routes.add(
            method,
            path,
            partial(handler, command),
            action=command.action,
            operation_id=operation_id or operation_id_of(command.model),
            summary=summary,
            body=None if method == "DELETE" else command.model,
            response=FleetRead,
            conditional=command.conditional,
        )

    write("POST", "/fleet", of[CreateFleet], "Create a Fleet, with EventId its line for the event as well")
    write("PUT", f"{_BASE}/inventory", of[ReportInventory], "Report how many hosts a Fleet has")
    update, restore = of[UpdateFleet], of[RestoreFleet]
    path, summary = "versions/{VersionId}/restore", "Make a Fleet's own line what a former version is"
    write("POST", f"{_BASE}/{path}", replace(restore, use_case=partial(_of_base, restore)), summary)
    summary = "Make a Fleet's line for an event what a former version is"
    write("POST", f"{_LINE}/{path}", restore, summary, "restoreFleetForEvent")
    write(
        "PUT", _BASE, replace(update, use_case=partial(_of_base, update)), "Change a Fleet's own line by a merge patch"
    )
    write("DELETE", _BASE, of[DeleteFleet], "Delete a Fleet with all of its lines")
    summary = "Change a Fleet's line for an event, made as a copy of its own the first time"
    write("PUT", _LINE, update, summary, "updateFleetForEvent")
    return routes


async def _of_base(of: Command[Any], command: UpdateFleet | RestoreFleet, cause: Cause) -> Acceptable | Accepted:
    """The use case of a path of the fleet's own line. BadInput for an EventId in the body."""
    if command.event_id is not None:
        path = f"/fleet/{{FleetId}}/{command.event_id}"
        error = FieldError("/EventId", f"is a member of an event's line; use {path} for it, or leave it out")
        raise BadInput("the fleet's own line has no EventId", [error])
    return await of.use_case(command, cause)


class _Handlers(DocumentHandlers):
    def __init__(self, fleets: Fleets, clock: Clock) -> None:
        super().__init__(fleets, clock)
        self._fleets = fleets

    async def list(self, request: Request) -> Response:
        ids, query = self.keys(request, _LISTING.parameters)
        if event_id := ids.get("EventId"):
            await self._fleets.check_known(event_id)
        items, after = await _LISTING.page(self._fleets.bases, query)
        if event_id:
            items = await self._fleets.of_event(event_id, items)
        return page_response([self._fleets.view(item) for item in items], after)
