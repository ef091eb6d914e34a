"""Owns a fleet's book for one event and purpose: its orders and overrides, what changes make of them, its facts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import orjson

from services.hotw_svc.app.orders.facts import fact_key, hardware_fact
from services.hotw_svc.app.runs.run import SOURCE
from services.hotw_svc.domain.inputs import EventFacts, FleetFacts
from services.hotw_svc.domain.orders.order import Order, OrderStatus, live_hosts
from services.hotw_svc.domain.orders.override import Override, OverrideStatus
from services.hotw_svc.domain.orders.settlement import settle
from shared.envelope import Message
from shared.errors import TooLarge
from shared.messaging.transport import RECORD_BYTES
from shared.trace import Trace

__all__ = [
    "Book",
    "BookKey",
    "Entry",
    "News",
    "SettledUnder",
    "due_at",
    "fact_messages",
    "refuse_too_large",
    "standing",
    "turned",
]

_MOST_WITH_NEW_ORDERS: Final = RECORD_BYTES * 3 // 4  # bytes of a fact; decisions on the orders add to it
_MOST_WITH_REASONS: Final = RECORD_BYTES * 15 // 16  # deliveries and windows that end add little


@dataclass(frozen=True, slots=True, order=True)
class BookKey:
    """Whose book it is: one fleet's, for one event and purpose."""

    event_id: str
    fleet_id: str
    purpose: str


@dataclass(frozen=True, slots=True)
class SettledUnder:
    """The version of its event that a book was last settled under, and whether the event was active by it."""

    version_id: int
    is_active: bool

    @classmethod
    def of(cls, event: EventFacts) -> SettledUnder:
        return cls(event.version_id, event.is_active)


@dataclass(frozen=True, slots=True, kw_only=True)
class Book:
    """What is written of a fleet for one event and purpose, as read under the fleet's row lock.

    ``orders`` and ``overrides`` are the fleet's of every event; ``execution`` is the latest that counts.
    """

    key: BookKey
    service_id: str
    event: EventFacts
    fleet: FleetFacts
    orders: tuple[Order, ...]
    overrides: tuple[Override, ...]
    orders_version_id: int
    settled_under: SettledUnder
    execution: Mapping[str, Any] | None = None

    def order(self, fulfillment_id: str) -> Order:
        """KeyError when the book has no such order."""
        for order in self.orders:
            if order.fulfillment_id == fulfillment_id:
                return order
        raise KeyError(fulfillment_id)


@dataclass(frozen=True, slots=True)
class News:
    """One fact to publish: its topic, and the orders it is about.

    ``left_open``: they are approved orders that an event which stopped running leaves open.
    """

    topic: str
    about: tuple[str, ...]
    left_open: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What is to be written into a book: the rows that changed, all its orders afterwards, and the facts.

    ``enabled_asgs`` have had an order approved for the first time.
    """

    book: Book
    orders: tuple[Order, ...]
    overrides: tuple[Override, ...]
    all_orders: tuple[Order, ...]
    all_overrides: tuple[Override, ...]
    news: tuple[News, ...]
    settled_at: datetime
    enabled_asgs: tuple[str, ...] = ()

    @property
    def orders_version_id(self) -> int:
        """The number of the last fact."""
        return self.book.orders_version_id + len(self.news)

    @property
    def changes_rows(self) -> bool:
        return bool(self.orders or self.overrides)

    def messages(self, *, now: datetime, trace: Trace, user: str) -> list[Message]:
        """The facts, numbered on from the book's last."""
        return fact_messages(
            self.news,
            self.book,
            self.all_orders,
            first=self.book.orders_version_id + 1,
            now=now,
            trace=trace,
            user=user,
            run_id=(self.book.execution or {}).get("RunId"),
        )


def turned(book: Book, *, now: datetime, changed: Order | None = None, topic: str | None = None) -> Entry:
    """The book brought up to date (HOTW rules 8 and 9), after one order ``changed`` where it did.

    ``topic`` is the fact the change itself is told by; what else became of the book is told by further ones. Approved
    orders that an event leaves open are told of when it stops being active, and not again while it stays so.
    """
    orders = _with(book.orders, () if changed is None else (changed,))
    settlement = settle(orders, book.overrides, event=book.event, fleet=book.fleet, now=now)
    all_orders = _with(orders, settlement.orders)
    news: list[News] = []
    if changed is not None and topic is not None:
        news.append(News(topic, (changed.fulfillment_id,)))
    news.extend(_order_news(orders, settlement.orders))
    if settlement.left_open and book.settled_under.is_active:
        about = tuple(order.fulfillment_id for order in settlement.left_open)
        news.append(News("hotw.order.reviewed", about, left_open=True))
    news.extend(_override_news(book, settlement.overrides, all_orders))
    mine = {order.fulfillment_id: order for order in book.orders}
    return Entry(
        book=book,
        orders=tuple(order for order in all_orders if mine[order.fulfillment_id] != order),
        overrides=settlement.overrides,
        all_orders=all_orders,
        all_overrides=_after(book.overrides, settlement.overrides),
        news=tuple(news),
        settled_at=now,
        enabled_asgs=tuple(
            order.asg_name
            for order in all_orders
            if order.approved_at is not None and mine[order.fulfillment_id].approved_at is None
        ),
    )


def standing(orders: Iterable[Order], *, event_id: str, purpose: str) -> dict[str, int]:
    """The numbers of a dashboard line: hosts live, approved and delivered; orders live, granted, open and lost."""
    mine = [order for order in orders if order.event_id == event_id and order.purpose == purpose]
    live = [order for order in mine if order.is_live]
    granted = [order.value for order in live if order.is_granted]
    return {
        "CapacityOverrideSum": live_hosts(mine),
        "LiveOrders": len(live),
        "GrantedOrders": len(granted),
        "OpenOrders": sum([order.is_open for order in live]),
        "LostOrders": sum([order.is_lost for order in mine]),
        "ApprovedHosts": sum(granted),
        "FulfilledHosts": sum([order.fulfilled_hosts for order in mine]),
    }


def due_at(
    orders: Iterable[Order], overrides: Iterable[Override], event: EventFacts, *, after: datetime | None = None
) -> datetime | None:
    """When time alone will next change a book: an override begins or ends, an open order's window is over.

    ``after``: the instant it was settled for; what was due by then is done.
    """
    moments: list[datetime] = []
    for override in overrides:
        if override.event_id == event.event_id and override.is_live:
            moments.append(override.end)
            if override.status is OverrideStatus.APPROVED:
                moments.append(override.start)
    if any(order.is_open and order.event_id == event.event_id for order in orders):
        moments.append(event.override_window.end)
    return min((moment for moment in moments if after is None or moment > after), default=None)


def fact_messages(
    news: Sequence[News],
    book: Book,
    orders: Iterable[Order],
    *,
    first: int,
    now: datetime,
    trace: Trace,
    user: str,
    run_id: int | None,
) -> list[Message]:
    """``hotw.*`` facts about a fleet that follow from one change: alike but for their topic and number."""
    if not news:
        return []
    key = book.key
    wire_key = fact_key(event_id=key.event_id, fleet_id=key.fleet_id, purpose=key.purpose)
    fact = hardware_fact(
        event_id=key.event_id,
        fleet_id=key.fleet_id,
        service_id=book.service_id,
        purpose=key.purpose,
        orders_version_id=first,
        occurred_at=now,
        orders=orders,
        execution=book.execution,
        user=user,
        run_id=run_id,
    )
    messages = []
    for number, one in enumerate(news, start=first):
        said = {**fact, "OrdersVersionId": number, "FulfillmentIds": one.about}
        if one.left_open:
            said["EventIsActive"] = False
        name = f"{wire_key}:{number}:{one.topic}"
        messages.append(Message(one.topic, one.topic, wire_key, orjson.dumps(said), SOURCE, now, trace, id=name))
    return messages


def refuse_too_large(facts: Iterable[Message], *, ordering: bool) -> None:
    """TooLarge when a fact leaves no room for what may come: when ``ordering``, also for the decisions to follow.

    A fact holds all orders of its fleet and event; one that no message holds would never be told of.
    """
    most = _MOST_WITH_NEW_ORDERS if ordering else _MOST_WITH_REASONS
    size = max((len(fact.data) for fact in facts), default=0)
    if size > most:
        remedy = "order with fewer ASGs, or divide the fleet" if ordering else "give a shorter reason"
        raise TooLarge(
            f"What is told of the fleet's orders would be {size} bytes, and {most} are the most: {remedy}.",
            title="Too many orders to tell of",
        )


def _with(orders: Sequence[Order], changed: Iterable[Order]) -> tuple[Order, ...]:
    new = {order.fulfillment_id: order for order in changed}
    return tuple(new.get(order.fulfillment_id, order) for order in orders)


def _after(overrides: Sequence[Override], changed: Iterable[Override]) -> tuple[Override, ...]:
    new = {(override.run_id, override.asg_name): override for override in changed}
    return tuple(new.get((override.run_id, override.asg_name), override) for override in overrides)


def _order_news(before: Sequence[Order], changed: Iterable[Order]) -> Iterable[News]:
    by_status: dict[str, list[str]] = {}
    was = {order.fulfillment_id: order.status for order in before}
    for order in changed:
        if order.status is not was[order.fulfillment_id]:
            topic = "hotw.order.expired" if order.status is OrderStatus.EXPIRED else "hotw.order.reviewed"
            by_status.setdefault(topic, []).append(order.fulfillment_id)
    return [News(topic, tuple(about)) for topic, about in by_status.items()]


def _override_news(book: Book, changed: Iterable[Override], orders: Sequence[Order]) -> Iterable[News]:
    topics = {OverrideStatus.STARTED: "hotw.override.started", OverrideStatus.EXPIRED: "hotw.override.expired"}
    was = {(override.run_id, override.asg_name): override.status for override in book.overrides}
    asgs: dict[str, set[str]] = {}
    for override in changed:
        topic = topics.get(override.status)
        if topic is not None and was[override.run_id, override.asg_name] is not override.status:
            asgs.setdefault(topic, set()).add(override.asg_name)
    event_id = book.key.event_id
    return [
        News(topic, tuple(o.fulfillment_id for o in orders if o.event_id == event_id and o.asg_name in names))
        for topic, names in asgs.items()
    ]
