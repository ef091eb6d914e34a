"""Pmets: links to the metrics of a fleet, which must exist (4.17)."""

from __future__ import annotations

from typing import Final

from shared.resources import Resource
from shared.schemas.fleet_svc.fleet import FLEET
from shared.schemas.fleet_svc.pmet import PMET

PMETS: Final = Resource(
    contract=PMET,
    path="/pmet",
    filters=("FleetId", "MetricName"),
    references=(FLEET,),
)
