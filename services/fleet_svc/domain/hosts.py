"""What is known of a fleet's hosts outside its versions: the last inventory, and the orders of each event."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from datetime import datetime

from shared.clock import iso
from shared.errors import BadInput, FieldError
from shared.schemas.fleet_svc.fleet import HostInventory, HostOrderStatus, Inventory
from shared.schemas.hotw_svc import FulfillmentStatus, HardwareFact, OrderFact


@dataclass(frozen=True, slots=True)
class EventOrders:
    """The orders of one event, by the fact with this ``version``."""

    status: HostOrderStatus
    version: int


@dataclass(frozen=True, slots=True)
class Hosts:
    """The hosts of a fleet; ``orders`` are in the order of the events' ids."""

    inventory: HostInventory | None = None
    orders: tuple[EventOrders, ...] = ()


def with_inventory(hosts: Hosts, inventory: Inventory, now: datetime) -> Hosts:
    """The hosts after a report; the same when it is not newer than the last. BadInput for a report of the future."""
    as_of = inventory.as_of or now
    if as_of > now:
        error = FieldError("/AsOf", f"is after now, {iso(now)}; give the instant of the count")
        raise BadInput("an inventory of the future", [error])
    if hosts.inventory is not None and hosts.inventory.as_of >= as_of:
        return hosts
    counted = HostInventory(hosts_present=inventory.hosts_present, as_of=as_of, source=inventory.source)
    return replace(hosts, inventory=counted)


def with_orders(hosts: Hosts, fact: HardwareFact) -> Hosts:
    """The hosts after a fact about an event's orders; the same when a fact as new is known."""
    by_event = {orders.status.event_id: orders for orders in hosts.orders}
    known = by_event.get(fact.event_id)
    if known is not None and known.version >= fact.orders_version_id:
        return hosts
    by_event[fact.event_id] = EventOrders(_order_status(fact), fact.orders_version_id)
    return replace(hosts, orders=tuple(by_event[event_id] for event_id in sorted(by_event)))


def _order_status(fact: HardwareFact) -> HostOrderStatus:
    pending: Counter[str] = Counter()
    approved: Counter[str] = Counter()
    fulfilled: Counter[str] = Counter()
    for order in fact.orders:
        fulfilled[order.availability_zone] += order.fulfilled_hosts
        undelivered = order.fulfillment_value - order.fulfilled_hosts
        if _is_undecided(order):
            pending[order.availability_zone] += undelivered
        elif order.fulfillment_status in (FulfillmentStatus.APPROVED, FulfillmentStatus.DELAYED):
            approved[order.availability_zone] += undelivered
    return HostOrderStatus(
        event_id=fact.event_id,
        hosts_pending_approval=_by_zone(pending),
        hosts_approved=_by_zone(approved),
        hosts_fulfilled=_by_zone(fulfilled),
    )


def _is_undecided(order: OrderFact) -> bool:
    return order.fulfillment_status is FulfillmentStatus.PENDING or (
        order.fulfillment_status is FulfillmentStatus.DELAYED and not order.ever_approved
    )


def _by_zone(hosts: Counter[str]) -> dict[str, int]:
    return {zone: hosts[zone] for zone in sorted(hosts) if hosts[zone]}
