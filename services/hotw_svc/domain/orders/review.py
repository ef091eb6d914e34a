"""A review of many orders: what one decision makes of those that it names of a book (7.8.22 to 7.8.25)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from services.hotw_svc.domain.orders.order import Order, decide
from services.hotw_svc.domain.orders.order_book import OrderBook, OrderBookChange, update_order_book
from shared.errors import Refused
from shared.schemas.hotw_svc import Decision


@dataclass(frozen=True, slots=True)
class NamedOrder:
    """An order that a review names, and the number of the fact that it was seen at."""

    fulfillment_id: str
    orders_version_id: int


@dataclass(frozen=True, slots=True)
class SkippedOrder:
    """An order that a review leaves as it is, and why."""

    fulfillment_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class ReviewedBook:
    """A book after a review. ``decided`` are the orders that are as decided, also where they were so before."""

    decided: int
    skipped: tuple[SkippedOrder, ...]
    change: OrderBookChange | None = None


def review_book(
    book: OrderBook, named: Sequence[NamedOrder], decision: Decision, *, now: datetime, user: str, reason: str | None
) -> ReviewedBook:
    """Decides the named orders of a book together. One that has changed since, or cannot be decided so, is skipped."""
    present = {order.fulfillment_id: order for order in book.orders}
    changed: list[Order] = []
    skipped: list[SkippedOrder] = []
    for item in named:
        order = present.get(item.fulfillment_id)
        try:
            if order is None:
                raise Refused(f"There is no order {item.fulfillment_id} any more.")
            _check_unchanged(order, item, book)
            after = decide(order, decision, now=now, user=user, reason=reason)
        except Refused as refusal:
            skipped.append(SkippedOrder(item.fulfillment_id, refusal.detail))
            continue
        if after is not order:
            changed.append(after)
    change = update_order_book(book, now=now, changed=changed, topic="hotw.order.reviewed") if changed else None
    return ReviewedBook(len(named) - len(skipped), tuple(skipped), change)


def _check_unchanged(order: Order, named: NamedOrder, book: OrderBook) -> None:
    seen, last = named.orders_version_id, order.orders_version_id
    if last > seen:
        raise Refused(
            f"Order {order.fulfillment_id} has changed since OrdersVersionId {seen}; its last change is {last}."
        )
    if seen > book.version_id:
        raise Refused(f"OrdersVersionId {seen} of order {order.fulfillment_id} is not given yet; the last is {last}.")
