"""The HTTP routes that show what HOTW knows of its inputs."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from services.hotw_svc.adapters.queries.inputs_known import InputsKnown
from shared.resources import checked_ids
from shared.web import Routes, json_response, query_of

__all__ = ["input_routes"]


def input_routes(known: InputsKnown) -> Routes:
    """What a run would work from, before it is started."""
    made = Routes("HOTW")

    async def of_fleet(request: Request) -> Response:
        query_of(request, ())
        keys = checked_ids(request.path_params)
        return json_response(await known.of_fleet(keys["EventId"], keys["FleetId"]))

    async def of_event(request: Request) -> Response:
        query_of(request, ())
        return json_response(await known.of_event(checked_ids(request.path_params)["EventId"]))

    made.add(
        "GET",
        "/hotw/inputs/{EventId}",
        of_event,
        action="hotw.input.read",
        summary="How many fleets, projections, inventories HOTW knows",
    )
    made.add(
        "GET",
        "/hotw/inputs/{EventId}/{FleetId}",
        of_fleet,
        action="hotw.input.read",
        summary="Which version of each input HOTW knows",
    )
    return made
