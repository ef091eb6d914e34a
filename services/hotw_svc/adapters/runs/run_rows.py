"""The rows of runs: their fleets, their progress, and what they ordered for each service."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

import orjson
from sqlalchemy import Row as SqlRow
from sqlalchemy import delete, exists, func, insert, literal, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from services.hotw_svc.adapters import tables as t
from services.hotw_svc.adapters.inputs.read_models import event_fleets
from services.hotw_svc.adapters.rows import index_ids
from services.hotw_svc.app.runs.run import NewRun, Run
from services.hotw_svc.domain.inputs import EventFacts
from shared.relational import slices
from shared.schemas.hotw_svc import OrderType, Purpose, RunStatus, ServiceOrders
from shared.trace import Trace

_EPIC: Final = "EPIC"  # the engine of this service; runs of others are only recorded


class Runs:
    """The runs of one transaction."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def start(self, new: NewRun, event: EventFacts, fleet_ids: Collection[str] | None) -> Run:
        run_id = await self._insert(new)
        if fleet_ids is None:
            fleet = event_fleets(event.region_list).subquery()
            await self._take(select(literal(run_id), fleet.c.FleetIndexId, fleet.c.FleetId))
        else:
            index = t.fleet_index
            for some in slices(sorted(fleet_ids)):
                await self._take(
                    select(literal(run_id), index.c.FleetIndexId, index.c.FleetId).where(index.c.FleetId.in_(some))
                )
        count = select(func.count()).select_from(t.run_fleet).where(t.run_fleet.c.RunId == run_id)
        fleets = int((await self._connection.execute(count)).scalar_one())
        await self._connection.execute(update(t.hotw_run).where(t.hotw_run.c.RunId == run_id).values(Fleets=fleets))
        run = await self.get(run_id)
        if run is None:
            raise RuntimeError(f"run {run_id} cannot be read right after it was written")
        return run

    async def _insert(self, new: NewRun) -> int:
        events = await index_ids(self._connection, t.event_index, [new.event_id])
        trace = new.trace
        inserted = await self._connection.execute(
            insert(t.hotw_run).values(
                EventIndexId=events[new.event_id],
                RunStatus=RunStatus.RUNNING.value,
                OrderType=new.order_type.value,
                OrderTypeReason=new.order_type_reason,
                CreatedAt=new.created_at,
                Purpose=new.purpose.value,
                User=new.user,
                Fleets=0,
                DryRun=False,
                Engine=_EPIC,
                Trace=orjson.dumps(list(trace)).decode(),
            )
        )
        return int(inserted.lastrowid)

    async def _take(self, fleets: Any) -> None:
        await self._connection.execute(insert(t.run_fleet).from_select(["RunId", "FleetIndexId", "FleetId"], fleets))

    async def get(self, run_id: int, *, lock: bool = False, counted: bool = True) -> Run | None:
        query = (
            select(t.hotw_run, t.event_index.c.EventId)
            .join(t.event_index, t.event_index.c.EventIndexId == t.hotw_run.c.EventIndexId)
            .where(t.hotw_run.c.RunId == run_id)
        )
        if lock:
            query = query.with_for_update(of=t.hotw_run)
        row = (await self._connection.execute(query)).first()
        if row is None:
            return None
        return _run(row, await self._progress(run_id) if counted else ())

    async def _progress(self, run_id: int) -> Sequence[Any]:
        execution = t.hotw_execution
        return (
            await self._connection.execute(
                select(execution.c.Status, func.count(), func.coalesce(func.sum(execution.c.OrderedHosts), 0))
                .where(execution.c.RunId == run_id)
                .group_by(execution.c.Status)
                .order_by(execution.c.Status)
            )
        ).all()

    async def end(self, run: Run, status: RunStatus, now: datetime) -> Run:
        """Ends the run, which was read with its progress; fleets still open get no execution any more."""
        table = t.hotw_run
        await self._connection.execute(
            update(table).where(table.c.RunId == run.run_id).values(RunStatus=status.value, EndedAt=now)
        )
        await self._connection.execute(delete(t.run_fleet).where(t.run_fleet.c.RunId == run.run_id))
        return replace(run, status=status, ended_at=now)

    async def running(self) -> list[int]:
        table = t.hotw_run
        query = (
            select(table.c.RunId)
            .where(table.c.RunStatus == RunStatus.RUNNING.value, table.c.Engine == _EPIC)
            .order_by(table.c.RunId)
        )
        return list((await self._connection.execute(query)).scalars())

    async def has_open_fleets(self, run_id: int) -> bool:
        query = select(exists().where(t.run_fleet.c.RunId == run_id))
        return bool((await self._connection.execute(query)).scalar())

    async def orders_by_service(self, run_id: int) -> list[ServiceOrders]:
        """By ServiceId."""
        execution, service = t.hotw_execution, t.service_index
        rows = await self._connection.execute(
            select(service.c.ServiceId, func.count(), func.sum(execution.c.OrderedHosts))
            .join(service, service.c.ServiceIndexId == execution.c.ServiceIndexId)
            .where(execution.c.RunId == run_id, execution.c.OrderedHosts > 0)
            .group_by(service.c.ServiceId)
            .order_by(service.c.ServiceId)
        )
        return [
            ServiceOrders(service_id=name, ordering_executions=count, ordered_hosts=int(hosts))
            for name, count, hosts in rows
        ]


def _run(row: SqlRow[Any], progress: Sequence[Any]) -> Run:
    return Run(
        run_id=row.RunId,
        event_id=row.EventId,
        event_index_id=row.EventIndexId,
        status=RunStatus(row.RunStatus),
        order_type=OrderType(row.OrderType),
        order_type_reason=row.OrderTypeReason,
        purpose=Purpose(row.Purpose),
        user=row.User,
        fleets=row.Fleets,
        created_at=row.CreatedAt,
        trace=Trace(*orjson.loads(row.Trace)),
        ended_at=row.EndedAt,
        dry_run=row.DryRun,
        engine=row.Engine,
        by_status={status: count for status, count, _ in progress},
        ordered_hosts=sum(int(hosts) for _, _, hosts in progress),
    )
