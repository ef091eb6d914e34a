"""The rows of orders and overrides: their columns, and how many of them are read and written at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Table, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from services.hotw_svc.adapters import tables as t
from services.hotw_svc.adapters.rows import Row, update_rows
from services.hotw_svc.domain.instants import LAST_PLANNABLE
from services.hotw_svc.domain.orders.order import Delivery, Order
from services.hotw_svc.domain.orders.override import Override, OverrideStatus
from shared.clock import iso, parse_instant
from shared.relational import insert_rows
from shared.schemas.hotw_svc import FulfillmentStatus, OrderType, Purpose

_FIXED = frozenset({"PlacedAt", "RunId", "FleetIndexId", "EventIndexId", "ExecutionId"})


def override_columns(override: Override) -> Row:
    """A row of capacity_override_details."""
    return {
        "CapacityOverrideName": override.name,
        "StartTime": override.start,
        "Duration": override.duration,
        "OverrideValue": override.value,
        "OverrideExpiryValue": override.expiry_value,
        "OverrideTag": override.event_id,
        "StartOffset": override.start_offset,
        "EndOffset": override.end_offset,
        "PlaceOrderIfRequired": True,
        "OverrideType": override.override_type.value,
        "Justification": override.justification,
        "RunId": override.run_id,
        "FleetId": override.fleet_id,
        "AutoScalingGroupName": override.asg_name,
        "EventId": override.event_id,
        "Purpose": override.purpose.value,
        "EndTime": override.end,
        "PeakEnd": override.peak_end,
        "BaseCapacity": override.base_capacity,
        "OverrideStatus": override.status.value,
    }


def override_of(row: Mapping[str, Any]) -> Override:
    """The override of a row of capacity_override_details."""
    return Override(
        run_id=row["RunId"],
        fleet_id=row["FleetId"],
        event_id=row["EventId"],
        asg_name=row["AutoScalingGroupName"],
        override_type=OrderType(row["OverrideType"]),
        start=row["StartTime"],
        end=row["EndTime"],
        peak_end=row["PeakEnd"],
        start_offset=row["StartOffset"],
        end_offset=row["EndOffset"],
        base_capacity=row["BaseCapacity"],
        value=row["OverrideValue"],
        expiry_value=row["OverrideExpiryValue"],
        justification=row["Justification"],
        purpose=Purpose(row["Purpose"]),
        status=OverrideStatus(row["OverrideStatus"]),
    )


def order_columns(order: Order) -> Row:
    """A row of fulfillment_details; Deliveries is a JSON column."""
    return {
        "FulfillmentId": order.fulfillment_id,
        "AutoScalingGroupName": order.asg_name,
        "FulfillmentType": order.order_type.value,
        "FulfillmentStatus": order.status.value,
        "FulfillmentValue": order.value,
        "FulfillmentDate": order.fulfillment_date,
        "FulfillmentLink": None,
        "IsEmergent": order.order_type is OrderType.EMERGENT,
        "RunId": order.run_id,
        "ExecutionId": order.execution_id,
        "FleetId": order.fleet_id,
        "EventId": order.event_id,
        "Purpose": order.purpose.value,
        "AvailabilityZone": order.zone,
        "FulfilledHosts": order.fulfilled_hosts,
        "PlacedAt": order.placed_at,
        "StatusSince": order.status_since,
        "ApprovedAt": order.approved_at,
        "DecidedBy": order.decided_by,
        "Reason": order.reason,
        "Superseded": order.superseded,
        "Deliveries": [{"Hosts": d.hosts, "DeliveredAt": iso(d.delivered_at)} for d in order.deliveries],
    }


def order_of(row: Mapping[str, Any]) -> Order:
    """The order of a row of fulfillment_details."""
    return Order(
        fulfillment_id=row["FulfillmentId"],
        run_id=row["RunId"],
        execution_id=row["ExecutionId"],
        fleet_id=row["FleetId"],
        event_id=row["EventId"],
        asg_name=row["AutoScalingGroupName"],
        zone=row["AvailabilityZone"],
        order_type=OrderType(row["FulfillmentType"]),
        value=row["FulfillmentValue"],
        placed_at=row["PlacedAt"],
        fulfillment_date=row["FulfillmentDate"],
        purpose=Purpose(row["Purpose"]),
        status=FulfillmentStatus(row["FulfillmentStatus"]),
        status_since=row["StatusSince"],
        approved_at=row["ApprovedAt"],
        decided_by=row["DecidedBy"],
        reason=row["Reason"],
        deliveries=tuple(Delivery(d["Hosts"], parse_instant(d["DeliveredAt"])) for d in row["Deliveries"]),
        superseded=bool(row["Superseded"]),
    )


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


async def add_orders(connection: AsyncConnection, orders: Iterable[tuple[Order, int, int]]) -> None:
    """Inserts orders, each with its fleet's and event's number."""
    await insert_rows(connection, t.fulfillment_details, [_numbered(order_columns(o), f, e) for o, f, e in orders])


async def change_orders(connection: AsyncConnection, orders: Sequence[Order]) -> None:
    """Writes orders that are there already."""
    await update_rows(connection, t.fulfillment_details, [order_columns(order) for order in orders], keep=_FIXED)


async def add_overrides(connection: AsyncConnection, overrides: Iterable[tuple[Override, int, int]]) -> None:
    """Inserts overrides, each with its fleet's and event's number."""
    rows = [_numbered(_recordable(override_columns(o)), f, e) for o, f, e in overrides]
    await insert_rows(connection, t.capacity_override_details, rows)


async def change_overrides(connection: AsyncConnection, overrides: Iterable[tuple[Override, int]]) -> None:
    """Writes overrides that are there already, each with its fleet's number."""
    rows = [{**_recordable(override_columns(o)), "FleetIndexId": number} for o, number in overrides]
    await update_rows(connection, t.capacity_override_details, rows, keep=_FIXED)


async def enable_asgs(connection: AsyncConnection, fleet_index_id: int, names: Sequence[str]) -> None:
    """An ASG's EAPEnableStatus is true from its first approved order on."""
    table = t.asg_details
    if names:
        await connection.execute(
            update(table)
            .where(table.c.FleetIndexId == fleet_index_id, table.c.AutoScalingGroupName.in_(names))
            .values(EAPEnableStatus=True)
        )


def _numbered(row: Row, fleet_index_id: int, event_index_id: int) -> Row:
    row["FleetIndexId"] = fleet_index_id
    row["EventIndexId"] = event_index_id
    return row


def _recordable(row: Row) -> Row:
    for name in ("StartTime", "EndTime", "PeakEnd"):
        row[name] = storable(row[name])
    return row


def storable(moment: datetime) -> datetime:
    """The moment, or the last that a column can hold."""
    return min(moment, LAST_PLANNABLE)
