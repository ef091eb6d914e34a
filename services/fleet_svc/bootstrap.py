"""Assembles fleet_svc: binds its use cases to the store."""

from __future__ import annotations

from functools import partial
from typing import Final

from services.fleet_svc.app import (
    Fleets,
    FleetUseCases,
    create_fleet,
    delete_fleet,
    fleets_in,
    mend_lines,
    on_orders_changed,
    report_inventory,
    update_fleet,
)
from services.fleet_svc.entrypoints.http import fleet_routes
from services.fleet_svc.entrypoints.messages import fleet_commands, host_orders
from services.fleet_svc.resources import RESOURCES
from shared.clock import Clock
from shared.messaging.commands import CommandSubscription
from shared.messaging.transport import Transport
from shared.resources import Declared
from shared.service import DocumentKit, RunningService
from shared.settings import Settings

_MEND_EVERY: Final = 3600.0


async def build(settings: Settings, transport: Transport, clock: Clock) -> RunningService:
    """fleet_svc, not started."""
    kit = DocumentKit("fleet_svc", settings, transport, clock)
    fleets = fleets_in(kit.store)
    declared = Declared(RESOURCES, kit.store, clock, others={"Fleet": fleets.bases})
    use_cases = use_cases_of(fleets)
    return kit.service(
        declared=declared,
        routes=[fleet_routes(use_cases, fleets, clock)],
        subscriptions=[
            CommandSubscription("fleet.commands", [*declared.commands(), *fleet_commands(use_cases)]),
            host_orders(partial(on_orders_changed, fleets=fleets), clock),
        ],
        periodic=[kit.every(_MEND_EVERY, "mend fleet lines", partial(mend_lines, clock, fleets=fleets))],
        description="Services, their fleets with hosts and lines for events, and projections.",
    )


def use_cases_of(fleets: Fleets) -> FleetUseCases:
    """The use cases about fleets on their documents."""
    return FleetUseCases(
        create=partial(create_fleet, fleets=fleets),
        update=partial(update_fleet, fleets=fleets),
        delete=partial(delete_fleet, fleets=fleets),
        report_inventory=partial(report_inventory, fleets=fleets),
    )
