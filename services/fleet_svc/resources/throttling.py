"""Throttling: the limits of a fleet's clients during an event, shown beside the projection."""

from __future__ import annotations

from typing import Final

from services.fleet_svc.domain.throttling import compared
from shared.resources import Beside, Resource
from shared.schemas.fleet_svc.fleet import FLEET
from shared.schemas.fleet_svc.projection import PROJECTION
from shared.schemas.fleet_svc.throttling import THROTTLING

THROTTLINGS: Final = Resource(
    contract=THROTTLING,
    path="/throttling",
    filters=("EventId", "FleetId"),
    sort=("Source",),
    references=(FLEET,),
    beside=Beside(contract=PROJECTION, show=compared),
)
