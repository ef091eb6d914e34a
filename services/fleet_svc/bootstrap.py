"""Owns how fleet_svc is put together."""

from __future__ import annotations

from typing import Final

from services.fleet_svc.app import BASE_FILTERS, LINE_FILTERS, PROJECTION, SERVICE, Fleets, mend_lines, of_known_fleets
from services.fleet_svc.entrypoints.http import fleet_routes
from services.fleet_svc.entrypoints.messages import fleet_commands, host_orders
from shared.clock import Clock
from shared.messaging.commands import CommandSubscription
from shared.messaging.transport import Transport
from shared.resources import Resources, resource_commands, resource_routes
from shared.schemas.fleet_svc.projection import PROJECTION as P
from shared.schemas.fleet_svc.service import SERVICE as S
from shared.service import DocumentKit, RunningService
from shared.settings import Settings

__all__ = ["build"]

_MEND_EVERY: Final = 3600.0


async def build(settings: Settings, transport: Transport, clock: Clock) -> RunningService:
    """fleet_svc, not started."""
    kit = DocumentKit("fleet_svc", settings, transport, clock)
    fleets = Fleets(
        bases=kit.store.documents("fleet", filters=tuple(BASE_FILTERS.values())),
        lines=kit.store.documents("fleet_line", filters=LINE_FILTERS),
    )
    services = Resources(SERVICE, kit.documents(SERVICE))
    projections = Resources(PROJECTION, kit.documents(PROJECTION), admit=of_known_fleets(fleets.bases))
    commands = [
        *resource_commands(services, (S.create, S.update, S.delete)),
        *fleet_commands(fleets),
        *resource_commands(projections, (P.create, P.update, P.delete)),
    ]
    return kit.service(
        routes=[
            resource_routes(services, clock),
            fleet_routes(fleets, clock),
            resource_routes(projections, clock, also_history=["/projection/{FleetId}/{EventId}/history"]),
        ],
        subscriptions=[CommandSubscription("fleet.commands", commands), host_orders(fleets, clock)],
        periodic=[kit.every(_MEND_EVERY, "mend fleet lines", lambda: mend_lines(fleets, clock))],
        description="Services, their fleets with hosts and lines for events, and projections.",
    )
