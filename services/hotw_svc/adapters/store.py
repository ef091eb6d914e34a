"""Owns HOTW's store: what the use cases ask of one transaction, on MySQL or SQLite."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final, TypeVar

import orjson
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from services.hotw_svc.adapters import tables as t
from services.hotw_svc.adapters.inputs import loading as inputs
from services.hotw_svc.adapters.inputs import replicas
from services.hotw_svc.adapters.inputs.snapshots import fleet_facts
from services.hotw_svc.adapters.orders import order_rows as ledger
from services.hotw_svc.adapters.queries.reading import execution_of, latest_executions
from services.hotw_svc.adapters.runs import claims as chunks
from services.hotw_svc.adapters.runs import execution_rows as executions
from services.hotw_svc.adapters.runs import run_rows as runs
from services.hotw_svc.app.orders.books import Book, BookKey, Entry, SettledUnder
from services.hotw_svc.app.ports import Claim, Claimed, Loaded, Placed, Snapshot
from services.hotw_svc.app.runs.run import Run, ServiceShare
from services.hotw_svc.domain.inputs import EventFacts
from services.hotw_svc.domain.orders.order import OrderType
from services.hotw_svc.domain.runs.distribution import AzFactors
from services.hotw_svc.domain.runs.execution import Execution
from services.hotw_svc.domain.runs.scope import RunStatus
from shared.cause import Cause
from shared.envelope import Message
from shared.errors import Refused
from shared.relational import Database, IdempotencyRecord, UnitOfWork, migrations_in
from shared.trace import Trace

__all__ = ["HotwStore", "HotwUnit", "migrate"]

T = TypeVar("T")
migrate: Final[Callable[[AsyncEngine], Awaitable[None]]] = migrations_in(
    Path(__file__).parent / "migrations", name="hotw_svc"
)


class HotwUnit:
    """One transaction. Reading needs only the connection; writing is done under ``UnitOfWork``."""

    def __init__(self, connection: AsyncConnection, az_factors: AzFactors, work: UnitOfWork | None = None) -> None:
        self._connection = connection
        self._az_factors = az_factors
        self._work = work

    @property
    def _writing(self) -> UnitOfWork:
        if self._work is None:
            raise RuntimeError("this transaction is for reading only")
        return self._work

    async def emit(self, messages: Sequence[Message]) -> None:
        await self._writing.emit(messages)

    async def record_of(self, cause: Cause) -> IdempotencyRecord | None:
        return await self._writing.record_of(cause)

    async def answer(self, cause: Cause, answer: IdempotencyRecord) -> None:
        await self._writing.answer(cause, answer)

    async def finish_record(self, cause: Cause, answer: IdempotencyRecord) -> None:
        await self._writing.records.finish(self._connection, cause, answer)

    # -- what others own -----------------------------------------------------------------------------------------------

    async def keep(self, resource: str, snapshots: Sequence[Snapshot]) -> set[str]:
        return await replicas.keep(self._connection, resource, snapshots)

    async def event(self, event_id: str, *, deleted_too: bool = False) -> EventFacts | None:
        rows = await replicas.snapshots_of(self._connection, t.event_replica, [event_id])
        row = rows.get(event_id)
        return None if row is None or (row.Deleted and not deleted_too) else replicas.event_facts_of(row)

    async def unknown_fleets(self, fleet_ids: Sequence[str]) -> list[str]:
        known = await replicas.known_fleets(self._connection, fleet_ids)
        return [name for name in dict.fromkeys(fleet_ids) if name not in known]

    # -- runs ----------------------------------------------------------------------------------------------------------

    async def open_run(
        self, *, event_id: str, order_type: OrderType, purpose: str, user: str, now: datetime, trace: Trace
    ) -> int:
        return await runs.open_run(
            self._connection, event_id=event_id, order_type=order_type, purpose=purpose, user=user, now=now, trace=trace
        )

    async def take_event_fleets(self, run_id: int, event: EventFacts) -> int:
        return await runs.take_event_fleets(self._connection, run_id, event)

    async def take_fleets(self, run_id: int, fleet_ids: Collection[str]) -> int:
        return await runs.take_fleets(self._connection, run_id, fleet_ids)

    async def run(self, run_id: int, *, lock: bool = False, counted: bool = True) -> Run | None:
        return await runs.read_run(self._connection, run_id, lock=lock, counted=counted)

    async def end_run(self, run: Run, status: RunStatus, now: datetime) -> Run:
        return await runs.end_run(self._connection, run, status, now)

    async def has_open_fleets(self, run_id: int) -> bool:
        return await runs.has_open_fleets(self._connection, run_id)

    async def shares(self, run_id: int) -> list[ServiceShare]:
        return await runs.shares(self._connection, run_id)

    async def execution_of(self, run_id: int, fleet_id: str) -> dict[str, Any] | None:
        return await execution_of(self._connection, run_id, fleet_id)

    # -- a chunk of a run ----------------------------------------------------------------------------------------------

    async def claim(self, run: Run, holder: str, limit: int, lease: float) -> Claim:
        return await chunks.claim(self._connection, run, holder, limit, lease)

    async def load(self, run: Run, fleet_ids: Sequence[str], event: EventFacts) -> list[Loaded]:
        return await inputs.load(self._connection, run, fleet_ids, event, self._az_factors)

    async def still_held(self, run: Run, holder: str, fleets: Sequence[Claimed]) -> dict[str, int]:
        return await chunks.still_held(self._connection, run, holder, fleets)

    async def write_executions(self, run: Run, worked_out: Sequence[Execution]) -> list[Placed]:
        return await executions.write_executions(self._connection, run, worked_out)

    async def release(self, run: Run, holder: str | None, fleet_ids: Sequence[str]) -> None:
        await chunks.release(self._connection, run, holder, fleet_ids)

    # -- books ---------------------------------------------------------------------------------------------------------

    async def book_of_order(self, fulfillment_id: str) -> Book | None:
        order = t.fulfillment_details
        row = (
            await self._connection.execute(
                select(order.c.Purpose, t.event_index.c.EventId, t.fleet_index.c.FleetId)
                .join(t.event_index, t.event_index.c.EventIndexId == order.c.EventIndexId)
                .join(t.fleet_index, t.fleet_index.c.FleetIndexId == order.c.FleetIndexId)
                .where(order.c.FulfillmentId == fulfillment_id)
            )
        ).first()
        if row is None:
            return None
        books = await self.books([BookKey(row.EventId, row.FleetId, row.Purpose)])
        return books[0] if books else None

    async def books(self, keys: Sequence[BookKey]) -> list[Book]:
        if not keys:
            return []
        event_id, purpose = keys[0].event_id, keys[0].purpose
        fleets = sorted(key.fleet_id for key in keys if key.event_id == event_id and key.purpose == purpose)
        lock = t.fleet_lock
        await self._connection.execute(
            select(lock.c.FleetId).where(lock.c.FleetId.in_(fleets)).order_by(lock.c.FleetId).with_for_update()
        )
        event = await self.event(event_id, deleted_too=True)
        if event is None:
            return []
        dashboards = await self._dashboards(event_id, purpose, fleets)
        names = {row["FleetIndexId"]: row["FleetId"] for row in dashboards}
        orders = await ledger.orders_of(self._connection, names, purpose)
        overrides = await ledger.overrides_of(self._connection, names, purpose)
        lines = await replicas.fleet_lines(self._connection, names.values(), event_id)
        latest = await latest_executions(
            self._connection, [row["LatestExecutionId"] for row in dashboards if row["LatestExecutionId"] is not None]
        )
        return [
            Book(
                key=BookKey(event_id, row["FleetId"], purpose),
                service_id=row["ServiceId"],
                event=event,
                fleet=fleet_facts(base=_body(lines[row["FleetId"]][0]), event_line=_body(lines[row["FleetId"]][1])),
                orders=orders.get(row["FleetId"], ()),
                overrides=overrides.get(row["FleetId"], ()),
                orders_version_id=row["OrdersVersionId"],
                settled_under=SettledUnder(row["EventVersionId"], row["EventIsActive"]),
                execution=latest.get(row["LatestExecutionId"]),
            )
            for row in dashboards
        ]

    async def _dashboards(self, event_id: str, purpose: str, fleet_ids: Sequence[str]) -> list[Mapping[str, Any]]:
        board = t.hotw_dashboard
        rows = await self._connection.execute(
            select(board, t.fleet_index.c.FleetId, t.service_index.c.ServiceId)
            .join(t.event_index, t.event_index.c.EventIndexId == board.c.EventIndexId)
            .join(t.fleet_index, t.fleet_index.c.FleetIndexId == board.c.FleetIndexId)
            .join(t.service_index, t.service_index.c.ServiceIndexId == board.c.ServiceIndexId)
            .where(
                t.event_index.c.EventId == event_id,
                board.c.Purpose == purpose,
                t.fleet_index.c.FleetId.in_(fleet_ids),
            )
            .order_by(t.fleet_index.c.FleetId)
        )
        return [dict(row) for row in rows.mappings()]

    async def write_entries(self, entries: Sequence[Entry]) -> None:
        if not entries:
            return
        key = entries[0].book.key
        fleets = sorted(entry.book.key.fleet_id for entry in entries)
        rows = {row["FleetId"]: row for row in await self._dashboards(key.event_id, key.purpose, fleets)}
        numbers = {name: row["FleetIndexId"] for name, row in rows.items()}
        await ledger.change_orders(self._connection, [order for entry in entries for order in entry.orders])
        await ledger.change_overrides(
            self._connection,
            [(item, numbers[entry.book.key.fleet_id]) for entry in entries for item in entry.overrides],
        )
        for entry in entries:
            await ledger.enable_asgs(self._connection, numbers[entry.book.key.fleet_id], entry.enabled_asgs)
        await ledger.put_dashboards(
            self._connection, [_line(entry, rows[entry.book.key.fleet_id]) for entry in entries]
        )
        lock = t.fleet_lock
        await self._connection.execute(
            update(lock).where(lock.c.FleetId.in_(fleets)).values(Revision=lock.c.Revision + 1)
        )


def _line(entry: Entry, row: Mapping[str, Any]) -> dict[str, Any]:
    return ledger.dashboard_row(
        entry.book,
        numbers=(row["EventIndexId"], row["FleetIndexId"], row["ServiceIndexId"]),
        orders=entry.all_orders,
        overrides=entry.all_overrides,
        orders_version_id=entry.orders_version_id,
        settled_under=SettledUnder.of(entry.book.event),
        execution_id=row["LatestExecutionId"],
        settled_at=entry.settled_at,
    )


def _body(row: Any) -> Any:
    return None if row is None else orjson.loads(row.Snapshot)


class HotwStore:
    """The store of one replica of hotw_svc. ``az_factors`` are the region's, as configured."""

    def __init__(self, database: Database, az_factors: AzFactors | None = None) -> None:
        self.database = database
        self._az_factors = az_factors if az_factors is not None else AzFactors.of({})

    async def write(self, fn: Callable[[HotwUnit], Awaitable[T]]) -> T:
        return await self.database.write(lambda work: fn(self._unit(work)))

    async def read(self, fn: Callable[[HotwUnit], Awaitable[T]]) -> T:
        async with self.database.read() as connection:
            return await fn(HotwUnit(connection, self._az_factors))

    async def run_once(
        self, cause: Cause, fn: Callable[[HotwUnit], Awaitable[dict[str, Any]]]
    ) -> tuple[dict[str, Any], bool]:
        return await self.database.run_once(cause, lambda work: fn(self._unit(work)))

    async def keep_refusal(self, cause: Cause, refusal: Refused) -> None:
        await self.database.keep_refusal(cause, refusal)

    async def running(self) -> list[int]:
        async with self.database.read() as connection:
            return await runs.running(connection)

    async def unsettled(self, now: datetime, limit: int) -> list[BookKey]:
        """Books of one event and purpose that are due, or whose event has a newer version than they were settled by."""
        board, event = t.hotw_dashboard, t.event_replica
        books = (
            select(t.event_index.c.EventId, t.fleet_index.c.FleetId, board.c.Purpose)
            .join(t.event_index, t.event_index.c.EventIndexId == board.c.EventIndexId)
            .join(t.fleet_index, t.fleet_index.c.FleetIndexId == board.c.FleetIndexId)
            .join(event, event.c.EventId == t.event_index.c.EventId)
            .order_by(board.c.EventIndexId, board.c.Purpose, board.c.FleetIndexId)
            .limit(limit)
        )
        keys: list[BookKey] = []
        async with self.database.read() as connection:
            for overtaken in (board.c.DueAt <= now, board.c.EventVersionId < event.c.VersionId):  # an index for each
                if not keys:
                    keys = [BookKey(*row) for row in await connection.execute(books.where(overtaken))]
        return [key for key in keys if (key.event_id, key.purpose) == (keys[0].event_id, keys[0].purpose)]

    def _unit(self, work: UnitOfWork) -> HotwUnit:
        return HotwUnit(work.connection, self._az_factors, work)
