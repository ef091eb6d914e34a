"""What is known of a fleet's hosts outside its versions: the last inventory, and the orders of each event."""

from __future__ import annotations

from collections import Counter
from datetime import datetime

from shared.clock import iso
from shared.errors import BadInput, FieldError
from shared.schemas.fleet_svc.fleet import HostInventory, HostOrderStatus, Inventory
from shared.schemas.hotw_svc import FulfillmentStatus, HardwareFact, OrderFact


def counted(last: HostInventory | None, report: Inventory, now: datetime) -> HostInventory | None:
    """The inventory of a report; None when it is not newer than the last. BadInput for a report of the future."""
    as_of = report.as_of or now
    if as_of > now:
        error = FieldError("/AsOf", f"is after now, {iso(now)}; give the instant of the count")
        raise BadInput("an inventory of the future", [error])
    if last is not None and last.as_of >= as_of:
        return None
    return HostInventory(hosts_present=report.hosts_present, as_of=as_of, source=report.source)


def order_status(fact: HardwareFact) -> HostOrderStatus:
    """The orders of an event as a fact gives them."""
    pending: Counter[str] = Counter()
    approved: Counter[str] = Counter()
    fulfilled: Counter[str] = Counter()
    for order in fact.orders:
        fulfilled[order.zone] += order.fulfilled_hosts
        undelivered = order.fulfillment_value - order.fulfilled_hosts
        if _is_undecided(order):
            pending[order.zone] += undelivered
        elif order.fulfillment_status in (FulfillmentStatus.APPROVED, FulfillmentStatus.DELAYED):
            approved[order.zone] += undelivered
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
