"""The use cases of fleet_svc; those of Service and Projection are every declared resource's."""

from services.fleet_svc.app.change_fleet import change_fleet, change_fleet_for_event
from services.fleet_svc.app.create_fleet import create_fleet
from services.fleet_svc.app.declared import PROJECTION, SERVICE, of_known_fleets
from services.fleet_svc.app.delete_fleet import delete_fleet
from services.fleet_svc.app.fleets import BASE_FILTERS, LINE_FILTERS, Fleets, Line
from services.fleet_svc.app.hosts import note_host_orders, report_inventory
from services.fleet_svc.app.mend_lines import mend_lines

__all__ = [
    "BASE_FILTERS",
    "LINE_FILTERS",
    "PROJECTION",
    "SERVICE",
    "Fleets",
    "Line",
    "change_fleet",
    "change_fleet_for_event",
    "create_fleet",
    "delete_fleet",
    "mend_lines",
    "note_host_orders",
    "of_known_fleets",
    "report_inventory",
]
