"""Settles a fleet's orders and overrides after a decision, a delivery, a changed event, or time (HOTW rules 8, 9)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from services.hotw_svc.domain.inputs import EventFacts, FleetFacts
from services.hotw_svc.domain.orders.order import Order, expire
from services.hotw_svc.domain.orders.override import Override, OverrideStatus, base_capacity, settled
from shared.schemas.hotw_svc import FulfillmentStatus

AUTO = "auto"


@dataclass(frozen=True, slots=True)
class Settlement:
    """The orders and overrides that change; `left_open` are the approved orders of an event that is not active."""

    orders: tuple[Order, ...] = ()
    overrides: tuple[Override, ...] = ()
    left_open: tuple[Order, ...] = ()


def settle(
    orders: Sequence[Order], overrides: Sequence[Override], *, event: EventFacts, fleet: FleetFacts, now: datetime
) -> Settlement:
    """Settles one fleet's orders and overrides for one event; idempotent for one `now`.

    `orders` and `overrides` may be of any event of the fleet; those of other events only give the ASGs' base capacity.
    An event that is not active (or was deleted) cancels the orders that nobody has approved and the overrides that have
    not started. An order that is still undelivered when its override ends expires. An event that is active again
    restores the overrides of its open orders.
    """
    mine = [order for order in orders if order.event_id == event.event_id]
    current = [_withdrawn(order, event, now) for order in mine]
    present = _present(overrides, event)
    after = {name: _settled(item, current, overrides, event, fleet, now) for name, item in present.items()}
    ends = {name: item.end for name, item in after.items() if item.status is not OverrideStatus.CANCELLED}
    final = [
        expire(order, window_end=ends.get(order.asg_name, event.override_window.end), now=now) for order in current
    ]
    if final != current:
        after = {name: _settled(item, final, overrides, event, fleet, now) for name, item in present.items()}
    return Settlement(
        orders=tuple(new for old, new in zip(mine, final, strict=True) if new != old),
        overrides=tuple(after[name] for name, item in present.items() if after[name] != item),
        left_open=() if event.is_active else tuple(order for order in final if order.is_open),
    )


def _withdrawn(order: Order, event: EventFacts, now: datetime) -> Order:
    if event.is_active or not order.is_open or order.approved_at is not None:
        return order
    return replace(
        order,
        status=FulfillmentStatus.CANCELLED,
        status_since=now,
        decided_by=AUTO,
        reason=f"{event.event_id} is not active.",
    )


def _present(overrides: Sequence[Override], event: EventFacts) -> Mapping[str, Override]:
    """Each ASG's present override: the live one, else the last that was cancelled."""
    found: dict[str, Override] = {}
    for override in overrides:
        if override.event_id != event.event_id:
            continue
        if override.is_live or (
            override.status is OverrideStatus.CANCELLED
            and not (override.asg_name in found and found[override.asg_name].is_live)
        ):
            found[override.asg_name] = override
    return found


def _settled(
    override: Override,
    orders: Sequence[Order],
    overrides: Sequence[Override],
    event: EventFacts,
    fleet: FleetFacts,
    now: datetime,
) -> Override:
    if override.status is OverrideStatus.CANCELLED:
        waiting = any(order.is_open and order.asg_name == override.asg_name for order in orders)
        if not (event.is_active and waiting):
            return override
        override = replace(override, status=OverrideStatus.PROPOSED)
    asg = next((asg for asg in fleet.asgs if asg.name == override.asg_name), None)
    base = override.base_capacity
    if asg is not None:
        base = base_capacity(
            asg.name, desired_capacity=asg.desired_capacity, capacity_as_of=fleet.capacity_as_of, overrides=overrides
        )
    return settled(
        override,
        window=event.override_window,
        event_is_active=event.is_active,
        base=base,
        lower_bound=override.expiry_value if asg is None else asg.capacity_lower_bound,
        orders=orders,
        now=now,
    )
