"""Which gaps are to be checked again, and how each gap changed (HOTW rule 10).

A changed input leaves a mark in the transaction that stores it: by fleet, or by service or event for all their fleets.
A mark stays until the gaps that it concerns were checked. While a run has yet to work a fleet out, its marks wait,
because that execution may have read the input as it was before.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Select, delete, literal, select, union
from sqlalchemy.ext.asyncio import AsyncConnection

from services.hotw_svc.adapters import tables as t
from services.hotw_svc.adapters.inputs.read_models import fleets_of
from services.hotw_svc.adapters.rows import Row
from services.hotw_svc.app.ports import MarkedGaps
from services.hotw_svc.domain.orders.order_book import OrderBook, OrderBookKey
from shared.durability.read_model import State
from shared.relational import insert_rows
from shared.schemas.hotw_svc import Purpose

_UPSCALING: Final = Purpose.UPSCALING.value


class GapRows:
    """The marks of one transaction."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def marked(self, after: int, limit: int) -> MarkedGaps:
        mark = t.gap_mark
        query = select(mark).where(mark.c.MarkId > after).order_by(mark.c.MarkId).limit(limit)
        rows = (await self._connection.execute(query)).all()
        fleets = sorted({row.FleetId for row in rows if row.FleetId is not None})
        # In this order: a fleet that a run works out in between has its book by the time that books are read.
        waiting = await self._events(_waiting(fleets))
        books = await self._events(_books(fleets))
        keys: set[OrderBookKey] = set()
        done: list[int] = []
        for row in rows:
            if row.FleetId is None:
                continue
            held = waiting.get(row.FleetId, set())
            if not (held if row.EventId is None else held & {row.EventId}):
                done.append(row.MarkId)
            events = books.get(row.FleetId, set()) - held
            keys |= {
                OrderBookKey(event_id, row.FleetId, Purpose.UPSCALING)
                for event_id in (events if row.EventId is None else events & {row.EventId})
            }
        return MarkedGaps(
            keys=tuple(sorted(keys, key=lambda key: (key.event_id, key.fleet_id))),
            done=tuple(done),
            wide=tuple(row.MarkId for row in rows if row.FleetId is None),
            last=rows[-1].MarkId if rows else None,
        )

    async def spread(self, wide: Sequence[int]) -> None:
        mark = t.gap_mark
        query = select(mark).where(mark.c.MarkId.in_(wide)).order_by(mark.c.MarkId).with_for_update()
        rows = (await self._connection.execute(query)).all()  # those that no other process has spread
        marks: list[Row] = []
        for row in rows:
            if row.ServiceId is not None:
                fleets: Iterable[str] = await fleets_of(self._connection, [row.ServiceId])
            else:
                found = await self._connection.execute(union(_books_of(row.EventId), _waiting_of(row.EventId)))
                fleets = found.scalars()
            marks += [_mark(fleet_id=fleet_id, event_id=row.EventId) for fleet_id in sorted(fleets)]
        await insert_rows(self._connection, mark, marks)
        await self.remove([row.MarkId for row in rows])

    async def remove(self, mark_ids: Sequence[int]) -> None:
        if mark_ids:
            await self._connection.execute(delete(t.gap_mark).where(t.gap_mark.c.MarkId.in_(mark_ids)))

    async def _events(self, query: Select[Any]) -> dict[str, set[str]]:
        """The events that a query names, by fleet."""
        found: dict[str, set[str]] = {}
        for row in await self._connection.execute(query):
            found.setdefault(row.FleetId, set()).add(row.EventId)
        return found


async def mark_gaps(connection: AsyncConnection, states: Collection[State]) -> None:
    """Marks the gaps that changed inputs concern: those of the fleet that each names, else of the service or event.

    One that names an event as well concerns that event alone.
    """
    marks = {
        (state.get("FleetId"), None if "FleetId" in state else state.get("ServiceId"), state.get("EventId"))
        for state in states
    }
    rows = [_mark(*names) for names in sorted(marks, key=lambda names: tuple(name or "" for name in names))]
    await insert_rows(connection, t.gap_mark, rows)


def gap_change(book: OrderBook, event_index_id: int, fleet_index_id: int, at: datetime) -> Row:
    """A row of gap_change: what a book's gap has become."""
    return {
        "EventIndexId": event_index_id,
        "FleetIndexId": fleet_index_id,
        "OrdersVersionId": book.version_id,
        "ChangedAt": at,
        "Gap": book.gap.hosts,
    }


def _mark(fleet_id: str | None = None, service_id: str | None = None, event_id: str | None = None) -> Row:
    return {"FleetId": fleet_id, "ServiceId": service_id, "EventId": event_id}


_BOOKS: Final = (
    select(t.fleet_index.c.FleetId, t.event_index.c.EventId)
    .join(t.hotw_dashboard, t.hotw_dashboard.c.FleetIndexId == t.fleet_index.c.FleetIndexId)
    .join(t.event_index, t.event_index.c.EventIndexId == t.hotw_dashboard.c.EventIndexId)
    .where(t.hotw_dashboard.c.Purpose == _UPSCALING, t.hotw_dashboard.c.LatestExecutionId.is_not(None))
)
"""The fleets and events that an execution counts for."""
_WAITING: Final = (
    select(t.run_fleet.c.FleetId, t.event_index.c.EventId)
    .join(t.hotw_run, t.hotw_run.c.RunId == t.run_fleet.c.RunId)
    .join(t.event_index, t.event_index.c.EventIndexId == t.hotw_run.c.EventIndexId)
    .where(t.hotw_run.c.Purpose == _UPSCALING, t.hotw_run.c.DryRun == literal(False))
)
"""The fleets and events that a run has yet to work out."""


def _books(fleet_ids: Sequence[str]) -> Select[Any]:
    return _BOOKS.where(t.fleet_index.c.FleetId.in_(fleet_ids))


def _waiting(fleet_ids: Sequence[str]) -> Select[Any]:
    return _WAITING.where(t.run_fleet.c.FleetId.in_(fleet_ids))


def _books_of(event_id: str) -> Select[Any]:
    return _BOOKS.where(t.event_index.c.EventId == event_id).with_only_columns(t.fleet_index.c.FleetId)


def _waiting_of(event_id: str) -> Select[Any]:
    return _WAITING.where(t.event_index.c.EventId == event_id).with_only_columns(t.run_fleet.c.FleetId)
