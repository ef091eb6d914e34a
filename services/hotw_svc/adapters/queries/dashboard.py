"""The HOTW dashboard: an event's fleets by service, with their orders, latest execution and status (7.17.1 to 7.17.16).

A fleet of the event has a row whether or not HOTW has run for it. One that has left the event, because its service is
no longer Registered or its region was dropped, keeps its row while it has live orders.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import ColumnElement, FromClause, ScalarSelect, Select, Table, and_, case, exists, literal, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from services.hotw_svc.adapters import tables as t
from services.hotw_svc.adapters.inputs.read_models import (
    FLEETS,
    PLANS,
    REGION,
    SERVICES,
    hardware_milestones,
    is_event_fleet,
    plan_key,
)
from services.hotw_svc.adapters.orders.dashboard_rows import TOTALS
from services.hotw_svc.adapters.rows import Row, wire
from services.hotw_svc.adapters.runs.execution_rows import FACT_COLUMNS
from services.hotw_svc.domain.fleet_status import FleetStatus, descaling_status, planned_status, unplanned_status
from services.hotw_svc.domain.orders.order_book import OrderTotals
from shared.schemas.hotw_svc import Purpose

_LATEST: Final = tuple(name for name in FACT_COLUMNS.values() if name not in ("CapReason", "BAUTPM"))  # LatestExecution


async def dashboard_services(
    connection: AsyncConnection,
    event_id: str,
    purpose: Purpose,
    *,
    regions: Sequence[str],
    leader_alias: str | None,
    owner: str | None,
    after: str | None,
    limit: int,
) -> list[Row]:
    """The first services after ``after`` with their fleets, by ServiceId and FleetId. ``regions``: the event's."""
    books, service, fleet = _books(event_id, purpose), SERVICES.table, FLEETS.table
    has_row = or_(is_event_fleet(regions), t.hotw_dashboard.c.LiveOrders > 0)
    its_fleets = select(fleet.c.Key).select_from(books).where(fleet.c.ServiceId == service.c.Key, has_row)
    query = (
        select(service.c.Key, service.c.Owner, service.c.LeaderAlias)
        .where(service.c.Key > (after or ""), its_fleets.correlate(service).exists())
        .order_by(service.c.Key)
        .limit(limit)
    )
    if leader_alias is not None:
        query = query.where(service.c.LeaderAlias == leader_alias)
    if owner is not None:
        query = query.where(service.c.Owner == owner)
    services = (await connection.execute(query)).all()
    fleets: dict[str, list[Row]] = {row.Key: [] for row in services}
    rows = _rows(event_id, purpose, books).where(fleet.c.ServiceId.in_(list(fleets)), has_row)
    for row in await connection.execute(rows):
        fleets[row.ServiceId].append(_line(row) if purpose is Purpose.UPSCALING else _descaling_line(row))
    return [
        {"ServiceId": row.Key, "Owner": row.Owner, "LeaderAlias": row.LeaderAlias, "Fleets": fleets[row.Key]}
        for row in services
    ]


def _books(event_id: str, purpose: Purpose) -> FromClause:
    """Every fleet with its order book, where it has one."""
    board, fleet, index = t.hotw_dashboard, FLEETS.table, t.fleet_index
    its_board = and_(
        board.c.FleetIndexId == index.c.FleetIndexId,
        board.c.EventIndexId == _event_number(event_id),
        board.c.Purpose == purpose.value,
    )
    return fleet.join(index, index.c.FleetId == fleet.c.Key).outerjoin(board, its_board)


def _rows(event_id: str, purpose: Purpose, books: FromClause) -> Select[Any]:
    """What is known of fleets, by FleetId; the columns of what a fleet does not have are null."""
    board, execution, reported = t.hotw_dashboard, t.hotw_execution, t.reported_sum
    fleet, plan, service = FLEETS.table, PLANS.table, SERVICES.table
    return (
        select(
            fleet.c.Key.label("FleetId"),
            fleet.c.ServiceId,
            fleet.c[REGION].label("Region"),
            service.c.Owner,
            *(board.c[name] for name in (*TOTALS, "Gap")),
            *(execution.c[name].label(f"Its{name}") for name in _LATEST),
            plan.c.State.label("Plan"),
            case((~_has_orders(reported), reported.c.ReportedSum)).label("ReportedSum"),
        )
        .select_from(books)
        .join(service, service.c.Key == fleet.c.ServiceId)
        .outerjoin(execution, execution.c.ExecutionId == board.c.LatestExecutionId)
        .outerjoin(plan, plan.c.Key == literal(plan_key(event_id, "")) + fleet.c.Key)
        .outerjoin(
            reported,
            and_(
                reported.c.FleetIndexId == t.fleet_index.c.FleetIndexId,
                reported.c.EventIndexId == _event_number(event_id),
                reported.c.Purpose == purpose.value,
            ),
        )
        .order_by(fleet.c.Key)
    )


def _event_number(event_id: str) -> ScalarSelect[Any]:
    return select(t.event_index.c.EventIndexId).where(t.event_index.c.EventId == event_id).scalar_subquery()


def _has_orders(reported: Table) -> ColumnElement[bool]:
    """Whether the fleet has an order for the event and purpose, so that ReportedSum is not shown (7.0.47)."""
    order = t.fulfillment_details
    return exists().where(
        order.c.FleetIndexId == reported.c.FleetIndexId,
        order.c.EventIndexId == reported.c.EventIndexId,
        order.c.Purpose == reported.c.Purpose,
    )


def _line(row: Any) -> Row:
    latest = _latest(row)
    totals = OrderTotals(**{name: getattr(row, column) or 0 for column, name in TOTALS.items()})
    if row.Plan is None:
        status = unplanned_status(totals, latest["Status"], latest["Reasoning"])
    else:
        status = planned_status(hardware_milestones(row.Plan), row.Owner)
    return _row(row, totals, status, latest, override_sum=totals.live_hosts)


def _descaling_line(row: Any) -> Row:
    """There are no orders: CapacityOverrideSum is what the latest execution gives up."""
    latest = _latest(row)
    nothing = OrderTotals(**dict.fromkeys(TOTALS.values(), 0))
    status = descaling_status(latest["Status"], latest["Reasoning"], latest["CapacityOverrideSum"])
    return _row(row, nothing, status, latest, override_sum=latest["CapacityOverrideSum"] or 0)


def _latest(row: Any) -> Row:
    return wire({name: getattr(row, f"Its{name}") for name in _LATEST})


def _row(row: Any, totals: OrderTotals, status: FleetStatus, latest: Row, *, override_sum: int) -> Row:
    return {
        "FleetId": row.FleetId,
        "Region": row.Region,
        "CapacityOverrideSum": override_sum if row.ReportedSum is None else row.ReportedSum,
        "OrderedHosts": totals.live_hosts,
        "ApprovedHosts": totals.approved_hosts,
        "FulfilledHosts": totals.fulfilled_hosts,
        "Gap": row.Gap or 0,
        "StatusReasoning": status.reasoning,
        "ActionPendingOn": status.pending_on,
        "LatestExecution": None if latest["ExecutionId"] is None else latest,
    }
