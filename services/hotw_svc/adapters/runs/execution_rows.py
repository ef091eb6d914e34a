"""Owns how executions of a run are written, many in one transaction, with all that follows from them (HOTW rule 7)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from services.hotw_svc.adapters import tables as t
from services.hotw_svc.adapters.orders import order_rows as ledger
from services.hotw_svc.adapters.rows import Row, index_ids, insert_rows, replace_rows
from services.hotw_svc.app.orders.books import Book, BookKey, SettledUnder
from services.hotw_svc.app.ports import Placed
from services.hotw_svc.app.runs.run import Run
from services.hotw_svc.domain.orders.order import Order
from services.hotw_svc.domain.orders.override import Override
from services.hotw_svc.domain.rows import asg_columns, asg_run_columns, execution_columns
from services.hotw_svc.domain.runs.execution import Execution

__all__ = ["write_executions"]


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
    books = await _books_before(connection, run, [row["FleetIndexId"] for _, row in counting])
    placed: list[Placed] = []
    dashboards: list[Row] = []
    new_orders: list[tuple[Order, int, int]] = []
    new_overrides: list[tuple[Override, int, int]] = []
    for execution, row in counting:
        number = row["FleetIndexId"]
        own = tuple(_of_execution(order, row["ExecutionId"]) for order in execution.orders)
        orders, overrides = _afterwards(execution, own)
        orders_version, settled_under = books.get(number, (0, SettledUnder.of(execution.inputs.event)))
        version = orders_version + (2 if own else 1)
        new_orders += [(order, number, run.event_index_id) for order in own]
        new_overrides += [(override, number, run.event_index_id) for override in execution.overrides]
        dashboards.append(_dashboard(run, execution, row, orders, overrides, version, settled_under))
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


async def _books_before(
    connection: AsyncConnection, run: Run, fleets: Sequence[int]
) -> dict[int, tuple[int, SettledUnder]]:
    """By fleet that has a book: its last fact's number, and what of the event it was last settled under.

    An execution settles no book, also when it was worked out under a newer version of the event.
    """
    table = t.hotw_dashboard
    rows = await connection.execute(
        select(table.c.FleetIndexId, table.c.OrdersVersionId, table.c.EventVersionId, table.c.EventIsActive).where(
            table.c.EventIndexId == run.event_index_id,
            table.c.Purpose == run.purpose,
            table.c.FleetIndexId.in_(fleets),
        )
    )
    return {
        row.FleetIndexId: (row.OrdersVersionId, SettledUnder(row.EventVersionId, row.EventIsActive)) for row in rows
    }


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
    settled_under: SettledUnder,
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
        settled_under=settled_under,
    )
    return ledger.dashboard_row(
        book,
        numbers=(run.event_index_id, row["FleetIndexId"], row["ServiceIndexId"]),
        orders=orders,
        overrides=overrides,
        orders_version_id=version,
        settled_under=settled_under,
        execution_id=row["ExecutionId"],
    )
