"""The dashboard's rows: the totals of each order book, and when it has to be settled again."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final, NamedTuple

from sqlalchemy import and_
from sqlalchemy.ext.asyncio import AsyncConnection

from services.hotw_svc.adapters import tables as t
from services.hotw_svc.adapters.orders.order_rows import storable
from services.hotw_svc.adapters.rows import Row, replace_rows
from services.hotw_svc.domain.orders.order_book import OrderBook, due_at, order_totals

TOTALS: Final = {
    "CapacityOverrideSum": "live_hosts",
    "LiveOrders": "live_orders",
    "GrantedOrders": "granted_orders",
    "OpenOrders": "open_orders",
    "LostOrders": "lost_orders",
    "ApprovedHosts": "approved_hosts",
    "FulfilledHosts": "fulfilled_hosts",
}
"""The attributes of OrderTotals by their columns."""


class BookNumbers(NamedTuple):
    """The numbers that stand for a book's string ids."""

    event: int
    fleet: int
    service: int


def dashboard_row(book: OrderBook, numbers: BookNumbers, *, settled_at: datetime | None = None) -> Row:
    """The dashboard line of a book. A book ``settled_under`` an older version than the event's is settled again."""
    totals = order_totals(book.orders, book.key)
    due = due_at(book.orders, book.overrides, book.event, after=settled_at)
    return {
        "EventIndexId": numbers.event,
        "FleetIndexId": numbers.fleet,
        "ServiceIndexId": numbers.service,
        "Purpose": book.key.purpose,
        **{column: getattr(totals, name) for column, name in TOTALS.items()},
        "OrdersVersionId": book.version_id,
        "LatestExecutionId": None if book.latest is None else book.latest.execution_id,
        "Gap": 0,
        "EventVersionId": book.settled_under.version_id,
        "EventIsActive": book.settled_under.is_active,
        "DueAt": None if due is None else storable(due),
    }


async def put_dashboards(connection: AsyncConnection, rows: Sequence[Row]) -> None:
    """Puts lines of one event and purpose in the place of those of the same fleets."""
    if not rows:
        return
    table, first = t.hotw_dashboard, rows[0]
    present = and_(
        table.c.EventIndexId == first["EventIndexId"],
        table.c.Purpose == first["Purpose"],
        table.c.FleetIndexId.in_([row["FleetIndexId"] for row in rows]),
    )
    await replace_rows(connection, table, present, rows)
