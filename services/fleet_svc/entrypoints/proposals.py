"""The HTTP routes of a projection's proposal."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from shared.clock import Clock
from shared.messaging.commands import Command
from shared.resources import DocumentHandlers, Reads
from shared.schemas.fleet_svc.projection import PROJECTION
from shared.schemas.fleet_svc.proposal import AcceptProposal, Proposal
from shared.web import Routes, json_response, operation_id_of

_PATH: Final = "/projection/{FleetId}/{EventId}/proposal"


def proposal_routes(
    accept: Command[Any], projections: Reads, clock: Clock, *, show: Callable[[str, str], Awaitable[Proposal]]
) -> Routes:
    """The proposal as it is now, and its acceptance, which answers with the projection."""
    do = _Handlers(projections, clock, show)
    routes = Routes("Proposal", "The TPM that the traffic of a fleet outside events leads to expect at the peak.")
    routes.add(
        "GET",
        _PATH,
        do.show,
        action="projection.read",
        operation_id="getProposal",
        summary="What a Projection could be: BAUTPM × CTFactor",
        response=Proposal,
    )
    routes.add(
        "POST",
        f"{_PATH}/accept",
        partial(do.write, accept),
        action=accept.action,
        operation_id=operation_id_of(AcceptProposal),
        summary="Make the proposal the TotalInputTPM of the Projection",
        body=AcceptProposal,
        response=PROJECTION.read,
    )
    return routes


class _Handlers(DocumentHandlers):
    def __init__(self, projections: Reads, clock: Clock, show: Callable[[str, str], Awaitable[Proposal]]) -> None:
        super().__init__(projections, clock)
        self._show = show

    def joined(self, keys: Mapping[str, str]) -> str:
        return PROJECTION.key_in({**PROJECTION.key_defaults, **keys})

    async def show(self, request: Request) -> Response:
        fleet_id, event_id = self.keys(request)[0].values()
        return json_response((await self._show(fleet_id, event_id)).wire())
