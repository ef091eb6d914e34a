"""Assembles fleet_svc: binds its use cases to the store."""

from __future__ import annotations

from functools import partial
from typing import Any, Final

from services.fleet_svc.app.create_fleet import create_fleet
from services.fleet_svc.app.delete_fleet import delete_fleet
from services.fleet_svc.app.fleet_buffer import fleet_buffer
from services.fleet_svc.app.fleets import Fleets
from services.fleet_svc.app.hosts import on_orders_changed, report_inventory
from services.fleet_svc.app.mend_lines import mend_lines
from services.fleet_svc.app.on_events_changed import on_events_changed
from services.fleet_svc.app.report_throttling import report_throttling
from services.fleet_svc.app.update_fleet import restore_fleet, update_fleet
from services.fleet_svc.entrypoints.http import fleet_routes
from services.fleet_svc.entrypoints.messages import subscriptions
from services.fleet_svc.entrypoints.throttling import throttling_routes
from services.fleet_svc.resources import RESOURCES
from shared.clock import Clock
from shared.documents import Store
from shared.messaging.commands import Command, CommandSubscription
from shared.messaging.transport import Transport
from shared.resources import Declared
from shared.schemas.fleet_svc.fleet import CreateFleet, DeleteFleet, ReportInventory, RestoreFleet, UpdateFleet
from shared.schemas.fleet_svc.throttling import ReportThrottling
from shared.service import DocumentKit, RunningService
from shared.settings import Settings

_MEND_EVERY: Final = 3600.0


async def build(settings: Settings, transport: Transport, clock: Clock) -> RunningService:
    """fleet_svc, not started."""
    kit = DocumentKit("fleet_svc", settings, transport, clock)
    fleets = Fleets(kit.store)
    declared = declared_on(kit.store, fleets, clock)
    report = report_command(declared)
    commands = [*commands_of(fleets), report]
    return kit.service(
        declared=declared,
        routes=[fleet_routes(commands, fleets, clock), throttling_routes(report, declared["Throttling"], clock)],
        subscriptions=[
            CommandSubscription("fleet.commands", [*declared.commands(), *commands]),
            *subscriptions(
                on_orders_changed=partial(on_orders_changed, fleets=fleets),
                on_events_changed=partial(on_events_changed, fleets=fleets),
                clock=clock,
            ),
        ],
        periodic=[kit.every(_MEND_EVERY, "mend fleet lines", partial(mend_lines, clock, fleets=fleets))],
        description="Services, their fleets with hosts and lines for events, and what their hosts are planned by.",
    )


def declared_on(store: Store, fleets: Fleets, clock: Clock) -> Declared:
    """The declared resources, on a store that is not started yet."""
    declared = Declared(RESOURCES, store, clock, others={"Fleet": fleets.bases})
    declared["Exception"].look_up(partial(fleet_buffer, fleets=fleets))
    return declared


def commands_of(fleets: Fleets) -> list[Command[Any]]:
    """The commands about fleets, which HTTP calls as well."""
    return [
        Command(CreateFleet, partial(create_fleet, fleets=fleets), "fleet.create"),
        Command(UpdateFleet, partial(update_fleet, fleets=fleets), "fleet.update"),
        Command(DeleteFleet, partial(delete_fleet, fleets=fleets), "fleet.delete"),
        Command(RestoreFleet, partial(restore_fleet, fleets=fleets), "fleet.restore"),
        Command(ReportInventory, partial(report_inventory, fleets=fleets), "inventory.report", conditional=False),
    ]


def report_command(declared: Declared) -> Command[Any]:
    """The command about what is applied of the limits, which HTTP calls as well."""
    throttlings, projections = declared["Throttling"].documents, declared["Projection"].documents
    report = partial(report_throttling, throttlings=throttlings, projections=projections)
    return Command(ReportThrottling, report, "throttling.report", conditional=False)
