"""The HOTW dashboard: an event's fleets by service, with their orders, latest execution and status (7.17.1 to 7.17.16).

A fleet of the event has a row whether or not HOTW has run for it. One that has left the event, because its service is
no longer Registered or its region was dropped, keeps its row while it has live orders.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import ScalarSelect, Subquery, and_, literal, select, union
from sqlalchemy.ext.asyncio import AsyncConnection

from services.hotw_svc.adapters import tables as t
from services.hotw_svc.adapters.inputs.read_models import (
    FLEETS,
    PLANS,
    REGION,
    SERVICES,
    event_fleets,
    hardware_milestones,
    plan_key,
)
from services.hotw_svc.adapters.orders.dashboard_rows import TOTALS
from services.hotw_svc.adapters.rows import Row, wire
from services.hotw_svc.adapters.runs.execution_rows import FACT_COLUMNS
from services.hotw_svc.domain.fleet_status import planned_status, unplanned_status
from services.hotw_svc.domain.orders.order_book import OrderTotals
from shared.schemas.hotw_svc import Purpose

_LATEST: Final = tuple(name for name in FACT_COLUMNS.values() if name != "CapReason")  # of LatestExecution


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
    shown, service = _shown(event_id, purpose, regions), SERVICES.table
    query = (
        select(shown.c.ServiceId, service.c.Owner, service.c.LeaderAlias)
        .select_from(shown.outerjoin(service, service.c.Key == shown.c.ServiceId))
        .where(shown.c.ServiceId > (after or ""))
        .distinct()
        .order_by(shown.c.ServiceId)
        .limit(limit)
    )
    if leader_alias is not None:
        query = query.where(service.c.LeaderAlias == leader_alias)
    if owner is not None:
        query = query.where(service.c.Owner == owner)
    services = (await connection.execute(query)).all()
    owners = {row.ServiceId: row.Owner for row in services}
    fleets: dict[str, list[Row]] = {service_id: [] for service_id in owners}
    for row in await _fleet_rows(connection, event_id, purpose, shown, list(owners)):
        fleets[row.ServiceId].append(_line(row, owners[row.ServiceId]))
    return [
        {
            "ServiceId": row.ServiceId,
            "Owner": row.Owner,
            "LeaderAlias": row.LeaderAlias,
            "Fleets": fleets[row.ServiceId],
        }
        for row in services
    ]


def _shown(event_id: str, purpose: Purpose, regions: Sequence[str]) -> Subquery:
    """The fleets that have a row, as FleetIndexId, FleetId and ServiceId."""
    board, fleet, index = t.hotw_dashboard, FLEETS.table, t.fleet_index
    with_orders = (
        select(index.c.FleetIndexId, index.c.FleetId, fleet.c.ServiceId)
        .select_from(index)
        .join(board, board.c.FleetIndexId == index.c.FleetIndexId)
        .join(fleet, fleet.c.Key == index.c.FleetId)
        .where(board.c.EventIndexId == _number(event_id), board.c.Purpose == purpose.value, board.c.LiveOrders > 0)
    )
    return union(event_fleets(regions), with_orders).subquery("shown")


async def _fleet_rows(
    connection: AsyncConnection, event_id: str, purpose: Purpose, shown: Subquery, services: Sequence[str]
) -> Sequence[Any]:
    """What is known of the services' fleets, by FleetId; the columns of what a fleet does not have are null."""
    board, execution, fleet, plan = t.hotw_dashboard, t.hotw_execution, FLEETS.table, PLANS.table
    its_board = and_(
        board.c.FleetIndexId == shown.c.FleetIndexId,
        board.c.EventIndexId == _number(event_id),
        board.c.Purpose == purpose.value,
    )
    query = (
        select(
            shown.c.FleetId,
            shown.c.ServiceId,
            fleet.c[REGION].label("Region"),
            *(board.c[name] for name in (*TOTALS, "Gap")),
            *(execution.c[name].label(f"Its{name}") for name in _LATEST),
            plan.c.State.label("Plan"),
        )
        .select_from(shown)
        .join(fleet, fleet.c.Key == shown.c.FleetId)
        .outerjoin(board, its_board)
        .outerjoin(execution, execution.c.ExecutionId == board.c.LatestExecutionId)
        .outerjoin(plan, plan.c.Key == literal(plan_key(event_id, "")) + shown.c.FleetId)
        .where(shown.c.ServiceId.in_(services))
        .order_by(shown.c.FleetId)
    )
    return (await connection.execute(query)).all()


def _line(row: Any, owner: str | None) -> Row:
    latest = wire({name: getattr(row, f"Its{name}") for name in _LATEST})
    totals = OrderTotals(**{name: getattr(row, column) or 0 for column, name in TOTALS.items()})
    if row.Plan is None:
        status = unplanned_status(totals, latest["Status"], latest["Reasoning"])
    else:
        status = planned_status(hardware_milestones(row.Plan), owner)
    return {
        "FleetId": row.FleetId,
        "Region": row.Region,
        "CapacityOverrideSum": totals.live_hosts,
        "OrderedHosts": totals.live_hosts,
        "ApprovedHosts": totals.approved_hosts,
        "FulfilledHosts": totals.fulfilled_hosts,
        "Gap": row.Gap or 0,
        "StatusReasoning": status.reasoning,
        "ActionPendingOn": status.pending_on,
        "LatestExecution": None if latest["ExecutionId"] is None else latest,
    }


def _number(event_id: str) -> ScalarSelect[int]:
    """The event's EventIndexId."""
    return select(t.event_index.c.EventIndexId).where(t.event_index.c.EventId == event_id).scalar_subquery()
