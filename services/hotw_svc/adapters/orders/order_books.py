"""Order books: a fleet's dashboard line with its orders and overrides, read and written together."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from services.hotw_svc.adapters import tables as t
from services.hotw_svc.adapters.inputs import read_models
from services.hotw_svc.adapters.inputs.facts import fleet_facts, service_facts
from services.hotw_svc.adapters.inputs.read_models import EVENTS, SERVICES, state_of
from services.hotw_svc.adapters.orders import order_rows
from services.hotw_svc.adapters.orders.dashboard_rows import BookNumbers, dashboard_row, put_dashboards
from services.hotw_svc.adapters.orders.gap_rows import gap_change, mark_gaps
from services.hotw_svc.adapters.providers.provider_group_rows import mark_groups
from services.hotw_svc.adapters.queries.views import view, with_ids
from services.hotw_svc.adapters.runs.execution_rows import latest_executions
from services.hotw_svc.app.ports import View
from services.hotw_svc.domain.orders.gap import Gap
from services.hotw_svc.domain.orders.order import Order
from services.hotw_svc.domain.orders.order_book import OrderBook, OrderBookChange, OrderBookKey, SettledUnder
from shared.relational import insert_rows
from shared.schemas.hotw_svc import Purpose


class OrderBooks:
    """The order books of one transaction."""

    def __init__(self, connection: AsyncConnection, *, queue_groups: bool = False) -> None:
        self._connection = connection
        self._queue_groups = queue_groups
        self._numbers: dict[OrderBookKey, BookNumbers] = {}

    async def of_order(self, fulfillment_id: str) -> OrderBook | None:
        order = t.fulfillment_details
        query = with_ids(order).where(order.c.FulfillmentId == fulfillment_id)
        row = (await self._connection.execute(query)).first()
        if row is None:
            return None
        books = await self.get([OrderBookKey(row.EventId, row.FleetId, Purpose(row.Purpose))])
        return books[0] if books else None

    async def get(self, keys: Sequence[OrderBookKey]) -> list[OrderBook]:
        if not keys:
            return []
        event_id, purpose = keys[0].event_id, keys[0].purpose
        fleet_ids = sorted(key.fleet_id for key in keys if key.event_id == event_id and key.purpose is purpose)
        lock = t.fleet_lock
        await self._connection.execute(
            select(lock.c.FleetId).where(lock.c.FleetId.in_(fleet_ids)).order_by(lock.c.FleetId).with_for_update()
        )
        event = await read_models.event(self._connection, event_id, deleted_too=True)
        if event is None:
            return []
        board = t.hotw_dashboard
        query = with_ids(board, service=True).where(t.event_index.c.EventId == event_id, board.c.Purpose == purpose)
        query = query.where(t.fleet_index.c.FleetId.in_(fleet_ids)).order_by(t.fleet_index.c.FleetId)
        dashboards = (await self._connection.execute(query)).mappings().all()
        names = {row["FleetIndexId"]: row["FleetId"] for row in dashboards}
        orders = await order_rows.orders_of(self._connection, names, purpose)
        overrides = await order_rows.overrides_of(self._connection, names, purpose)
        windows = await read_models.override_windows(self._connection, order_rows.other_events(overrides, event_id))
        lines = await read_models.fleet_lines(self._connection, names.values(), event_id)
        latest = await latest_executions(
            self._connection, [row["LatestExecutionId"] for row in dashboards if row["LatestExecutionId"] is not None]
        )
        fleets = {
            name: fleet_facts(base=state_of(base), event_line=state_of(line)) for name, (base, line) in lines.items()
        }
        services = await SERVICES.rows(self._connection, {fleet.service_id for fleet in fleets.values()})
        known = {name: service_facts(state_of(row)) for name, row in services.items()}
        books = []
        for row in dashboards:
            fleet_id = row["FleetId"]
            key = OrderBookKey(event_id, fleet_id, purpose)
            self._numbers[key] = BookNumbers(row["EventIndexId"], row["FleetIndexId"], row["ServiceIndexId"])
            books.append(
                OrderBook(
                    key=key,
                    service_id=row["ServiceId"],
                    event=event,
                    fleet=fleets[fleet_id],
                    service=known.get(fleets[fleet_id].service_id),
                    orders=orders.get(fleet_id, ()),
                    overrides=overrides.get(fleet_id, ()),
                    version_id=row["OrdersVersionId"],
                    settled_under=SettledUnder(row["EventVersionId"], row["Withdrawn"]),
                    latest=latest.get(row["LatestExecutionId"]),
                    gap=Gap(row["Gap"], row["GapSince"]),
                    windows=windows,
                )
            )
        return books

    async def unsettled(self, now: datetime, limit: int) -> list[OrderBookKey]:
        board, event = t.hotw_dashboard, EVENTS.table
        books = (
            with_ids(board)
            .join(event, event.c.Key == t.event_index.c.EventId)
            .order_by(board.c.EventIndexId, board.c.Purpose, board.c.FleetIndexId)
            .limit(limit)
        )
        keys: list[OrderBookKey] = []
        for overtaken in (board.c.DueAt <= now, board.c.EventVersionId < event.c.VersionId):  # an index for each
            if not keys:
                rows = await self._connection.execute(books.where(overtaken))
                keys = [OrderBookKey(row.EventId, row.FleetId, Purpose(row.Purpose)) for row in rows]
        return [key for key in keys if (key.event_id, key.purpose) == (keys[0].event_id, keys[0].purpose)]

    async def write(self, changes: Sequence[OrderBookChange]) -> None:
        if not changes:
            return
        connection = self._connection
        numbers = {change.after.key.fleet_id: self._numbers[change.after.key] for change in changes}
        await order_rows.change_orders(connection, [order for change in changes for order in change.orders])
        fleets = {fleet_id: of_book.fleet for fleet_id, of_book in numbers.items()}
        overrides = [override for change in changes for override in change.overrides]
        await order_rows.change_overrides(connection, overrides, fleets)
        enabled = {(fleets[change.after.key.fleet_id], name) for change in changes for name in change.enabled_asgs}
        await order_rows.enable_asgs(connection, enabled)
        if self._queue_groups:
            await mark_groups(connection, overrides, fleets)
        books = [(numbers[change.after.key.fleet_id], change) for change in changes]
        rows = [dashboard_row(change.after, of_book, settled_at=change.settled_at) for of_book, change in books]
        await put_dashboards(connection, rows)
        await self._write_gaps(changes)
        lock, mine = t.fleet_lock, t.fleet_lock.c.FleetId.in_(sorted(numbers))
        await connection.execute(update(lock).where(mine).values(Revision=lock.c.Revision + 1))

    async def _write_gaps(self, changes: Sequence[OrderBookChange]) -> None:
        """Keeps each gap that changed. An order that was lost marks the fleet's gaps, for other events as well."""
        now = [(change, self._numbers[change.after.key]) for change in changes if change.gap_changed]
        rows = [gap_change(one.after, numbers.event, numbers.fleet, one.settled_at) for one, numbers in now]
        await insert_rows(self._connection, t.gap_change, rows)
        losing = {one.after.key.fleet_id for one in changes if any(order.is_lost for order in one.orders)}
        await mark_gaps(self._connection, [{"FleetId": fleet_id} for fleet_id in losing])

    def view(self, order: Order) -> View:
        return View("FulfillmentId", view(order_rows.order_columns(order)))
