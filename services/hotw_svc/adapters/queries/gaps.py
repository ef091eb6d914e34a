"""What people read of gaps: those that are open, and a fleet's numbers day by day."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from services.hotw_svc.adapters import tables as t
from services.hotw_svc.adapters.orders import order_rows
from services.hotw_svc.adapters.queries.views import with_ids
from services.hotw_svc.adapters.rows import Row, wire
from services.hotw_svc.domain.inputs import EventFacts
from services.hotw_svc.domain.orders.series import Moment, days
from services.hotw_svc.domain.runs.execution import LOCK_HELD
from shared.schemas.hotw_svc import Purpose

_UPSCALING = Purpose.UPSCALING.value


async def open_gaps(connection: AsyncConnection, event_id: str, *, after: str | None, limit: int) -> list[Row]:
    """The event's open gaps by FleetId, as they are read."""
    board = t.hotw_dashboard
    query = (
        with_ids(board, service=True)
        .where(t.event_index.c.EventId == event_id, board.c.Purpose == _UPSCALING, board.c.Gap > 0)
        .where(t.fleet_index.c.FleetId > (after or ""))
        .order_by(t.fleet_index.c.FleetId)
        .limit(limit)
    )
    rows = (await connection.execute(query)).all()
    shown = ("ServiceId", "FleetId", "Gap")
    return [wire({**{name: getattr(row, name) for name in shown}, "Since": row.GapSince}) for row in rows]


async def daily_series(
    connection: AsyncConnection, event: EventFacts, fleet_index: int, fleet_id: str, now: datetime
) -> list[Row]:
    """A fleet's numbers for an event at the end of each day, until now or the end of the peak."""
    event_index = await connection.scalar(
        select(t.event_index.c.EventIndexId).where(t.event_index.c.EventId == event.event_id)
    )
    execution, change = t.hotw_execution, t.gap_change
    needed = await connection.execute(
        select(execution.c.CreatedAt, execution.c.Needed)
        .where(
            execution.c.FleetIndexId == fleet_index,
            execution.c.EventIndexId == event_index,
            execution.c.Purpose == _UPSCALING,
            execution.c.DryRun.is_(False),
            execution.c.Needed.is_not(None),
            or_(execution.c.FailCode.is_(None), execution.c.FailCode != LOCK_HELD),
        )
        .order_by(execution.c.ExecutionId)
    )
    gaps = await connection.execute(
        select(change.c.ChangedAt, change.c.Gap)
        .where(change.c.EventIndexId == event_index, change.c.FleetIndexId == fleet_index)
        .order_by(change.c.OrdersVersionId)
    )
    orders = (await order_rows.orders_of(connection, {fleet_index: fleet_id}, _UPSCALING)).get(fleet_id, ())
    found = days(
        needed=[Moment(*row) for row in needed],
        orders=[order for order in orders if order.event_id == event.event_id],
        gaps=[Moment(*row) for row in gaps],
        last=min(now.date(), event.peak_end_date),
    )
    return [
        wire(
            {
                "Date": day.day,
                "Needed": day.needed,
                "Ordered": day.ordered,
                "Approved": day.approved,
                "Delivered": day.delivered,
                "Gap": day.gap,
            }
        )
        for day in found
    ]
