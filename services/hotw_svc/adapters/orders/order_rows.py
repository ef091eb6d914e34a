"""Owns the rows of orders and overrides, and the dashboard line that sums them up."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Table, and_, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from services.hotw_svc.adapters import tables as t
from services.hotw_svc.adapters.rows import Row, insert_rows, replace_rows, update_rows
from services.hotw_svc.app.orders.books import Book, SettledUnder, due_at, standing
from services.hotw_svc.domain.instants import LAST_RECORDABLE
from services.hotw_svc.domain.orders.order import Order
from services.hotw_svc.domain.orders.override import Override
from services.hotw_svc.domain.rows import order_columns, order_of, override_columns, override_of

__all__ = [
    "add_orders",
    "add_overrides",
    "change_orders",
    "change_overrides",
    "dashboard_row",
    "enable_asgs",
    "orders_of",
    "overrides_of",
    "put_dashboards",
]

_FIXED = frozenset({"PlacedAt", "RunId", "FleetIndexId", "EventIndexId", "ExecutionId"})


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


def dashboard_row(
    book: Book,
    *,
    numbers: tuple[int, int, int],
    orders: Sequence[Order],
    overrides: Sequence[Override],
    orders_version_id: int,
    settled_under: SettledUnder,
    execution_id: int | None,
    settled_at: datetime | None = None,
) -> Row:
    """The dashboard line of a book as its orders now stand; ``numbers`` are event's, fleet's and service's.

    A book that is ``settled_under`` an older version than the event's is settled anew.
    """
    event_index_id, fleet_index_id, service_index_id = numbers
    due = due_at(orders, overrides, book.event, after=settled_at)
    return {
        "EventIndexId": event_index_id,
        "FleetIndexId": fleet_index_id,
        "ServiceIndexId": service_index_id,
        "Purpose": book.key.purpose,
        **standing(orders, event_id=book.key.event_id, purpose=book.key.purpose),
        "OrdersVersionId": orders_version_id,
        "LatestExecutionId": execution_id,
        "Gap": 0,
        "EventVersionId": settled_under.version_id,
        "EventIsActive": settled_under.is_active,
        "DueAt": None if due is None else _last(due),
    }


async def put_dashboards(connection: AsyncConnection, rows: Sequence[Row]) -> None:
    """Puts lines in the place of those of the same event, fleet and purpose."""
    table = t.hotw_dashboard
    if not rows:
        return
    first = rows[0]
    if all(row["EventIndexId"] == first["EventIndexId"] and row["Purpose"] == first["Purpose"] for row in rows):
        present = and_(
            table.c.EventIndexId == first["EventIndexId"],
            table.c.Purpose == first["Purpose"],
            table.c.FleetIndexId.in_([row["FleetIndexId"] for row in rows]),
        )
    else:
        keys = [(row["EventIndexId"], row["FleetIndexId"], row["Purpose"]) for row in rows]
        present = tuple_(table.c.EventIndexId, table.c.FleetIndexId, table.c.Purpose).in_(keys)
    await replace_rows(connection, table, present, rows)


def _numbered(row: Row, fleet_index_id: int, event_index_id: int) -> Row:
    row["FleetIndexId"] = fleet_index_id
    row["EventIndexId"] = event_index_id
    return row


def _recordable(row: Row) -> Row:
    for name in ("StartTime", "EndTime", "PeakEnd"):
        row[name] = _last(row[name])
    return row


def _last(moment: datetime) -> datetime:
    return min(moment, LAST_RECORDABLE)
