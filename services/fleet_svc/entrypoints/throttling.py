"""The HTTP routes of what is applied of the limits; the limits themselves have those of every declared resource."""

from __future__ import annotations

from functools import partial
from typing import Any, Final

from starlette.responses import Response

from services.fleet_svc.app.report_throttling import APPLIED
from services.fleet_svc.domain.throttling import status_of
from shared.clock import Clock
from shared.documents import Document
from shared.messaging.commands import Command
from shared.resources import DocumentHandlers, Reads
from shared.schemas.fleet_svc.throttling import AppliedThrottling, ReportThrottling, ThrottlingStatus
from shared.web import Routes, json_response, operation_id_of

_PATH: Final = "/throttling/{FleetId}/{EventId}/status"


def throttling_routes(report: Command[Any], reads: Reads, clock: Clock) -> Routes:
    """Both answer with the status."""
    do = _Handlers(reads, clock)
    routes = Routes("ThrottlingStatus", "Whether the limits of a fleet are applied.")
    add = partial(routes.add, response=ThrottlingStatus)
    summary = "Whether the latest limits are applied"
    add("GET", _PATH, do.latest, action="throttling.read", operation_id="getThrottlingStatus", summary=summary)
    add(
        "PUT",
        _PATH,
        partial(do.write, report),
        action=report.action,
        operation_id=operation_id_of(ReportThrottling),
        summary="Report which version of the limits is applied",
        body=ReportThrottling,
        conditional=report.conditional,
    )
    return routes


class _Handlers(DocumentHandlers):
    async def response(self, document: Document, asked: str = "") -> Response:
        last = document.side.get(APPLIED)
        fleet_id, event_id = document.key.split("#")
        applied = None if last is None else AppliedThrottling.model_validate(last)
        shown = status_of(fleet_id, event_id, version=document.version, applied=applied).wire()
        return json_response(shown)
