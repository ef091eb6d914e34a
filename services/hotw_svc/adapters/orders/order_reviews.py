"""The rows of reviews of many orders: the orders still to be decided, by book, and those that were skipped."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import Select, delete, exists, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from services.hotw_svc.adapters import tables as t
from services.hotw_svc.adapters.queries.views import with_ids
from services.hotw_svc.app.orders.order_review import BookToReview, NewOrderReview, OrderReview, StoredOrder
from services.hotw_svc.domain.orders.order_book import OrderBookKey
from services.hotw_svc.domain.orders.review import NamedOrder, SkippedOrder
from shared.errors import NotFound
from shared.relational import insert_rows, slices
from shared.schemas.hotw_order_reviews import OrderFilter
from shared.schemas.hotw_svc import Decision, Purpose
from shared.trace import Trace

_ORDER = t.fulfillment_details


class OrderReviews:
    """The reviews of one transaction."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def find(self, fulfillment_ids: Sequence[str]) -> list[StoredOrder]:
        found: list[StoredOrder] = []
        for some in slices(fulfillment_ids):
            found += await self._orders(_orders().where(_ORDER.c.FulfillmentId.in_(some)))
        return found

    async def matching(self, where: OrderFilter, *, limit: int) -> list[StoredOrder]:
        return await self._orders(_fitting(_orders(), where).order_by(_ORDER.c.FulfillmentId).limit(limit))

    async def count(self, where: OrderFilter) -> int:
        query = _fitting(select(func.count()).select_from(_ORDER), where)
        return int((await self._connection.execute(query)).scalar_one())

    async def _orders(self, query: Select[Any]) -> list[StoredOrder]:
        rows = await self._connection.execute(query)
        return [
            StoredOrder(
                row.FulfillmentId, row.OrdersVersionId, row.EventIndexId, row.FleetIndexId, Purpose(row.Purpose)
            )
            for row in rows
        ]

    async def start(self, new: NewOrderReview, orders: Sequence[StoredOrder], unknown: Sequence[SkippedOrder]) -> int:
        inserted = await self._connection.execute(
            insert(t.order_review).values(
                Decision=new.decision.value,
                Reason=new.reason,
                User=new.user,
                CreatedAt=new.created_at,
                Orders=len(orders) + len(unknown),
                Decided=0,
                Skipped=0,
                Trace=orjson.dumps(list(new.trace)).decode(),
            )
        )
        review_id = int(inserted.lastrowid)
        books: dict[tuple[int, str, int], list[tuple[str, int]]] = {}
        for order in orders:
            key = (order.event_index_id, order.purpose.value, order.fleet_index_id)
            books.setdefault(key, []).append((order.fulfillment_id, order.orders_version_id))
        rows = [
            {"ReviewId": review_id, "EventIndexId": event, "Purpose": purpose, "FleetIndexId": fleet, "Orders": named}
            for (event, purpose, fleet), named in sorted(books.items())
        ]
        await insert_rows(self._connection, t.order_review_book, rows)
        await self.progress(review_id, 0, unknown)
        return review_id

    async def get(self, review_id: int) -> OrderReview:
        query = select(t.order_review).where(t.order_review.c.ReviewId == review_id)
        row = (await self._connection.execute(query)).first()
        if row is None:
            raise NotFound(f"there is no review {review_id}")
        return OrderReview(
            review_id=row.ReviewId,
            decision=Decision(row.Decision),
            reason=row.Reason,
            user=row.User,
            created_at=row.CreatedAt,
            trace=Trace(*orjson.loads(row.Trace)),
            orders=row.Orders,
            decided=row.Decided,
            skipped=row.Skipped,
            ended_at=row.EndedAt,
        )

    async def running(self) -> list[int]:
        table = t.order_review
        query = select(table.c.ReviewId).where(table.c.EndedAt.is_(None)).order_by(table.c.ReviewId)
        return list((await self._connection.execute(query)).scalars())

    async def take(self, review_id: int, limit: int) -> list[BookToReview]:
        table = t.order_review_book
        query = (
            with_ids(table)
            .where(table.c.ReviewId == review_id)
            .order_by(table.c.EventIndexId, table.c.Purpose, table.c.FleetIndexId)
            .limit(limit)
            .with_for_update(of=table, skip_locked=True)
        )
        rows = (await self._connection.execute(query)).all()
        rows = [row for row in rows if (row.EventIndexId, row.Purpose) == (rows[0].EventIndexId, rows[0].Purpose)]
        if rows:
            await self._connection.execute(
                delete(table).where(
                    table.c.ReviewId == review_id,
                    table.c.EventIndexId == rows[0].EventIndexId,
                    table.c.Purpose == rows[0].Purpose,
                    table.c.FleetIndexId.in_([row.FleetIndexId for row in rows]),
                )
            )
        return [
            BookToReview(
                OrderBookKey(row.EventId, row.FleetId, Purpose(row.Purpose)),
                tuple(NamedOrder(name, number) for name, number in row.Orders),
            )
            for row in rows
        ]

    async def progress(self, review_id: int, decided: int, skipped: Sequence[SkippedOrder]) -> None:
        table = t.order_review
        rows = [{"ReviewId": review_id, "FulfillmentId": one.fulfillment_id, "Reason": one.reason} for one in skipped]
        await insert_rows(self._connection, t.order_review_skipped, rows)
        await self._connection.execute(
            update(table)
            .where(table.c.ReviewId == review_id)
            .values(Decided=table.c.Decided + decided, Skipped=table.c.Skipped + len(skipped))
        )

    async def skipped(self, review_id: int, *, after: str = "", limit: int) -> list[SkippedOrder]:
        table = t.order_review_skipped
        query = (
            select(table.c.FulfillmentId, table.c.Reason)
            .where(table.c.ReviewId == review_id, table.c.FulfillmentId > after)
            .order_by(table.c.FulfillmentId)
            .limit(limit)
        )
        return [SkippedOrder(*row) for row in await self._connection.execute(query)]

    async def complete(self, review_id: int, now: datetime) -> None:
        table, book = t.order_review, t.order_review_book
        left = exists().where(book.c.ReviewId == review_id)
        await self._connection.execute(
            update(table).where(table.c.ReviewId == review_id, table.c.EndedAt.is_(None), ~left).values(EndedAt=now)
        )


def _orders() -> Select[Any]:
    columns = ("FulfillmentId", "OrdersVersionId", "EventIndexId", "FleetIndexId", "Purpose")
    return select(*(_ORDER.c[name] for name in columns))


def _fitting(query: Select[Any], where: OrderFilter) -> Select[Any]:
    if where.event_id is not None:
        event = select(t.event_index.c.EventIndexId).where(t.event_index.c.EventId == where.event_id)
        query = query.where(_ORDER.c.EventIndexId == event.scalar_subquery())
    if where.fleet_id is not None:
        fleet = select(t.fleet_index.c.FleetIndexId).where(t.fleet_index.c.FleetId == where.fleet_id)
        query = query.where(_ORDER.c.FleetIndexId == fleet.scalar_subquery())
    return query if where.status is None else query.where(_ORDER.c.FulfillmentStatus == where.status.value)
