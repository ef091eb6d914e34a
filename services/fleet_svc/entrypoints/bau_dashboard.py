"""The HTTP route of the BAU dashboard."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response

from shared.schemas.fleet_svc.bau_dashboard import BAUDashboard
from shared.web import Routes, checked_ids, json_response, query_of


def bau_dashboard_routes(show: Callable[[str], Awaitable[BAUDashboard]]) -> Routes:
    """``GET /bau/dashboard/{ServiceId}``."""
    routes = Routes("BAUDashboard", "What the fleets of a service need and have outside events.")

    async def dashboard(request: Request) -> Response:
        query_of(request)
        service_id = checked_ids(request.path_params)["ServiceId"]
        return json_response((await show(service_id)).wire())

    routes.add(
        "GET",
        "/bau/dashboard/{ServiceId}",
        dashboard,
        action="bau-dashboard.read",
        operation_id="getBAUDashboard",
        summary="The fleets of a Service outside events: BAUTPM, hosts and jobs",
        response=BAUDashboard,
    )
    return routes
