"""The dashboard's rows: the totals of each order book, and when it has to be settled again."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final, NamedTuple

from sqlalchemy import and_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from services.hotw_svc.adapters import tables as t
from services.hotw_svc.adapters.orders.order_rows import storable
from services.hotw_svc.adapters.rows import Row, index_ids, replace_rows
from services.hotw_svc.domain.orders.order_book import OrderBook, due_at, order_totals
from shared.relational import slices
from shared.schemas.hotw_svc import Purpose

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

_LONG_DUE: Final = datetime(1971, 1, 1, tzinfo=UTC)
"""The earliest instant of the contracts, and so past by every clock that EPIC is set to."""


class BookNumbers(NamedTuple):
    """The numbers that stand for a book's string ids."""

    event: int
    fleet: int
    service: int


def dashboard_row(
    book: OrderBook, numbers: BookNumbers, *, settled_at: datetime | None = None, was_due: datetime | None = None
) -> Row:
    """The dashboard line of a book. A book ``settled_under`` an older version than the event's is settled again.

    A book that is written without being settled stays due when it ``was_due``.
    """
    totals, latest = order_totals(book.orders, book.key), book.latest
    if book.key.purpose is Purpose.DESCALING:  # without orders: what the latest execution gives up
        totals = replace(totals, live_hosts=0 if latest is None else latest.capacity_override_sum or 0)
    due = due_at(book.orders, book.overrides, book.event, gap=book.gap, after=settled_at)
    return {
        "EventIndexId": numbers.event,
        "FleetIndexId": numbers.fleet,
        "ServiceIndexId": numbers.service,
        "Purpose": book.key.purpose,
        **{column: getattr(totals, name) for column, name in TOTALS.items()},
        "OrdersVersionId": book.version_id,
        "LatestExecutionId": None if latest is None else latest.execution_id,
        "Gap": book.gap.hosts,
        "GapSince": book.gap.since,
        "EventVersionId": book.settled_under.version_id,
        "Withdrawn": book.settled_under.withdrawn,
        "DueAt": min((storable(moment) for moment in (due, was_due) if moment is not None), default=None),
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


async def overtake_books(connection: AsyncConnection, fleet_ids: Collection[str]) -> None:
    """Makes all order books of the fleets due, and lets executions of them that are under way begin again.

    The fleets' rows stay locked until the transaction ends, so that no execution writes what it worked out before.
    """
    lock, board = t.fleet_lock, t.hotw_dashboard
    for fleets in slices(sorted(fleet_ids)):
        again = update(lock).where(lock.c.FleetId.in_(fleets)).values(Revision=lock.c.Revision + 1)
        await connection.execute(again)
        numbers = await index_ids(connection, t.fleet_index, fleets)
        await connection.execute(
            update(board).where(board.c.FleetIndexId.in_(sorted(numbers.values()))).values(DueAt=_LONG_DUE)
        )
