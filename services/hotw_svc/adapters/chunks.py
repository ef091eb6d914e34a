"""Owns a chunk of a run: claimed with its fleets' locks, read in bulk, written in bulk, given back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import orjson
from sqlalchemy import case, delete, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from services.hotw_svc.adapters import ledger
from services.hotw_svc.adapters import tables as t
from services.hotw_svc.adapters.replicas import fleet_lines, service_facts_of, snapshots_of
from services.hotw_svc.adapters.rows import Row, index_ids, insert_rows, replace_rows
from services.hotw_svc.app.books import Book, BookKey
from services.hotw_svc.app.ports import Claim, Claimed, Loaded, Placed
from services.hotw_svc.app.runs import Run
from services.hotw_svc.domain import snapshots
from services.hotw_svc.domain.distribution import AzFactors
from services.hotw_svc.domain.execution import Execution
from services.hotw_svc.domain.inputs import EventFacts, FleetFacts, Inputs, Line, RunFacts, ServiceFacts
from services.hotw_svc.domain.orders import Order
from services.hotw_svc.domain.overrides import Override
from services.hotw_svc.domain.rows import asg_columns, asg_run_columns, execution_columns
from services.hotw_svc.domain.scope import RunStatus
from shared.relational import database_now

__all__ = ["claim", "load", "release", "still_held", "write_executions"]

_BLOCKED_PAUSE = 0.5


async def claim(connection: AsyncConnection, run: Run, holder: str, limit: int, lease: float) -> Claim:
    """Takes open fleets of the run that nobody has, and their locks, for ``lease`` seconds of the database's clock.

    A fleet another holder has locked is tried again in a moment; once it has been held for a whole lease, refused.
    """
    work = t.run_fleet
    rows = (
        await connection.execute(
            select(work.c.FleetIndexId, work.c.FleetId, (work.c.BlockedSince < database_now(-lease)).label("overdue"))
            .where(work.c.RunId == run.run_id, or_(work.c.ClaimUntil.is_(None), work.c.ClaimUntil < database_now()))
            .order_by(work.c.FleetIndexId)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
    ).all()
    if not rows:
        open_ones = select(func.count()).select_from(work).where(work.c.RunId == run.run_id)
        return Claim(blocked=int((await connection.execute(open_ones)).scalar_one()))
    locks = await _lock(connection, [row.FleetId for row in rows], run.locked_by, holder, lease)
    mine = [row for row in rows if locks[row.FleetId].Holder == holder]
    refused = {row.FleetId: locks[row.FleetId].LockedBy or "Another run" for row in rows
               if locks[row.FleetId].Holder != holder and row.overdue}  # fmt: skip
    waiting = [row.FleetIndexId for row in rows if locks[row.FleetId].Holder != holder and row.FleetId not in refused]
    claimed = [row.FleetIndexId for row in rows if row.FleetIndexId not in set(waiting)]
    await connection.execute(
        update(work)
        .where(work.c.RunId == run.run_id, work.c.FleetIndexId.in_(claimed))
        .values(ClaimUntil=database_now(lease))
    )
    if waiting:
        await connection.execute(
            update(work)
            .where(work.c.RunId == run.run_id, work.c.FleetIndexId.in_(waiting))
            .values(
                ClaimUntil=database_now(_BLOCKED_PAUSE),
                BlockedSince=case((work.c.BlockedSince.is_(None), database_now()), else_=work.c.BlockedSince),
            )
        )
    fleets = tuple(
        Claimed(row.FleetIndexId, row.FleetId, locks[row.FleetId].Fence, locks[row.FleetId].Revision) for row in mine
    )
    return Claim(fleets, refused, len(waiting))


async def _lock(
    connection: AsyncConnection, fleet_ids: Sequence[str], locked_by: str, holder: str, lease: float
) -> dict[str, Any]:
    lock = t.fleet_lock
    await connection.execute(
        update(lock)
        .where(
            lock.c.FleetId.in_(sorted(fleet_ids)),
            or_(lock.c.LeaseUntil.is_(None), lock.c.LeaseUntil < database_now()),
        )
        .values(
            LockTimestamp=database_now(),
            LockedBy=locked_by,
            Holder=holder,
            LeaseUntil=database_now(lease),
            Fence=lock.c.Fence + 1,
        )
    )
    rows = (await connection.execute(select(lock).where(lock.c.FleetId.in_(list(fleet_ids))))).all()
    return {row.FleetId: row for row in rows}


async def still_held(connection: AsyncConnection, run: Run, holder: str, fleets: Sequence[Claimed]) -> dict[str, int]:
    """The fleets whose lease and fence hold at this instant of the database's clock, with their books' revision."""
    lock = t.fleet_lock
    status = (
        await connection.execute(
            select(t.hotw_run.c.RunStatus).where(t.hotw_run.c.RunId == run.run_id).with_for_update(read=True)
        )
    ).scalar_one()
    if status != RunStatus.RUNNING.value:
        await connection.execute(_unlocked(holder, [fleet.fleet_id for fleet in fleets]))
        return {}
    fences = {fleet.fleet_id: fleet.fence for fleet in fleets}
    rows = await connection.execute(
        select(lock.c.FleetId, lock.c.Fence, lock.c.Revision)
        .where(lock.c.FleetId.in_(sorted(fences)), lock.c.Holder == holder, lock.c.LeaseUntil > database_now())
        .order_by(lock.c.FleetId)
        .with_for_update()
    )
    return {row.FleetId: row.Revision for row in rows if row.Fence == fences[row.FleetId]}


async def release(connection: AsyncConnection, run: Run, holder: str | None, fleet_ids: Sequence[str]) -> None:
    """These fleets have their execution: their part in the run is over, their books have a new revision."""
    work = t.run_fleet
    await connection.execute(delete(work).where(work.c.RunId == run.run_id, work.c.FleetId.in_(list(fleet_ids))))
    if holder is not None:
        await connection.execute(_unlocked(holder, fleet_ids))


def _unlocked(holder: str, fleet_ids: Sequence[str]) -> Any:
    lock = t.fleet_lock
    return (
        update(lock)
        .where(lock.c.FleetId.in_(sorted(fleet_ids)), lock.c.Holder == holder)
        .values(LockTimestamp=None, LockedBy=None, Holder=None, LeaseUntil=None, Revision=lock.c.Revision + 1)
    )


async def load(
    connection: AsyncConnection, run: Run, fleet_ids: Sequence[str], event: EventFacts, az_factors: AzFactors
) -> list[Loaded]:
    """The inputs of each fleet, in the order given, read in a handful of statements."""
    numbers = await index_ids(connection, t.fleet_index, fleet_ids)
    names = {number: fleet_id for fleet_id, number in numbers.items()}
    lines = await fleet_lines(connection, fleet_ids, run.event_id)
    services: dict[str, ServiceFacts | None] = {
        key: service_facts_of(row)
        for key, row in (
            await snapshots_of(connection, t.service_replica, {_service_id(*lines[name]) for name in fleet_ids})
        ).items()
    }
    projections = await snapshots_of(
        connection, t.projection_replica, [f"{fleet_id}#{run.event_id}#Peak" for fleet_id in fleet_ids]
    )
    inventories = await snapshots_of(connection, t.inventory_replica, fleet_ids)
    orders = await ledger.orders_of(connection, names, run.purpose)
    overrides = await ledger.overrides_of(connection, names, run.purpose)
    facts = RunFacts(run_id=run.run_id, order_type=run.order_type, user=run.user, purpose=run.purpose)
    found = []
    for fleet_id in fleet_ids:
        base, line = lines[fleet_id]
        bare = FleetFacts(
            fleet_id=fleet_id, service_id=_service_id(base, line), region="", line=Line.BASE, version_id=0
        )
        known = Inputs(
            run=facts,
            fleet_index_id=numbers[fleet_id],
            event=event,
            fleet=bare,
            service=services.get(bare.service_id),
            orders=orders.get(fleet_id, ()),
            overrides=overrides.get(fleet_id, ()),
            az_factors=az_factors,
        )
        gone = base is None or bool(base.Deleted)
        projection = projections.get(f"{fleet_id}#{run.event_id}#Peak")
        try:
            read = _read(known, base, line, projection, inventories.get(fleet_id))
            found.append(Loaded(fleet_id, read, gone=gone))
        except (ValueError, KeyError, TypeError) as error:
            found.append(Loaded(fleet_id, known, gone, f"What is known of {fleet_id} cannot be read: {error!r}."))
    return found


def _read(known: Inputs, base: Any, line: Any, projection: Any, inventory: Any) -> Inputs:
    return replace(
        known,
        fleet=snapshots.fleet_facts(base=_body(base), event_line=_body(line)),
        projection=None
        if projection is None or projection.Deleted
        else snapshots.projection_facts(orjson.loads(projection.Snapshot)),
        inventory=None if inventory is None else snapshots.inventory_facts(orjson.loads(inventory.Snapshot)),
    )


def _body(row: Any) -> Any:
    return None if row is None else orjson.loads(row.Snapshot)


def _service_id(base: Any, line: Any) -> str:
    row = base if base is not None else line
    return "" if row is None else str(row.ServiceId)


async def write_executions(connection: AsyncConnection, run: Run, executions: Sequence[Execution]) -> list[Placed]:
    """Writes executions of one run and all that follows from them (HOTW rule 7), in as few statements as it can.

    Those that count come back with their numbers. The fleets' lock rows are held, unless none of them counts.
    """
    if not executions:
        return []
    services = await index_ids(connection, t.service_index, {e.inputs.fleet.service_id for e in executions})
    rows = [_execution_row(run, execution, services) for execution in executions]
    await insert_rows(connection, t.hotw_execution, rows)
    numbers = await _execution_ids(connection, run.run_id, [row["FleetIndexId"] for row in rows])
    counting = [(e, row) for e, row in zip(executions, rows, strict=True) if e.counts]
    if not counting:
        return []
    for _, row in counting:
        row["ExecutionId"] = numbers[row["FleetIndexId"]]
    await _write_asgs(connection, [execution for execution, _ in counting])
    versions = await _orders_versions(connection, run, [row["FleetIndexId"] for _, row in counting])
    placed: list[Placed] = []
    dashboards: list[Row] = []
    new_orders: list[tuple[Order, int, int]] = []
    new_overrides: list[tuple[Override, int, int]] = []
    for execution, row in counting:
        number = row["FleetIndexId"]
        own = tuple(_of_execution(order, row["ExecutionId"]) for order in execution.orders)
        orders, overrides = _afterwards(execution, own)
        version = versions.get(number, 0) + (2 if own else 1)
        new_orders += [(order, number, run.event_index_id) for order in own]
        new_overrides += [(override, number, run.event_index_id) for override in execution.overrides]
        dashboards.append(_dashboard(run, execution, row, orders, overrides, version))
        placed.append(Placed(execution=execution, columns=row, orders=orders, orders_version_id=version))
    await ledger.add_orders(connection, new_orders)
    await ledger.change_orders(connection, [o for e, _ in counting for o in e.superseded_orders])
    await ledger.change_overrides(
        connection, [(o, row["FleetIndexId"]) for e, row in counting for o in e.superseded_overrides]
    )
    await ledger.add_overrides(connection, new_overrides)
    await ledger.put_dashboards(connection, dashboards)
    return placed


def _execution_row(run: Run, execution: Execution, services: Mapping[str, int]) -> Row:
    row = execution_columns(execution)
    row["FleetIndexId"] = execution.inputs.fleet_index_id
    row["ServiceIndexId"] = services[execution.inputs.fleet.service_id]
    row["EventIndexId"] = run.event_index_id
    row["DryRun"] = run.dry_run
    row["Engine"] = run.engine
    return row


async def _execution_ids(connection: AsyncConnection, run_id: int, fleets: Sequence[int]) -> dict[int, int]:
    table = t.hotw_execution
    rows = await connection.execute(
        select(table.c.FleetIndexId, table.c.ExecutionId).where(
            table.c.RunId == run_id, table.c.FleetIndexId.in_(fleets)
        )
    )
    return dict(rows.all())


async def _orders_versions(connection: AsyncConnection, run: Run, fleets: Sequence[int]) -> dict[int, int]:
    table = t.hotw_dashboard
    rows = await connection.execute(
        select(table.c.FleetIndexId, table.c.OrdersVersionId).where(
            table.c.EventIndexId == run.event_index_id,
            table.c.Purpose == run.purpose,
            table.c.FleetIndexId.in_(fleets),
        )
    )
    return dict(rows.all())


async def _write_asgs(connection: AsyncConnection, executions: Sequence[Execution]) -> None:
    now_rows: list[Row] = []
    run_rows: list[Row] = []
    for execution in executions:
        number = {"FleetIndexId": execution.inputs.fleet_index_id}
        for outcome in execution.asgs:
            now_rows.append(asg_columns(outcome, execution=execution) | number)
            run_rows.append(asg_run_columns(outcome, execution=execution) | number)
    fleets = [execution.inputs.fleet_index_id for execution in executions if execution.asgs]
    await insert_rows(connection, t.asg_details_run, run_rows)
    await replace_rows(connection, t.asg_details, t.asg_details.c.FleetIndexId.in_(fleets), now_rows)


def _of_execution(order: Order, execution_id: int) -> Order:
    return replace(order, execution_id=execution_id)


def _afterwards(execution: Execution, own: tuple[Order, ...]) -> tuple[tuple[Order, ...], tuple[Override, ...]]:
    changed = {order.fulfillment_id: order for order in execution.superseded_orders}
    gone = {(o.run_id, o.asg_name): o for o in execution.superseded_overrides}
    inputs = execution.inputs
    orders = (*(changed.get(order.fulfillment_id, order) for order in inputs.event_orders), *own)
    overrides = (*(gone.get((o.run_id, o.asg_name), o) for o in inputs.overrides), *execution.overrides)
    return orders, overrides


def _dashboard(
    run: Run,
    execution: Execution,
    row: Row,
    orders: tuple[Order, ...],
    overrides: tuple[Override, ...],
    version: int,
) -> Row:
    inputs = execution.inputs
    book = Book(
        key=BookKey(run.event_id, inputs.fleet.fleet_id, run.purpose),
        service_id=inputs.fleet.service_id,
        event=inputs.event,
        fleet=inputs.fleet,
        orders=orders,
        overrides=overrides,
        orders_version_id=version,
    )
    return ledger.dashboard_row(
        book,
        numbers=(run.event_index_id, row["FleetIndexId"], row["ServiceIndexId"]),
        orders=orders,
        overrides=overrides,
        orders_version_id=version,
        execution_id=row["ExecutionId"],
    )
