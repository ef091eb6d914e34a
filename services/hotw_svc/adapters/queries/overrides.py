"""The list of overrides (4.227), by Event, run, fleet and ASG. Every page is read by an index, in the index's order.

So a page costs the same, however many overrides of earlier runs and Events there are.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any, Final

from sqlalchemy import ColumnElement, select
from sqlalchemy.ext.asyncio import AsyncConnection

from services.hotw_svc.adapters import tables as t
from services.hotw_svc.adapters.queries.views import view, with_ids
from services.hotw_svc.adapters.rows import Row
from services.hotw_svc.domain.orders.override import OverrideStatus

OverridePlace = tuple[int, int, int, str]
"""Where an override is in the list."""

_TABLE: Final = t.capacity_override_details
_PLACE: Final = ("EventIndexId", "RunId", "FleetIndexId", "AutoScalingGroupName")
_Where = list[ColumnElement[bool]]


async def override_rows(
    connection: AsyncConnection,
    *,
    event_id: str | None,
    fleet_id: str | None,
    status: OverrideStatus | None,
    after: OverridePlace | None,
    limit: int,
) -> tuple[list[Row], OverridePlace | None]:
    """A page, and the place to go on after; None where there is no more."""
    where: _Where = []
    for name, index in ((event_id, t.event_index), (fleet_id, t.fleet_index)):
        if name is not None:
            number, key = index.columns
            where.append(_TABLE.c[number.name] == select(number).where(key == name).scalar_subquery())
    # An index holds a fleet's overrides in the list's order, another those of a status.
    statuses = [status] if status is not None or fleet_id is not None else list(OverrideStatus)
    found: list[Any] = []
    for one in statuses:
        of_status = where if one is None else [*where, _TABLE.c.OverrideStatus == one.value]
        found += await _first(connection, of_status, after, limit + 1)
    page = list(islice(sorted(found, key=_place), limit + 1))
    items, more = page[:limit], len(page) > limit
    return [view(row) for row in items], _place(items[-1]) if more else None


async def _first(
    connection: AsyncConnection, where: Sequence[ColumnElement[bool]], after: OverridePlace | None, limit: int
) -> list[Any]:
    """The first rows behind a place. Neither database reads a comparison of several columns by an index alone."""
    order = [_TABLE.c[name] for name in _PLACE]
    rows: list[Any] = []
    for behind in _behind(after):
        if len(rows) < limit:
            query = with_ids(_TABLE).where(*where, *behind).order_by(*order).limit(limit - len(rows))
            rows += (await connection.execute(query)).mappings()
    return rows


def _behind(after: OverridePlace | None) -> Iterator[_Where]:
    """Conditions that together hold for all that is behind the place, in the list's order."""
    if after is None:
        yield []
        return
    columns = [_TABLE.c[name] for name in _PLACE]
    for depth in reversed(range(len(columns))):
        equal = [column == value for column, value in zip(columns[:depth], after, strict=False)]
        yield [*equal, columns[depth] > after[depth]]


def _place(row: Any) -> OverridePlace:
    event, run, fleet, asg = (row[name] for name in _PLACE)
    return event, run, fleet, asg
