"""Owns how HOTW's rows are read by people: flat objects with string ids, decimals as numbers, instants with ``Z``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Select, Table, select
from sqlalchemy.ext.asyncio import AsyncConnection

from services.hotw_svc.adapters import tables as t
from services.hotw_svc.app.queries.fleet_status import standing_of
from services.hotw_svc.domain.rows import wire

__all__ = [
    "asgs_of_fleet",
    "asgs_of_run",
    "dashboard",
    "execution_of",
    "executions_of_fleet",
    "latest_executions",
    "orders",
]

Flat = dict[str, Any]
_NUMBERS: Final = frozenset({"FleetIndexId", "ServiceIndexId", "EventIndexId"})
_LEFT_OUT: Final = _NUMBERS | {"Superseded", "DueAt", "EventVersionId", "EventIsActive"}


def _named(table: Table, *, service: bool = False, event: bool = True) -> Select[Any]:
    """The table's rows with the string ids its numbers stand for."""
    columns: list[Any] = [table, t.fleet_index.c.FleetId]
    joined = table.join(t.fleet_index, t.fleet_index.c.FleetIndexId == table.c.FleetIndexId)
    if event:
        columns.append(t.event_index.c.EventId)
        joined = joined.join(t.event_index, t.event_index.c.EventIndexId == table.c.EventIndexId)
    if service:
        columns.append(t.service_index.c.ServiceId)
        joined = joined.join(t.service_index, t.service_index.c.ServiceIndexId == table.c.ServiceIndexId)
    return select(*columns).select_from(joined)


def _flat(row: Mapping[str, Any]) -> Flat:
    return wire({str(name): value for name, value in row.items() if name not in _LEFT_OUT})


async def latest_executions(connection: AsyncConnection, ids: Sequence[int]) -> dict[int, Mapping[str, Any]]:
    """The columns of executions by their ExecutionId, as a fact needs them."""
    if not ids:
        return {}
    table = t.hotw_execution
    rows = await connection.execute(select(table).where(table.c.ExecutionId.in_(ids)))
    return {row["ExecutionId"]: dict(row) for row in rows.mappings()}


async def execution_of(connection: AsyncConnection, run_id: int, fleet_id: str) -> Flat | None:
    """A run's execution of one fleet, whole; None while there is none."""
    table = t.hotw_execution
    query = _named(table, service=True).where(table.c.RunId == run_id, t.fleet_index.c.FleetId == fleet_id)
    rows = (await connection.execute(query)).mappings().all()
    return (await _whole(connection, rows))[0] if rows else None


async def executions_of_fleet(
    connection: AsyncConnection, event_id: str, fleet_id: str, *, before: int | None, limit: int
) -> list[Flat]:
    """A fleet's executions for an event, newest first, each whole; those older than ExecutionId ``before``."""
    table = t.hotw_execution
    query = (
        _named(table, service=True)
        .where(t.fleet_index.c.FleetId == fleet_id, t.event_index.c.EventId == event_id)
        .order_by(table.c.ExecutionId.desc())
        .limit(limit)
    )
    if before is not None:
        query = query.where(table.c.ExecutionId < before)
    return await _whole(connection, (await connection.execute(query)).mappings().all())


async def _whole(connection: AsyncConnection, rows: Sequence[Any]) -> list[Flat]:
    """The executions of one fleet with their overrides, orders and ASGs as lists."""
    pairs = [(row["RunId"], row["FleetIndexId"]) for row in rows]
    if not pairs:
        return []
    lists: dict[str, dict[tuple[int, int], list[Flat]]] = {}
    for name, table, key in (
        ("CapacityOverrideDetails", t.capacity_override_details, "AutoScalingGroupName"),
        ("FulfillmentDetails", t.fulfillment_details, "FulfillmentId"),
        ("ASGDetails", t.asg_details_run, "AutoScalingGroupName"),
    ):
        query = _named(table, event="EventIndexId" in table.c).where(
            table.c.FleetIndexId == pairs[0][1], table.c.RunId.in_([run for run, _ in pairs])
        )
        by_pair: dict[tuple[int, int], list[Flat]] = {pair: [] for pair in pairs}
        for item in (await connection.execute(query)).mappings():
            by_pair[item["RunId"], item["FleetIndexId"]].append(_flat(item))
        for items in by_pair.values():
            items.sort(key=lambda item, key=key: _natural(item[key]))  # type: ignore[misc]
        lists[name] = by_pair
    return [
        {**_flat(row), **{name: by_pair[row["RunId"], row["FleetIndexId"]] for name, by_pair in lists.items()}}
        for row in rows
    ]


def _natural(name: str) -> tuple[Any, ...]:
    """``F5-42-10`` comes after ``F5-42-9``; other names by their characters."""
    head, _, number = name.rpartition("-")
    return (head, int(number)) if number.isdigit() and name.startswith("F") else (name, 0)


async def asgs_of_fleet(connection: AsyncConnection, fleet_id: str) -> list[Flat]:
    """A fleet's ASGs as the latest execution saw them, by name."""
    table = t.asg_details
    query = _named(table, event=False).where(t.fleet_index.c.FleetId == fleet_id)
    rows = (await connection.execute(query.order_by(table.c.AutoScalingGroupName))).mappings()
    return [_flat(row) for row in rows]


async def asgs_of_run(connection: AsyncConnection, fleet_id: str, run_id: int) -> list[Flat]:
    """A fleet's ASGs as that run saw them, with what it recommended, by name."""
    table = t.asg_details_run
    query = _named(table, event=False).where(t.fleet_index.c.FleetId == fleet_id, table.c.RunId == run_id)
    rows = (await connection.execute(query.order_by(table.c.AutoScalingGroupName))).mappings()
    return [_flat(row) for row in rows]


async def orders(
    connection: AsyncConnection,
    *,
    event_id: str | None,
    fleet_id: str | None,
    status: str | None,
    after: str | None,
    limit: int,
) -> list[Flat]:
    """Orders by their FulfillmentId, filtered; those after ``after``."""
    table = t.fulfillment_details
    query = _named(table).order_by(table.c.FulfillmentId).limit(limit)
    for given, column in (
        (event_id, t.event_index.c.EventId),
        (fleet_id, t.fleet_index.c.FleetId),
        (status, table.c.FulfillmentStatus),
    ):
        if given is not None:
            query = query.where(column == given)
    if after is not None:
        query = query.where(table.c.FulfillmentId > after)
    return [_flat(row) for row in (await connection.execute(query)).mappings()]


async def dashboard(
    connection: AsyncConnection,
    event_id: str,
    purpose: str,
    *,
    leader_alias: str | None = None,
    owner: str | None = None,
    after: str | None = None,
    limit: int = 1000,
) -> list[Flat]:
    """Per service, sorted by ServiceId, its fleets' lines with their latest execution; services after ``after``."""
    services = await _services_with_lines(connection, event_id, purpose, leader_alias, owner, after, limit)
    if not services:
        return []
    board, execution, replica = t.hotw_dashboard, t.hotw_execution, t.fleet_replica
    rows = await connection.execute(
        select(
            board,
            t.fleet_index.c.FleetId,
            replica.c.Region,
            *(execution.c[name].label(f"Its{name}") for name in _LATEST),
        )
        .join(t.event_index, t.event_index.c.EventIndexId == board.c.EventIndexId)
        .join(t.fleet_index, t.fleet_index.c.FleetIndexId == board.c.FleetIndexId)
        .outerjoin(replica, replica.c.LineKey == t.fleet_index.c.FleetId)
        .outerjoin(execution, execution.c.ExecutionId == board.c.LatestExecutionId)
        .where(
            t.event_index.c.EventId == event_id,
            board.c.Purpose == purpose,
            board.c.ServiceIndexId.in_(list(services)),
        )
        .order_by(t.fleet_index.c.FleetId)
    )
    for row in rows.mappings():
        services[row["ServiceIndexId"]]["Fleets"].append(_line({str(name): value for name, value in row.items()}))
    return list(services.values())


_LATEST: Final = (
    "ExecutionId", "RunId", "OrderType", "Status", "Reasoning", "Needed", "RequiredHosts", "HostsPresentInApollo",
    "PendingEPICFMCHostOrder", "CapacityOverrideSum", "OrderedHosts", "Shortfall", "CreatedAt",
)  # fmt: skip


async def _services_with_lines(
    connection: AsyncConnection,
    event_id: str,
    purpose: str,
    leader_alias: str | None,
    owner: str | None,
    after: str | None,
    limit: int,
) -> dict[int, Flat]:
    board, index, replica = t.hotw_dashboard, t.service_index, t.service_replica
    query = (
        select(index.c.ServiceIndexId, index.c.ServiceId, replica.c.Owner, replica.c.LeaderAlias)
        .outerjoin(replica, replica.c.ServiceId == index.c.ServiceId)
        .where(
            index.c.ServiceIndexId.in_(
                select(board.c.ServiceIndexId)
                .join(t.event_index, t.event_index.c.EventIndexId == board.c.EventIndexId)
                .where(t.event_index.c.EventId == event_id, board.c.Purpose == purpose)
            )
        )
        .order_by(index.c.ServiceId)
        .limit(limit)
    )
    if leader_alias is not None:
        query = query.where(replica.c.LeaderAlias == leader_alias)
    if owner is not None:
        query = query.where(replica.c.Owner == owner)
    if after is not None:
        query = query.where(index.c.ServiceId > after)
    rows = (await connection.execute(query)).all()
    return {
        row.ServiceIndexId: {
            "ServiceId": row.ServiceId,
            "Owner": row.Owner,
            "LeaderAlias": row.LeaderAlias,
            "Fleets": [],
        }
        for row in rows
    }


def _line(row: Mapping[str, Any]) -> Flat:
    latest = wire({name: row[f"Its{name}"] for name in _LATEST})
    reasoning, pending_on = standing_of(row, latest)
    return {
        "FleetId": row["FleetId"],
        "Region": row["Region"],
        "CapacityOverrideSum": row["CapacityOverrideSum"],
        "OrderedHosts": row["CapacityOverrideSum"],
        "ApprovedHosts": row["ApprovedHosts"],
        "FulfilledHosts": row["FulfilledHosts"],
        "Gap": row["Gap"],
        "StatusReasoning": reasoning,
        "ActionPendingOn": pending_on,
        "LatestExecution": None if latest["ExecutionId"] is None else latest,
    }
