"""Settles a fleet's orders and overrides after a decision, a delivery, a changed input, or time (HOTW rules 8, 9)."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from services.hotw_svc.domain.inputs import EventFacts, FleetFacts, ServiceFacts
from services.hotw_svc.domain.membership import why_withdrawn
from services.hotw_svc.domain.orders.order import Order, expire
from services.hotw_svc.domain.orders.override import (
    Override,
    OverrideStatus,
    Window,
    base_capacity,
    must_carry,
    settled,
)
from services.hotw_svc.domain.orders.recorded_override import settled_recorded
from services.hotw_svc.domain.orders.shared_asgs import SharedAsgs
from shared.schemas.hotw_svc import Engine, FulfillmentStatus

AUTO = "auto"


@dataclass(frozen=True, slots=True)
class Settlement:
    """The orders and overrides that change.

    `withdrawal` is why the fleet no longer takes part in the event, and `left_open` are the approved orders that it
    leaves open.
    """

    orders: tuple[Order, ...] = ()
    overrides: tuple[Override, ...] = ()
    left_open: tuple[Order, ...] = ()
    withdrawal: str | None = None


def settle(
    orders: Sequence[Order],
    overrides: Sequence[Override],
    *,
    event: EventFacts,
    fleet: FleetFacts,
    service: ServiceFacts | None,
    windows: Mapping[str, Window],
    now: datetime,
) -> Settlement:
    """Settles one fleet's orders and overrides for one event; idempotent for one `now`.

    `orders` and `overrides` are the fleet's for every event. Of other events' overrides only the values change, as far
    as they hold hosts of this event (7.9.4); `windows` are the planned windows of these events. A fleet that is
    withdrawn from the event loses the orders that nobody has approved and the overrides that have not started (7.9.23,
    7.9.24). An order that is still undelivered when its override ends expires (7.8.47). A fleet that takes part again
    gets back the overrides that its ASGs need.
    """
    withdrawal = why_withdrawn(event, fleet, service)
    mine = [order for order in orders if order.event_id == event.event_id]
    current = mine if withdrawal is None else [_withdrawn(order, withdrawal, now) for order in mine]
    shared = SharedAsgs.of(orders, overrides, {event.event_id: event.override_window})
    basis = _Basis(event, fleet, overrides, shared, withdrawal is not None, now)
    present = _present(overrides, event)
    after = {name: basis.settled(item, current) for name, item in present.items()}
    ends = {name: item.end for name, item in after.items() if item.status is not OverrideStatus.CANCELLED}
    final = [
        expire(order, window_end=ends.get(order.asg_name, event.override_window.end), now=now) for order in current
    ]
    if final != current:
        after = {name: basis.settled(item, final) for name, item in present.items()}
    changed = [after[name] for name, item in present.items() if after[name] != item]
    theirs = [order for order in orders if order.event_id != event.event_id]
    others = revalued((*theirs, *final), overrides, changed, event=event, fleet=fleet, windows=windows)
    return Settlement(
        orders=tuple(new for old, new in zip(mine, final, strict=True) if new != old),
        overrides=(*changed, *others),
        left_open=() if withdrawal is None else tuple(order for order in final if order.is_open),
        withdrawal=withdrawal,
    )


def revalued(
    orders: Sequence[Order],
    before: Sequence[Override],
    changed: Sequence[Override],
    *,
    event: EventFacts,
    fleet: FleetFacts,
    windows: Mapping[str, Window],
) -> Iterator[Override]:
    """The other events' live overrides that get another value, after overrides of this event were made or changed.

    `orders` are all of the fleet's, as they are now; `before` are its overrides as they were, and `changed` are new
    ones and those that differ. Only ASGs that the overrides of several events share can change.
    """
    if not any(item.is_live and item.event_id in windows for item in before):
        return
    new = {(item.run_id, item.asg_name): item for item in changed}
    now = {(item.run_id, item.asg_name): item for item in before} | new
    shared = SharedAsgs.of(orders, now.values(), {**windows, event.event_id: event.override_window})
    ceilings = {asg.name: asg.max_override_capacity for asg in fleet.asgs}
    for item in before:
        if item.is_live and item.event_id != event.event_id and item.event_id in windows:
            after = shared.revalued(item, ceiling=ceilings.get(item.asg_name))
            if after is not item:
                yield after


def _withdrawn(order: Order, reason: str, now: datetime) -> Order:
    if not order.is_open or order.approved_at is not None:
        return order
    return replace(order, status=FulfillmentStatus.CANCELLED, status_since=now, decided_by=AUTO, reason=reason)


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


@dataclass(frozen=True, slots=True)
class _Basis:
    """What a fleet's overrides are settled by: `overrides` are the fleet's for every event."""

    event: EventFacts
    fleet: FleetFacts
    overrides: Sequence[Override]
    shared: SharedAsgs
    withdrawn: bool
    now: datetime

    def settled(self, override: Override, orders: Sequence[Order]) -> Override:
        """The override brought up to date; a cancelled one comes back where its ASG needs it."""
        if override.engine is Engine.EXTERNAL:
            return settled_recorded(override, orders, withdrawn=self.withdrawn, now=self.now)
        window = self.event.override_window
        carried = self.shared.counted(self.event.event_id, override.asg_name)
        if override.status is OverrideStatus.CANCELLED:
            needed = any(order.needs_override and order.asg_name == override.asg_name for order in orders)
            if self.withdrawn or not (needed or must_carry(carried)) or window.end <= self.now:
                return override
            override = replace(override, status=OverrideStatus.PROPOSED)
        asg = next((asg for asg in self.fleet.asgs if asg.name == override.asg_name), None)
        base = override.base_capacity
        if asg is not None:
            base = base_capacity(
                asg.name,
                desired_capacity=asg.desired_capacity,
                capacity_as_of=self.fleet.capacity_as_of,
                overrides=self.overrides,
            )
        return settled(
            override,
            window=window,
            withdrawn=self.withdrawn,
            base=base,
            lower_bound=override.expiry_value if asg is None else asg.capacity_lower_bound,
            orders=orders,
            now=self.now,
            carried=carried,
            ceiling=None if asg is None else asg.max_override_capacity,
        )
