"""A fleet's order book: its orders and overrides for one event and purpose, and what a change makes of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from services.hotw_svc.domain.inputs import EventFacts, FleetFacts, ServiceFacts
from services.hotw_svc.domain.orders.descales import settle_descales
from services.hotw_svc.domain.orders.gap import NO_GAP, Gap, gap_topic, may_have_gap
from services.hotw_svc.domain.orders.order import Order, live_hosts
from services.hotw_svc.domain.orders.override import Override, OverrideStatus, Window
from services.hotw_svc.domain.orders.settlement import Settlement, settle
from shared.schemas.hotw_svc import ExecutionFact, FulfillmentStatus, Purpose


@dataclass(frozen=True, slots=True)
class OrderBookKey:
    """Names an order book: one fleet, event and purpose."""

    event_id: str
    fleet_id: str
    purpose: Purpose


@dataclass(frozen=True, slots=True)
class SettledUnder:
    """The version of its event that a book was last settled under, and whether its fleet was withdrawn then."""

    version_id: int
    withdrawn: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderBook:
    """A fleet's orders and overrides, as read under the fleet's row lock.

    ``orders`` and ``overrides`` are the fleet's for every event, because an ASG is shared by all of them; ``windows``
    are the planned windows of the other events with overrides, by EventId. ``service`` is None while it is not known.
    ``latest`` is the fleet's latest execution that counts. ``version_id`` is the number of the last fact.
    """

    key: OrderBookKey
    service_id: str
    event: EventFacts
    fleet: FleetFacts
    service: ServiceFacts | None
    orders: tuple[Order, ...]
    overrides: tuple[Override, ...]
    version_id: int
    settled_under: SettledUnder
    latest: ExecutionFact | None = None
    gap: Gap = NO_GAP
    windows: Mapping[str, Window] = field(default_factory=dict)

    def order(self, fulfillment_id: str) -> Order:
        """The order with this id; KeyError when the book has none."""
        for order in self.orders:
            if order.fulfillment_id == fulfillment_id:
                return order
        raise KeyError(fulfillment_id)


@dataclass(frozen=True, slots=True)
class BookFact:
    """A fact to publish about a book: its topic, and the orders it is about.

    ``withdrawal``: why the fleet was withdrawn from the event, where the orders were approved and are left open.
    ``drift``: how a group of the fleet differs from what its provider was asked for.
    ``since``: when the gap opened that it is about.
    """

    topic: str
    order_ids: tuple[str, ...]
    withdrawal: str | None = None
    drift: str | None = None
    since: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderBookChange:
    """What is written into a book: the book afterwards, the rows that changed, and the facts to publish.

    ``enabled_asgs`` are the ASGs with a first approved order.
    """

    after: OrderBook
    orders: tuple[Order, ...]
    overrides: tuple[Override, ...]
    facts: tuple[BookFact, ...]
    settled_at: datetime
    enabled_asgs: tuple[str, ...] = ()
    gap_changed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderTotals:
    """The numbers of a dashboard line, in hosts and in orders."""

    live_hosts: int
    live_orders: int
    granted_orders: int
    open_orders: int
    lost_orders: int
    approved_hosts: int
    fulfilled_hosts: int


def update_order_book(
    book: OrderBook,
    *,
    now: datetime,
    changed: Sequence[Order] = (),
    topic: str | None = None,
    lacking: int | None = None,
) -> OrderBookChange:
    """Settles the book for ``now`` (HOTW rules 8 and 9), after the orders ``changed`` if there are any.

    ``topic`` is the one fact about the changed orders; further facts are about what else became of the book. Approved
    orders that are left open get a fact when their fleet is withdrawn from the event, and none while it stays so.
    ``lacking``: the hosts that are lacking, where that was worked out anew; the gap stays as it is otherwise. There is
    none once the event, or the fleet's part in it, is over.
    """
    orders = _replaced(book.orders, changed)
    settlement = _settlement(book, orders, now)
    all_orders = _replaced(orders, settlement.orders)
    facts: list[BookFact] = []
    if changed and topic is not None:
        facts.append(BookFact(topic, tuple(order.fulfillment_id for order in changed)))
    facts.extend(_order_facts(orders, settlement.orders))
    if settlement.left_open and not book.settled_under.withdrawn:
        left_open = tuple(order.fulfillment_id for order in settlement.left_open)
        facts.append(BookFact("hotw.order.reviewed", left_open, settlement.withdrawal))
    facts.extend(_override_facts(book, settlement.overrides, all_orders))
    withdrawn = settlement.withdrawal is not None
    gap = book.gap if lacking is None else book.gap.of(lacking, now)
    if not may_have_gap(book.event, book.key.purpose, book.latest, withdrawn=withdrawn, now=now):
        gap = NO_GAP
    facts.extend(gap_facts(book.gap, gap))
    overrides = {(override.run_id, override.asg_name): override for override in settlement.overrides}
    version_id = book.version_id + len(facts)
    all_orders = tuple(
        new if new == old else replace(new, orders_version_id=version_id)
        for old, new in zip(book.orders, all_orders, strict=True)
    )
    pairs = list(zip(book.orders, all_orders, strict=True))
    return OrderBookChange(
        after=replace(
            book,
            orders=all_orders,
            overrides=tuple(overrides.get((item.run_id, item.asg_name), item) for item in book.overrides),
            version_id=version_id,
            settled_under=SettledUnder(book.event.version_id, withdrawn),
            gap=gap,
        ),
        orders=tuple(new for old, new in pairs if new != old),
        overrides=settlement.overrides,
        facts=tuple(facts),
        settled_at=now,
        gap_changed=gap.hosts != book.gap.hosts,
        enabled_asgs=tuple(new.asg_name for old, new in pairs if new.approved_at and not old.approved_at),
    )


def gap_facts(before: Gap, after: Gap) -> tuple[BookFact, ...]:
    """The fact about a gap that became another, if it did."""
    topic = gap_topic(before, after)
    return () if topic is None else (BookFact(topic, (), since=after.since or before.since),)


def order_totals(orders: Iterable[Order], key: OrderBookKey) -> OrderTotals:
    """The totals of the key's event and purpose; ``orders`` may be of any."""
    mine = [order for order in orders if order.event_id == key.event_id and order.purpose == key.purpose]
    live = [order for order in mine if order.is_live]
    granted = [order.value for order in live if order.is_granted]
    return OrderTotals(
        live_hosts=live_hosts(mine),
        live_orders=len(live),
        granted_orders=len(granted),
        open_orders=sum([order.is_open for order in live]),
        lost_orders=sum([order.is_lost for order in mine]),
        approved_hosts=sum(granted),
        fulfilled_hosts=sum([order.fulfilled_hosts for order in mine]),
    )


def due_at(
    orders: Iterable[Order],
    overrides: Iterable[Override],
    event: EventFacts,
    *,
    gap: Gap = NO_GAP,
    after: datetime | None = None,
) -> datetime | None:
    """When time alone will next change a book.

    An override begins or ends, an open order's window is over, or the peak ends while a gap is open. ``after`` is the
    instant the book was settled for; moments up to it are done.
    """
    moments: list[datetime] = []
    for override in overrides:
        if override.event_id == event.event_id and override.is_live:
            moments.append(override.end)
            if override.status is OverrideStatus.APPROVED:
                moments.append(override.start)
    if any(order.is_open and order.event_id == event.event_id for order in orders):
        moments.append(event.override_window.end)
    if gap.hosts:
        moments.append(event.peak_end)
    return min((moment for moment in moments if after is None or moment > after), default=None)


def _settlement(book: OrderBook, orders: Sequence[Order], now: datetime) -> Settlement:
    if book.key.purpose is Purpose.DESCALING:
        return Settlement(overrides=settle_descales(book.overrides, event=book.event, now=now))
    return settle(
        orders,
        book.overrides,
        event=book.event,
        fleet=book.fleet,
        service=book.service,
        windows=book.windows,
        now=now,
    )


def _replaced(orders: Sequence[Order], changed: Iterable[Order]) -> tuple[Order, ...]:
    new = {order.fulfillment_id: order for order in changed}
    return tuple(new.get(order.fulfillment_id, order) for order in orders)


def _order_facts(before: Sequence[Order], changed: Iterable[Order]) -> list[BookFact]:
    by_topic: dict[str, list[str]] = {}
    was = {order.fulfillment_id: order.status for order in before}
    for order in changed:
        if order.status is not was[order.fulfillment_id]:
            expired = order.status is FulfillmentStatus.EXPIRED
            topic = "hotw.order.expired" if expired else "hotw.order.reviewed"
            by_topic.setdefault(topic, []).append(order.fulfillment_id)
    return [BookFact(topic, tuple(order_ids)) for topic, order_ids in by_topic.items()]


def _override_facts(book: OrderBook, changed: Iterable[Override], orders: Sequence[Order]) -> list[BookFact]:
    topics = {OverrideStatus.STARTED: "hotw.override.started", OverrideStatus.EXPIRED: "hotw.override.expired"}
    was = {(override.run_id, override.asg_name): override.status for override in book.overrides}
    asgs: dict[str, set[str]] = {}
    for override in changed:
        topic = topics.get(override.status)
        if topic is not None and was[override.run_id, override.asg_name] is not override.status:
            asgs.setdefault(topic, set()).add(override.asg_name)
    event_id = book.key.event_id
    return [
        BookFact(topic, tuple(o.fulfillment_id for o in orders if o.event_id == event_id and o.asg_name in names))
        for topic, names in asgs.items()
    ]
