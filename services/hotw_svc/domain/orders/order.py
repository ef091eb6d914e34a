"""An order of hosts for one ASG: its states, the decisions about it and its deliveries (HOTW rule 8)."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from services.hotw_svc.domain.wording import hosts, whole
from shared.clock import iso
from shared.errors import BadInput, Conflict, FieldError
from shared.schemas.hotw_svc import STANDARD_LEAD_DAYS, Decision, OrderType, Purpose
from shared.schemas.hotw_svc import FulfillmentStatus as Status

_OUTCOME = {
    Decision.APPROVE: Status.APPROVED,
    Decision.REJECT: Status.REJECTED,
    Decision.CANCEL: Status.CANCELLED,
    Decision.DELAY: Status.DELAYED,
}
_TRANSITIONS = {
    Status.PENDING: {Status.APPROVED, Status.REJECTED, Status.CANCELLED, Status.DELAYED, Status.EXPIRED},
    Status.APPROVED: {Status.DELAYED, Status.CANCELLED, Status.FULFILLED, Status.EXPIRED},
    Status.DELAYED: {Status.APPROVED, Status.REJECTED, Status.CANCELLED, Status.FULFILLED, Status.EXPIRED},
}
_DEAD = (Status.REJECTED, Status.CANCELLED, Status.EXPIRED)
_DELIVERABLE = (Status.APPROVED, Status.DELAYED)
_OWN_ID = re.compile(r"F([1-9][0-9]*)-[0-9]+-[0-9]+")
_DAYS_TO_DELIVER = {OrderType.STANDARD: STANDARD_LEAD_DAYS, OrderType.EMERGENT: 2}


@dataclass(frozen=True, slots=True)
class Delivery:
    """One increase of what an order has delivered: how many more hosts, and since when."""

    hosts: int
    delivered_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """An order of hosts for one ASG.

    `approved_at` is the first approval; a delay keeps it. `approval_rule` is the RuleId of the rule that gave it, None
    where a person did. `superseded`: the order was lost, and a later execution that is a Success has planned without
    it. `zone` is empty where the fleet does not have the ASG. `link` leads to the order in the system that fulfils it.
    `orders_version_id` is the number of the last fact of the change that made it so.
    """

    fulfillment_id: str
    run_id: int
    fleet_id: str
    event_id: str
    asg_name: str
    zone: str
    order_type: OrderType
    value: int
    placed_at: datetime
    fulfillment_date: date
    purpose: Purpose = Purpose.UPSCALING
    status: Status = Status.PENDING
    status_since: datetime | None = None
    approved_at: datetime | None = None
    decided_by: str | None = None
    reason: str | None = None
    deliveries: tuple[Delivery, ...] = ()
    superseded: bool = False
    execution_id: int = 0
    approval_rule: str | None = None
    link: str | None = None
    orders_version_id: int = 0

    @property
    def fulfilled_hosts(self) -> int:
        """Delivered so far."""
        return sum(delivery.hosts for delivery in self.deliveries)

    @property
    def outstanding_hosts(self) -> int:
        """Ordered and not delivered."""
        return self.value - self.fulfilled_hosts

    @property
    def is_live(self) -> bool:
        """Neither rejected, cancelled nor expired."""
        return self.status not in _DEAD

    @property
    def is_open(self) -> bool:
        """Live, with hosts still to come."""
        return self.status not in _DEAD and self.status is not Status.FULFILLED

    @property
    def is_lost(self) -> bool:
        """Rejected, cancelled or expired, and not yet superseded by a later execution that is a Success."""
        return self.status in _DEAD and not self.superseded

    @property
    def is_granted(self) -> bool:
        """Approved and still live: its whole value may be on its ASG."""
        if self.status is Status.DELAYED:
            return self.approved_at is not None
        return self.status in (Status.APPROVED, Status.FULFILLED)

    @property
    def overriding_hosts(self) -> int:
        """What this order adds to its ASG's override (HOTW rule 9)."""
        return self.value if self.is_granted else self.fulfilled_hosts

    def is_late(self, peak_start: date) -> bool:
        """Whether hosts are still to come, and not before the peak."""
        return self.is_open and self.fulfillment_date >= peak_start

    @property
    def needs_override(self) -> bool:
        """Whether its ASG needs an override: it may still deliver, or it has delivered."""
        return self.is_live or self.fulfilled_hosts > 0

    @property
    def standing_hosts(self) -> int:
        """The room this order takes in its ASG: all of a live one, of a dead one what it has delivered."""
        return self.value if self.is_live else self.fulfilled_hosts


def fulfillment_id(*, run_id: int, fleet_index_id: int, number: int) -> str:
    """The id of an execution's n-th order; known before any provider is asked."""
    return f"F{run_id}-{fleet_index_id}-{number}"


def is_numbered_by_epic(fulfillment_id: str, *, but_run: int) -> bool:
    """Whether it has the form of the ids that EPIC gives (7.8.1), of any run but one."""
    found = _OWN_ID.fullmatch(fulfillment_id)
    return found is not None and int(found[1]) != but_run


def expected_delivery(order_type: OrderType, now: datetime) -> date:
    """The day hosts ordered now are expected."""
    return (now + timedelta(days=_DAYS_TO_DELIVER[order_type])).date()


def may_become(order: Order, status: Status) -> bool:
    """Whether the order may pass from its present state to another."""
    if status is Status.REJECTED and order.approved_at is not None:
        return False
    return status in _TRANSITIONS.get(order.status, ())


def decide(
    order: Order,
    decision: Decision,
    *,
    now: datetime,
    user: str,
    reason: str | None = None,
    fulfillment_date: date | None = None,
    link: str | None = None,
) -> Order:
    """The order after a decision; the very same object when the decision changes nothing.

    A repeated Delay that names another FulfillmentDate moves that date (7.8.10a), and a repetition with another link
    changes the link. Any other repetition changes nothing (7.8.10). Raises Conflict for every transition the rule does
    not know (7.8.11), and BadInput for a FulfillmentDate whose day is past (7.8.16).
    """
    status = _OUTCOME[decision]
    expected = order.fulfillment_date if fulfillment_date is None else fulfillment_date
    if link is not None and link != order.link:
        order = replace(order, link=link)
    if order.status is status:
        if status is not Status.DELAYED or expected == order.fulfillment_date:
            return order
        _check_not_past(expected, now)
        return replace(order, fulfillment_date=expected, reason=reason or order.reason, decided_by=user)
    if not may_become(order, status):
        raise Conflict(refusal(order, status), slug="order-transition")
    if fulfillment_date is not None:
        _check_not_past(fulfillment_date, now)
    return replace(
        order,
        status=status,
        status_since=now,
        approved_at=order.approved_at or (now if decision is Decision.APPROVE else None),
        fulfillment_date=expected,
        decided_by=user,
        reason=reason,
    )


def deliver(order: Order, *, fulfilled_hosts: int, now: datetime, delivered_at: datetime | None = None) -> Order:
    """The order after a report that `fulfilled_hosts` are delivered in total; the same object when nothing is new.

    Raises BadInput for a DeliveredAt in the future, Conflict for an order that takes no delivery and for a
    total below the last one or above what was ordered.
    """
    since = now if delivered_at is None else delivered_at
    if since > now:
        detail = f"DeliveredAt {iso(since)} is later than now, {iso(now)}."
        raise BadInput(detail, [FieldError("/DeliveredAt", detail)], slug="delivered-in-future")
    before = order.fulfilled_hosts
    if fulfilled_hosts == before and (before or order.status in _DELIVERABLE):
        return order
    if order.status not in _DELIVERABLE:
        raise Conflict(
            f"Order {order.fulfillment_id} is {order.status}; only an Approved or Delayed order takes a delivery.",
            slug="order-not-deliverable",
        )
    if fulfilled_hosts < before:
        raise Conflict(
            f"Order {order.fulfillment_id} has {hosts(before)} delivered; the total cannot fall to "
            f"{whole(fulfilled_hosts)}.",
            slug="delivery-below-total",
        )
    if fulfilled_hosts > order.value:
        raise Conflict(
            f"Order {order.fulfillment_id} is for {hosts(order.value)}; {whole(fulfilled_hosts)} cannot be delivered.",
            slug="delivery-above-order",
        )
    complete = fulfilled_hosts == order.value
    return replace(
        order,
        deliveries=(*order.deliveries, Delivery(fulfilled_hosts - before, since)),
        status=Status.FULFILLED if complete else order.status,
        status_since=now if complete else order.status_since,
    )


def expire(order: Order, *, window_end: datetime, now: datetime) -> Order:
    """The order once its override's window is over: Expired if hosts are still to come, else the same object."""
    if not order.is_open or now < window_end:
        return order
    return replace(
        order,
        status=Status.EXPIRED,
        status_since=now,
        reason=f"{order.outstanding_hosts:,} of {hosts(order.value)} not delivered when the override ended",
    )


def live_hosts(orders: Iterable[Order]) -> int:
    """Σ of what live orders are for: the dashboard's CapacityOverrideSum."""
    return sum(order.value for order in orders if order.is_live)


def refusal(order: Order, status: Status) -> str:
    """Why the order may not pass from its present state to another, in a sentence."""
    if status is Status.REJECTED and order.approved_at is not None and order.is_open:
        return f"Order {order.fulfillment_id} was approved and can no longer be Rejected; it may be Cancelled."
    return f"Order {order.fulfillment_id} is {order.status} and cannot become {status}."


def _check_not_past(fulfillment_date: date, now: datetime) -> None:
    if fulfillment_date < now.date():
        detail = f"FulfillmentDate {fulfillment_date} is past: today is {now.date()}."
        raise BadInput(detail, [FieldError("/FulfillmentDate", detail)], slug="fulfillment-date-past")
