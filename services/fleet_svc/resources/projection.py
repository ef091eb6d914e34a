"""Projections: how much traffic a fleet will get during an event.

The fleet must exist. Whether the event exists is known to event_svc alone.
"""

from __future__ import annotations

from typing import Final

from shared.resources import Resource
from shared.schemas.fleet_svc.fleet import FLEET
from shared.schemas.fleet_svc.projection import PROJECTION

PROJECTIONS: Final = Resource(
    contract=PROJECTION,
    path="/projection",
    filters=("EventId", "FleetId"),
    references=(FLEET,),
    also_history=("/projection/{FleetId}/{EventId}/history",),
)
