"""Owns the resources of fleet_svc that are only versioned CRUD."""

from __future__ import annotations

from typing import Final

from shared.documents.contract import Documents
from shared.errors import NotFound, Refused
from shared.resources import Admit, Resource, State
from shared.schemas.fleet_svc import Projection, ProjectionSnapshot, Service, ServiceSnapshot

__all__ = ["PROJECTION", "SERVICE", "of_known_fleets"]

SERVICE: Final = Resource(
    name="Service",
    path="/service",
    topic="service",
    model=Service,
    snapshot=ServiceSnapshot,
    key=("ServiceId",),
    filters={"ServiceType": "ServiceType", "Owner": "Owner", "LeaderAlias": "LeaderAlias"},
)

PROJECTION: Final = Resource(
    name="Projection",
    path="/projection",
    topic="projection",
    model=Projection,
    snapshot=ProjectionSnapshot,
    key=("FleetId", "EventId", "ProjectionType"),
    query_key={"ProjectionType": "Peak"},
    id_member="ProjectionId",
    filters={"EventId": "EventId", "FleetId": "FleetId"},
)


def of_known_fleets(bases: Documents) -> Admit:
    """A projection is of a fleet that is there; whether its event is, event_svc alone knows."""

    async def admit(state: State) -> Refused | None:
        if await bases.latest(state["FleetId"]) is None:
            return NotFound(f"there is no Fleet {state['FleetId']}; create it first")
        return None

    return admit
