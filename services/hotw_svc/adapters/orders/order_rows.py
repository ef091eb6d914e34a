"""The rows of orders and overrides: their columns, and how many of them are read and written at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Table, select
from sqlalchemy.ext.asyncio import AsyncConnection

from services.hotw_svc.adapters import tables as t
from services.hotw_svc.adapters.rows import Row, update_rows
from services.hotw_svc.domain.instants import LAST_PLANNABLE
from services.hotw_svc.domain.orders.order import Delivery, Order
from services.hotw_svc.domain.orders.override import Override, OverrideStatus
from shared.clock import iso, parse_instant
from shared.relational import insert_rows
from shared.schemas.hotw_svc import Engine, FulfillmentStatus, OrderType, Purpose

_FIXED: Final = frozenset(
    {"PlacedAt", "RunId", "FleetIndexId", "EventIndexId", "ExecutionId"}
    | {"CapacityOverrideName", "OverrideTag", "PlaceOrderIfRequired"}
)
_OVERRIDE: Final = {
    "RunId": "run_id",
    "FleetId": "fleet_id",
    "EventId": "event_id",
    "AutoScalingGroupName": "asg_name",
    "OverrideType": "override_type",
    "StartTime": "start",
    "EndTime": "end",
    "PeakEnd": "peak_end",
    "StartOffset": "start_offset",
    "EndOffset": "end_offset",
    "BaseCapacity": "base_capacity",
    "OverrideValue": "value",
    "OverrideExpiryValue": "expiry_value",
    "Justification": "justification",
    "Purpose": "purpose",
    "OverrideStatus": "status",
    "Engine": "engine",
}
"""The attributes of an Override by their columns."""
_ORDER: Final = {
    "FulfillmentId": "fulfillment_id",
    "RunId": "run_id",
    "ExecutionId": "execution_id",
    "FleetId": "fleet_id",
    "EventId": "event_id",
    "AutoScalingGroupName": "asg_name",
    "AvailabilityZone": "zone",
    "FulfillmentType": "order_type",
    "FulfillmentValue": "value",
    "PlacedAt": "placed_at",
    "FulfillmentDate": "fulfillment_date",
    "Purpose": "purpose",
    "FulfillmentStatus": "status",
    "StatusSince": "status_since",
    "ApprovedAt": "approved_at",
    "DecidedBy": "decided_by",
    "Reason": "reason",
    "Superseded": "superseded",
    "ApprovalRule": "approval_rule",
    "FulfillmentLink": "link",
    "OrdersVersionId": "orders_version_id",
}
"""The attributes of an Order by their columns, but for its deliveries."""


def override_columns(override: Override) -> Row:
    """A row of capacity_override_details."""
    return {column: getattr(override, name) for column, name in _OVERRIDE.items()} | {
        "CapacityOverrideName": override.name,
        "StartTime": storable(override.start),
        "EndTime": storable(override.end),
        "PeakEnd": storable(override.peak_end),
        "Duration": override.duration,
        "OverrideTag": override.event_id,
        "PlaceOrderIfRequired": override.purpose is Purpose.UPSCALING,
    }


def override_of(row: Mapping[str, Any]) -> Override:
    """The override of a row of capacity_override_details."""
    override: Row = {name: row[column] for column, name in _OVERRIDE.items()}
    kinds = {"override_type": OrderType, "purpose": Purpose, "status": OverrideStatus, "engine": Engine}
    return Override(**override | {name: kind(override[name]) for name, kind in kinds.items()})


def order_columns(order: Order) -> Row:
    """A row of fulfillment_details; Deliveries is a JSON column."""
    return {column: getattr(order, name) for column, name in _ORDER.items()} | {
        "AvailabilityZone": order.zone or None,
        "IsEmergent": order.order_type is OrderType.EMERGENT,
        "FulfilledHosts": order.fulfilled_hosts,
        "Deliveries": [{"Hosts": d.hosts, "DeliveredAt": iso(d.delivered_at)} for d in order.deliveries],
    }


def order_of(row: Mapping[str, Any]) -> Order:
    """The order of a row of fulfillment_details."""
    order: Row = {name: row[column] for column, name in _ORDER.items()} | {"zone": row["AvailabilityZone"] or ""}
    kinds = {"order_type": OrderType, "purpose": Purpose, "status": FulfillmentStatus}
    deliveries = tuple(Delivery(d["Hosts"], parse_instant(d["DeliveredAt"])) for d in row["Deliveries"])
    return Order(**order | {name: kind(order[name]) for name, kind in kinds.items()}, deliveries=deliveries)


async def orders_of(
    connection: AsyncConnection, fleets: Mapping[int, str], purpose: str
) -> dict[str, tuple[Order, ...]]:
    """The orders of fleets (number → FleetId) for every event, oldest first; fleets without any are left out."""
    table = t.fulfillment_details
    order = (table.c.PlacedAt, table.c.RunId, table.c.FulfillmentId)
    return await _of(connection, table, fleets, purpose, order, order_of)


async def overrides_of(
    connection: AsyncConnection, fleets: Mapping[int, str], purpose: str
) -> dict[str, tuple[Override, ...]]:
    """The overrides of fleets for every event, the ended ones included, oldest run first."""
    table = t.capacity_override_details
    return await _of(connection, table, fleets, purpose, (table.c.RunId, table.c.AutoScalingGroupName), override_of)


def other_events(overrides: Mapping[str, Iterable[Override]], event_id: str) -> set[str]:
    """The other events that any of the fleets has overrides for."""
    return {override.event_id for of_fleet in overrides.values() for override in of_fleet} - {event_id}


async def _of(
    connection: AsyncConnection, table: Table, fleets: Mapping[int, str], purpose: str, order: Any, read: Any
) -> dict[str, Any]:
    rows = await connection.execute(
        select(table, t.event_index.c.EventId)
        .join(t.event_index, t.event_index.c.EventIndexId == table.c.EventIndexId)
        .where(table.c.FleetIndexId.in_(list(fleets)), table.c.Purpose == purpose)
        .order_by(*order)
    )
    found: dict[str, list[Any]] = {}
    for row in rows.mappings():
        fleet_id = fleets[row["FleetIndexId"]]
        found.setdefault(fleet_id, []).append(read({**row, "FleetId": fleet_id}))
    return {fleet_id: tuple(items) for fleet_id, items in found.items()}


async def add_orders(
    connection: AsyncConnection, orders: Iterable[Order], fleets: Mapping[str, int], event_index_id: int
) -> None:
    """Inserts orders of one event; ``fleets`` are the fleets' numbers by FleetId."""
    rows = [order_columns(o) | {"FleetIndexId": fleets[o.fleet_id], "EventIndexId": event_index_id} for o in orders]
    await insert_rows(connection, t.fulfillment_details, rows)


async def change_orders(connection: AsyncConnection, orders: Iterable[Order]) -> None:
    """Writes orders that are there already."""
    await update_rows(connection, t.fulfillment_details, [order_columns(order) for order in orders], keep=_FIXED)


async def add_overrides(
    connection: AsyncConnection, overrides: Iterable[Override], fleets: Mapping[str, int], event_index_id: int
) -> None:
    """Inserts overrides of one event; ``fleets`` are the fleets' numbers by FleetId."""
    event = {"EventIndexId": event_index_id}
    rows = [override_columns(o) | event | {"FleetIndexId": fleets[o.fleet_id]} for o in overrides]
    await insert_rows(connection, t.capacity_override_details, rows)


async def change_overrides(
    connection: AsyncConnection, overrides: Iterable[Override], fleets: Mapping[str, int]
) -> None:
    """Writes overrides that are there already; ``fleets`` are the fleets' numbers by FleetId."""
    rows = [override_columns(o) | {"FleetIndexId": fleets[o.fleet_id]} for o in overrides]
    await update_rows(connection, t.capacity_override_details, rows, keep=_FIXED)


async def enable_asgs(connection: AsyncConnection, asgs: Iterable[tuple[int, str]]) -> None:
    """An ASG's EAPEnableStatus is true from its first approved order on. ``asgs`` are FleetIndexIds with names."""
    rows = [
        {"FleetIndexId": fleet, "AutoScalingGroupName": name, "EAPEnableStatus": True} for fleet, name in sorted(asgs)
    ]
    await update_rows(connection, t.asg_details, rows)


def storable(moment: datetime) -> datetime:
    """The moment, or the last that a column can hold."""
    return min(moment, LAST_PLANNABLE)
