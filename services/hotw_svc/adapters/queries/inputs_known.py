"""Owns which inputs HOTW's replicas hold, so that people see whether it has caught up before they start a run."""

from __future__ import annotations

from typing import Any

import orjson
from sqlalchemy import Row, Table, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from services.hotw_svc.adapters import tables as t
from services.hotw_svc.adapters.inputs.replicas import snapshots_of
from shared.clock import iso
from shared.errors import NotFound
from shared.relational import Database

__all__ = ["InputsKnown"]

Flat = dict[str, Any]


class InputsKnown:
    """Reads of the replicas; a deleted resource counts as not there."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def of_fleet(self, event_id: str, fleet_id: str) -> Flat:
        """Each input of a fleet for an event with its version, null where it is not there. NotFound when none is."""
        async with self._database.read() as connection:
            event = await _one(connection, t.event_replica, event_id)
            line = await _one(connection, t.fleet_replica, f"{fleet_id}#{event_id}")
            fleet = line or await _one(connection, t.fleet_replica, fleet_id)
            service = await _one(connection, t.service_replica, fleet.ServiceId) if fleet else None
            projection = await _one(connection, t.projection_replica, f"{fleet_id}#{event_id}#Peak")
            inventory = (await snapshots_of(connection, t.inventory_replica, [fleet_id])).get(fleet_id)
        if fleet is None and event is None:
            raise NotFound(f"HOTW knows neither fleet {fleet_id} nor event {event_id}")
        return {
            "EventId": event_id,
            "FleetId": fleet_id,
            "Event": _version(event),
            "Service": _version(service),
            "Fleet": fleet and {"VersionId": fleet.VersionId, "Line": "event" if line else "base"},
            "Projection": _version(projection),
            "Inventory": inventory and {
                "AsOf": iso(inventory.AsOf), "HostsPresent": orjson.loads(inventory.Snapshot)["HostsPresent"],
            },
        }  # fmt: skip

    async def of_event(self, event_id: str) -> Flat:
        """How many fleets of Registered services in the event's regions are known, and what else of them."""
        fleet, service = t.fleet_replica, t.service_replica
        async with self._database.read() as connection:
            event = await _one(connection, t.event_replica, event_id)
            if event is None:
                raise NotFound(f"HOTW does not know event {event_id}")
            inside = (
                select(fleet.c.FleetId, fleet.c.ServiceId)
                .join(service, service.c.ServiceId == fleet.c.ServiceId)
                .where(
                    fleet.c.EventId.is_(None),
                    fleet.c.Deleted.is_(False),
                    fleet.c.Region.in_(orjson.loads(event.Snapshot)["RegionList"]),
                    service.c.Deleted.is_(False),
                    service.c.ServiceType == "Registered",
                )
                .subquery()
            )
            projection, inventory = t.projection_replica, t.inventory_replica
            key = inside.c.FleetId + f"#{event_id}#Peak"
            counted = await connection.execute(
                select(
                    func.count().label("Fleets"),
                    func.count(inside.c.ServiceId.distinct()).label("Services"),
                    func.count(projection.c.ProjectionId).label("Projections"),
                    func.count(inventory.c.FleetId).label("Inventories"),
                )
                .select_from(inside)
                .outerjoin(projection, (projection.c.ProjectionId == key) & projection.c.Deleted.is_(False))
                .outerjoin(inventory, inventory.c.FleetId == inside.c.FleetId)
            )
        return {"EventId": event_id, **dict(counted.mappings().one())}


async def _one(connection: AsyncConnection, table: Table, key: str) -> Row[Any] | None:
    row = (await snapshots_of(connection, table, [key])).get(key)
    return None if row is None or row.Deleted else row


def _version(row: Row[Any] | None) -> Flat | None:
    return row and {"VersionId": row.VersionId}
