"""Owns what a fleet knows of its hosts outside its versions: the last inventory, and what is ordered for each event."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from typing import Any

from shared.clock import iso, parse_instant
from shared.errors import BadInput, FieldError
from shared.resources.states import State
from shared.schemas.fleet_svc import HostInventory, HostOrderStatus, Inventory
from shared.schemas.hotw_svc import FulfillmentStatus, HardwareFact, OrderFact

__all__ = ["note_inventory", "note_orders", "shown_side"]


def note_inventory(side: State, inventory: Inventory, now: datetime) -> State | None:
    """The side with a newer inventory; None when the one it has is as new or newer. BadInput for one of the future."""
    as_of = inventory.as_of or now
    if as_of > now:
        error = FieldError("/AsOf", f"is after now, {iso(now)}; give the instant of the count")
        raise BadInput("an inventory of the future", [error])
    known = side.get("HostInventory")
    if known is not None and parse_instant(known["AsOf"]) >= as_of:
        return None
    counted = HostInventory(hosts_present=inventory.hosts_present, as_of=as_of, source=inventory.source)
    return {**side, "HostInventory": counted.wire()}


def note_orders(side: State, fact: HardwareFact) -> State | None:
    """The side with an event's orders as a fact tells them; None when what it has is of as late a fact or a later."""
    entries = {entry["EventId"]: entry for entry in side.get("HostOrderStatuses", ())}
    known = entries.get(fact.event_id)
    if known is not None and known["OrdersVersionId"] >= fact.orders_version_id:
        return None
    entries[fact.event_id] = _order_status(fact).wire() | {"OrdersVersionId": fact.orders_version_id}
    return {**side, "HostOrderStatuses": [entries[event_id] for event_id in sorted(entries)]}


def shown_side(side: State) -> dict[str, Any]:
    """What a read shows of the side."""
    shown = dict(side)
    if "HostOrderStatuses" in side:
        shown["HostOrderStatuses"] = [
            {name: value for name, value in entry.items() if name != "OrdersVersionId"}
            for entry in side["HostOrderStatuses"]
        ]
    return shown


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
