"""The use cases about fleets. Those about services and projections are every declared resource's."""

from dataclasses import dataclass

from services.fleet_svc.app.create_fleet import create_fleet
from services.fleet_svc.app.delete_fleet import delete_fleet
from services.fleet_svc.app.fleets import FILTERS, FleetLine, Fleets, fleets_in
from services.fleet_svc.app.hosts import on_orders_changed, report_inventory
from services.fleet_svc.app.mend_lines import mend_lines
from services.fleet_svc.app.update_fleet import update_fleet
from shared.cause import UseCase
from shared.schemas.fleet_svc.fleet import CreateFleet, DeleteFleet, ReportInventory, UpdateFleet

__all__ = [
    "FILTERS",
    "FleetLine",
    "FleetUseCases",
    "Fleets",
    "create_fleet",
    "delete_fleet",
    "fleets_in",
    "mend_lines",
    "on_orders_changed",
    "report_inventory",
    "update_fleet",
]


@dataclass(frozen=True, slots=True)
class FleetUseCases:
    """The use cases about fleets that HTTP and commands call, bound to the store."""

    create: UseCase[CreateFleet, FleetLine]
    update: UseCase[UpdateFleet, FleetLine]
    delete: UseCase[DeleteFleet, FleetLine]
    report_inventory: UseCase[ReportInventory, FleetLine]
