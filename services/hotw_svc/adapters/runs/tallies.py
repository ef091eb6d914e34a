"""What became of the fleets of runs: counted while a run goes on, and kept with it once it has ended.

So reads of runs that have ended count nothing, however many fleets those had.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import case, func, literal, select
from sqlalchemy.ext.asyncio import AsyncConnection

from services.hotw_svc.adapters import tables as t
from services.hotw_svc.domain.runs.progress import Tally


async def count_executions(
    connection: AsyncConnection, run_ids: Sequence[int], *, since: datetime | None = None
) -> dict[int, Tally]:
    """By run that has executions, their tally. ``recent`` are those written after ``since``."""
    if not run_ids:
        return {}
    execution = t.hotw_execution
    recent = literal(0) if since is None else case((execution.c.CreatedAt > since, 1), else_=0)
    rows = await connection.execute(
        select(
            execution.c.RunId,
            execution.c.Status,
            func.count(),
            func.coalesce(func.sum(execution.c.OrderedHosts), 0),
            func.coalesce(func.sum(recent), 0),
        )
        .where(execution.c.RunId.in_(run_ids))
        .group_by(execution.c.RunId, execution.c.Status)
        .order_by(execution.c.RunId, execution.c.Status)
    )
    parts: dict[int, list[Any]] = {}
    for run_id, *part in rows:
        parts.setdefault(run_id, []).append(part)
    return {
        run_id: Tally(
            by_status={status: count for status, count, _, _ in of_run},
            ordered_hosts=sum(int(hosts) for _, _, hosts, _ in of_run),
            recent=sum(int(number) for _, _, _, number in of_run),
        )
        for run_id, of_run in parts.items()
    }


def tally_column(tally: Tally) -> dict[str, Any]:
    """The tally of a run that ends, as its row keeps it."""
    return {"ByStatus": dict(tally.by_status), "OrderedHosts": tally.ordered_hosts}


def tally_of(column: Mapping[str, Any]) -> Tally:
    """The tally that the row of a run has kept."""
    return Tally(by_status=column["ByStatus"], ordered_hosts=column["OrderedHosts"])
