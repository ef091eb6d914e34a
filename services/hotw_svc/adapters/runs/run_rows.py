"""Owns the rows of runs: their fleets, their progress, and what they ordered for each service."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import Row as SqlRow
from sqlalchemy import Select, delete, exists, func, insert, literal, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from services.hotw_svc.adapters import tables as t
from services.hotw_svc.adapters.rows import index_ids, slices
from services.hotw_svc.app.runs.run import Run, ServiceShare
from services.hotw_svc.domain.inputs import EventFacts
from services.hotw_svc.domain.orders.order import OrderType
from services.hotw_svc.domain.runs.scope import RunStatus
from shared.trace import Trace

__all__ = [
    "end_run",
    "has_open_fleets",
    "open_run",
    "read_run",
    "running",
    "shares",
    "take_event_fleets",
    "take_fleets",
]

_EPIC = "EPIC"


async def open_run(
    connection: AsyncConnection,
    *,
    event_id: str,
    order_type: OrderType,
    purpose: str,
    user: str,
    now: datetime,
    trace: Trace,
) -> int:
    """A running run without fleets yet; its number."""
    numbers = await index_ids(connection, t.event_index, [event_id])
    made = await connection.execute(
        insert(t.hotw_run).values(
            EventIndexId=numbers[event_id],
            RunStatus=RunStatus.RUNNING.value,
            OrderType=order_type.value,
            CreatedAt=now,
            Purpose=purpose,
            User=user,
            Fleets=0,
            DryRun=False,
            Engine=_EPIC,
            Trace=orjson.dumps([trace.correlation_id, trace.causation_id, trace.traceparent]).decode(),
        )
    )
    key = made.inserted_primary_key
    if key is None:
        raise RuntimeError("the new run got no number")
    return int(key[0])


async def take_event_fleets(connection: AsyncConnection, run_id: int, event: EventFacts) -> int:
    """Every fleet that belongs to the event (the domain's ``belongs``), in one statement however many they are."""
    fleet, service = t.fleet_replica, t.service_replica
    return await _take(
        connection,
        run_id,
        select(literal(run_id), t.fleet_index.c.FleetIndexId, fleet.c.FleetId)
        .join(t.fleet_index, t.fleet_index.c.FleetId == fleet.c.FleetId)
        .join(service, service.c.ServiceId == fleet.c.ServiceId)
        .where(
            fleet.c.EventId.is_(None),
            fleet.c.Deleted.is_(False),
            fleet.c.Region.in_(event.region_list),
            service.c.Deleted.is_(False),
            service.c.ServiceType == "Registered",
        ),
    )


async def take_fleets(connection: AsyncConnection, run_id: int, fleet_ids: Collection[str]) -> int:
    """The fleets of that name."""
    index = t.fleet_index
    fleets = select(literal(run_id), index.c.FleetIndexId, index.c.FleetId)
    taken = 0
    for some in slices(sorted(fleet_ids)):
        taken = await _take(connection, run_id, fleets.where(index.c.FleetId.in_(some)))
    return taken


async def _take(connection: AsyncConnection, run_id: int, fleets: Select[Any]) -> int:
    await connection.execute(insert(t.run_fleet).from_select(["RunId", "FleetIndexId", "FleetId"], fleets))
    count = select(func.count()).select_from(t.run_fleet).where(t.run_fleet.c.RunId == run_id)
    taken = int((await connection.execute(count)).scalar_one())
    await connection.execute(update(t.hotw_run).where(t.hotw_run.c.RunId == run_id).values(Fleets=taken))
    return taken


async def read_run(connection: AsyncConnection, run_id: int, *, lock: bool = False, counted: bool = True) -> Run | None:
    """The run; with ``lock`` nobody else changes it until the transaction ends, ``counted`` with its progress."""
    query = (
        select(t.hotw_run, t.event_index.c.EventId)
        .join(t.event_index, t.event_index.c.EventIndexId == t.hotw_run.c.EventIndexId)
        .where(t.hotw_run.c.RunId == run_id)
    )
    if lock:
        query = query.with_for_update(of=t.hotw_run)
    row = (await connection.execute(query)).first()
    if row is None:
        return None
    return _run(row, await _progress(connection, run_id) if counted else ())


async def _progress(connection: AsyncConnection, run_id: int) -> Sequence[Any]:
    execution = t.hotw_execution
    return (
        await connection.execute(
            select(execution.c.Status, func.count(), func.coalesce(func.sum(execution.c.OrderedHosts), 0))
            .where(execution.c.RunId == run_id)
            .group_by(execution.c.Status)
            .order_by(execution.c.Status)
        )
    ).all()


def _run(row: SqlRow[Any], counted: Sequence[Any]) -> Run:
    correlation, causation, traceparent = orjson.loads(row.Trace)
    return Run(
        run_id=row.RunId,
        event_id=row.EventId,
        event_index_id=row.EventIndexId,
        status=RunStatus(row.RunStatus),
        order_type=OrderType(row.OrderType),
        purpose=row.Purpose,
        user=row.User,
        fleets=row.Fleets,
        created_at=row.CreatedAt,
        trace=Trace(correlation, causation, traceparent),
        ended_at=row.EndedAt,
        dry_run=row.DryRun,
        engine=row.Engine,
        by_status={status: count for status, count, _ in counted},
        ordered_hosts=sum(int(hosts) for _, _, hosts in counted),
    )


async def end_run(connection: AsyncConnection, run: Run, status: RunStatus, now: datetime) -> Run:
    """Ends the run; fleets still open get no execution any more."""
    table = t.hotw_run
    await connection.execute(
        update(table).where(table.c.RunId == run.run_id).values(RunStatus=status.value, EndedAt=now)
    )
    await connection.execute(delete(t.run_fleet).where(t.run_fleet.c.RunId == run.run_id))
    ended = await read_run(connection, run.run_id)
    if ended is None:
        raise RuntimeError(f"run {run.run_id} is not there right after it was written")
    return ended


async def has_open_fleets(connection: AsyncConnection, run_id: int) -> bool:
    """Whether a fleet of the run has no execution yet."""
    return bool((await connection.execute(select(exists().where(t.run_fleet.c.RunId == run_id)))).scalar())


async def running(connection: AsyncConnection) -> list[int]:
    """The runs of EPIC's own engine that are not over, oldest first."""
    table = t.hotw_run
    query = (
        select(table.c.RunId)
        .where(table.c.RunStatus == RunStatus.RUNNING.value, table.c.Engine == _EPIC)
        .order_by(table.c.RunId)
    )
    return list((await connection.execute(query)).scalars())


async def shares(connection: AsyncConnection, run_id: int) -> list[ServiceShare]:
    """What the run ordered for each service, by ServiceId."""
    execution, service = t.hotw_execution, t.service_index
    rows: Iterable[Any] = await connection.execute(
        select(service.c.ServiceId, func.count(), func.sum(execution.c.OrderedHosts))
        .join(service, service.c.ServiceIndexId == execution.c.ServiceIndexId)
        .where(execution.c.RunId == run_id, execution.c.OrderedHosts > 0)
        .group_by(service.c.ServiceId)
        .order_by(service.c.ServiceId)
    )
    return [ServiceShare(service_id=name, ordering_executions=n, ordered_hosts=int(hosts)) for name, n, hosts in rows]
