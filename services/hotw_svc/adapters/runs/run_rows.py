"""The rows of runs: their fleets, their progress, and what they ordered for each service."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

import orjson
from sqlalchemy import Row as SqlRow
from sqlalchemy import delete, exists, func, insert, literal, null, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from services.hotw_svc.adapters import tables as t
from services.hotw_svc.adapters.inputs.read_models import event_fleets
from services.hotw_svc.adapters.rows import index_ids
from services.hotw_svc.adapters.runs.tallies import count_executions, tally_column, tally_of
from services.hotw_svc.app.runs.run import NewRun, Run
from services.hotw_svc.domain.inputs import EventFacts
from services.hotw_svc.domain.runs.progress import NOTHING_DONE, Tally
from services.hotw_svc.domain.runs.scope import Scope
from shared.relational import slices
from shared.schemas.hotw_svc import Engine, OrderType, Purpose, RunStatus, ServiceOrders
from shared.trace import Trace

_RUNS: Final = select(t.hotw_run, t.event_index.c.EventId).join(
    t.event_index, t.event_index.c.EventIndexId == t.hotw_run.c.EventIndexId
)


class Runs:
    """The runs of one transaction."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def start(self, new: NewRun, event: EventFacts, scope: Scope) -> Run:
        run_id = await self._insert(new)
        await self._take_scope(run_id, event, scope)
        count = select(func.count()).select_from(t.run_fleet).where(t.run_fleet.c.RunId == run_id)
        fleets = int((await self._connection.execute(count)).scalar_one())
        await self._connection.execute(update(t.hotw_run).where(t.hotw_run.c.RunId == run_id).values(Fleets=fleets))
        return await self._inserted(run_id)

    async def record(self, new: NewRun) -> Run:
        return await self._inserted(await self._insert(new))

    async def change_order_type(self, run: Run, order_type: OrderType) -> Run:
        table = t.hotw_run
        await self._connection.execute(
            update(table).where(table.c.RunId == run.run_id).values(OrderType=order_type.value)
        )
        return replace(run, order_type=order_type)

    async def add_recorded(self, run_id: int) -> None:
        table = t.hotw_run
        await self._connection.execute(
            update(table).where(table.c.RunId == run_id).values(Fleets=table.c.Fleets + 1, Tally=null())
        )

    async def _inserted(self, run_id: int) -> Run:
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
                OrderType=new.order_type and new.order_type.value,
                OrderTypeReason=new.order_type_reason,
                CreatedAt=new.created_at,
                Purpose=new.purpose.value,
                User=new.user,
                Fleets=0,
                DryRun=new.dry_run,
                Engine=new.engine.value,
                Trace=orjson.dumps(list(trace)).decode(),
            )
        )
        return int(inserted.lastrowid)

    async def _take_scope(self, run_id: int, event: EventFacts, scope: Scope) -> None:
        fleet, index, work = event_fleets(event.region_list).subquery(), t.fleet_index, t.run_fleet
        of_event = select(literal(run_id), fleet.c.FleetIndexId, fleet.c.FleetId)
        if scope.whole_event:
            await self._take(of_event)
        for some in slices(sorted(scope.service_ids)):
            await self._take(of_event.where(fleet.c.ServiceId.in_(some)))
        taken = exists().where(work.c.RunId == run_id, work.c.FleetIndexId == index.c.FleetIndexId)
        for some in slices(sorted(scope.fleet_ids)):
            named = select(literal(run_id), index.c.FleetIndexId, index.c.FleetId).where(index.c.FleetId.in_(some))
            await self._take(named.where(~taken) if scope.service_ids else named)

    async def _take(self, fleets: Any) -> None:
        await self._connection.execute(insert(t.run_fleet).from_select(["RunId", "FleetIndexId", "FleetId"], fleets))

    async def get(
        self, run_id: int, *, lock: bool = False, counted: bool = True, since: datetime | None = None
    ) -> Run | None:
        query = _RUNS.where(t.hotw_run.c.RunId == run_id)
        if lock:
            query = query.with_for_update(of=t.hotw_run)
        row = (await self._connection.execute(query)).first()
        if row is None:
            return None
        return (await self._with_tallies([row], since))[0] if counted else _run(row)

    async def newest(
        self, *, event_id: str | None, status: RunStatus | None, before: int | None, limit: int, since: datetime
    ) -> list[Run]:
        """Runs, newest first; those older than RunId ``before``."""
        table = t.hotw_run
        query = _RUNS.order_by(table.c.RunId.desc()).limit(limit)
        if event_id is not None:
            query = query.where(t.event_index.c.EventId == event_id)
        if status is not None:
            query = query.where(table.c.RunStatus == status)
        if before is not None:
            query = query.where(table.c.RunId < before)
        return await self._with_tallies((await self._connection.execute(query)).all(), since)

    async def _with_tallies(self, rows: Sequence[SqlRow[Any]], since: datetime | None) -> list[Run]:
        counting = [row.RunId for row in rows if row.Tally is None]
        counted = await count_executions(self._connection, counting, since=since)
        return [_run(row, counted.get(row.RunId, NOTHING_DONE)) for row in rows]

    async def end(self, run: Run, status: RunStatus, now: datetime) -> Run:
        table = t.hotw_run
        await self._connection.execute(
            update(table)
            .where(table.c.RunId == run.run_id)
            .values(RunStatus=status.value, EndedAt=now, Tally=tally_column(run.tally))
        )
        await self._connection.execute(delete(t.run_fleet).where(t.run_fleet.c.RunId == run.run_id))
        return replace(run, status=status, ended_at=now)

    async def running(self) -> list[int]:
        table = t.hotw_run
        query = (
            select(table.c.RunId)
            .where(table.c.RunStatus == RunStatus.RUNNING.value, table.c.Engine == Engine.EPIC.value)
            .order_by(table.c.RunId)
        )
        return list((await self._connection.execute(query)).scalars())

    async def is_running(self, event_id: str) -> bool:
        run, index = t.hotw_run, t.event_index
        query = select(run.c.RunId).join(index, index.c.EventIndexId == run.c.EventIndexId)
        query = query.where(index.c.EventId == event_id, run.c.RunStatus == RunStatus.RUNNING.value, ~run.c.DryRun)
        return (await self._connection.execute(query.limit(1))).first() is not None

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


def _run(row: SqlRow[Any], counted: Tally = NOTHING_DONE) -> Run:
    return Run(
        run_id=row.RunId,
        event_id=row.EventId,
        event_index_id=row.EventIndexId,
        status=RunStatus(row.RunStatus),
        order_type=None if row.OrderType is None else OrderType(row.OrderType),
        order_type_reason=row.OrderTypeReason,
        purpose=Purpose(row.Purpose),
        user=row.User,
        fleets=row.Fleets,
        created_at=row.CreatedAt,
        trace=Trace(*orjson.loads(row.Trace)),
        ended_at=row.EndedAt,
        dry_run=row.DryRun,
        engine=Engine(row.Engine),
        tally=counted if row.Tally is None else tally_of(row.Tally),
    )
