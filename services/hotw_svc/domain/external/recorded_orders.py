"""An outside engine's FulfillmentDetails as orders like any other (7.0.40 to 7.0.45)."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from services.hotw_svc.domain.orders.order import (
    Delivery,
    Order,
    decide,
    deliver,
    expected_delivery,
    is_numbered_by_epic,
    may_become,
    refusal,
)
from services.hotw_svc.domain.wording import hosts
from shared.clock import day_start
from shared.errors import Conflict
from shared.schemas.hotw_external import FulfillmentDetail
from shared.schemas.hotw_svc import Decision, OrderType, Purpose
from shared.schemas.hotw_svc import FulfillmentStatus as Status

_DECISIONS = {
    Status.APPROVED: Decision.APPROVE,
    Status.REJECTED: Decision.REJECT,
    Status.CANCELLED: Decision.CANCEL,
    Status.DELAYED: Decision.DELAY,
}
_GRANTED = (Status.APPROVED, Status.FULFILLED)


def recorded_order(
    detail: FulfillmentDetail,
    *,
    run_id: int,
    fleet_id: str,
    event_id: str,
    zone: str,
    order_type: OrderType,
    purpose: Purpose,
    user: str,
    now: datetime,
) -> Order:
    """The order that a detail makes, in the state that it gives. ``order_type`` counts where the detail has none.

    Conflict for an id of the form that EPIC's own orders have in another run: EPIC may still give it.
    """
    if is_numbered_by_epic(detail.fulfillment_id, but_run=run_id):
        raise Conflict(f"{detail.fulfillment_id} is an id that EPIC gives itself; choose another", slug="order-id")
    status, kind = detail.fulfillment_status, detail.order_type or order_type
    order = Order(
        fulfillment_id=detail.fulfillment_id,
        run_id=run_id,
        fleet_id=fleet_id,
        event_id=event_id,
        asg_name=detail.auto_scaling_group_name,
        zone=zone,
        order_type=kind,
        value=detail.fulfillment_value,
        placed_at=now,
        fulfillment_date=detail.fulfillment_date or expected_delivery(kind, now),
        purpose=purpose,
        status=status,
        status_since=now,
        approved_at=now if status in _GRANTED else None,
        decided_by=None if status is Status.PENDING else user,
        link=detail.fulfillment_link,
    )
    if status is not Status.FULFILLED or not order.value:
        return order
    return replace(order, deliveries=(Delivery(order.value, _delivered_at(order, now)),))


def updated_order(order: Order, detail: FulfillmentDetail, *, now: datetime, user: str) -> Order:
    """The order after a later detail of it, by the transitions of 7.8; the same object where nothing is new.

    Conflict for another value, which is fixed (7.0.42), and for a transition that the rule does not know.
    """
    if detail.fulfillment_value != order.value:
        raise Conflict(
            f"Order {order.fulfillment_id} is for {hosts(order.value)}; its FulfillmentValue is fixed.",
            slug="order-value-fixed",
        )
    after = _moved(order, detail, now, user)
    link = detail.fulfillment_link
    return after if link is None or link == order.link else replace(after, link=link)


def _moved(order: Order, detail: FulfillmentDetail, now: datetime, user: str) -> Order:
    status = detail.fulfillment_status
    if status in _DECISIONS:
        date = detail.fulfillment_date if status is Status.DELAYED else None
        return decide(order, _DECISIONS[status], now=now, user=user, fulfillment_date=date)
    if status is order.status:
        return order
    if status is Status.FULFILLED:
        due = order if detail.fulfillment_date is None else replace(order, fulfillment_date=detail.fulfillment_date)
        return deliver(order, fulfilled_hosts=order.value, now=now, delivered_at=_delivered_at(due, now))
    if not may_become(order, status):
        raise Conflict(refusal(order, status), slug="order-transition")
    return replace(order, status=status, status_since=now, decided_by=user)


def _delivered_at(order: Order, now: datetime) -> datetime:
    """The earlier of now and FulfillmentDate (7.0.45)."""
    return min(now, day_start(order.fulfillment_date))
