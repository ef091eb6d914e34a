"""What owner and leader are told when an event stops running: the approved orders it leaves open, fleet by fleet."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from services.notify_svc.domain import delivery
from services.notify_svc.domain.delivery import DELIVERY, Notification
from shared.schemas.hotw_svc import HardwareFact

__all__ = ["GATHERING", "KIND", "Line", "line_of", "missing_in", "notification_id", "opened", "with_lines"]

KIND: Final = "OrdersOfInactiveEvent"
GATHERING: Final = timedelta(seconds=30)  # a service's fleets are told of one by one, within seconds: one mail for all

Line = dict[str, Any]


def line_of(fact: HardwareFact) -> Line | None:
    """One fleet's orders that are left open, out of a ``hotw.order.reviewed``; None when it tells of no such orders.

    A fleet and purpose are told of anew when the event changes again: ``OrdersVersionId`` says which is the newer.
    """
    named = frozenset(fact.fulfillment_ids)
    orders = [order for order in fact.orders if order.fulfillment_id in named]
    if fact.event_is_active is not False or not orders:
        return None
    return {
        "FleetId": fact.fleet_id,
        "Purpose": fact.purpose.value,
        "OrdersVersionId": fact.orders_version_id,
        "Orders": [
            {
                "FulfillmentId": order.fulfillment_id,
                "Status": order.fulfillment_status.value,
                "AutoScalingGroupName": order.auto_scaling_group_name,
                "AvailabilityZone": order.availability_zone,
                "Hosts": order.fulfillment_value,
                "Delivered": order.fulfilled_hosts,
                "DueBy": order.fulfillment_date.isoformat(),
            }
            for order in orders
        ],
    }


def notification_id(event_id: str, service_id: str, number: int) -> str:
    """The id of a service's n-th mail about an event."""
    return delivery.notification_id(KIND, *_of(event_id, service_id, number))


def opened(
    *, event: Mapping[str, Any], service_id: str, number: int, lines: Iterable[Line], until: datetime
) -> Notification:
    """A mail with its first lines, which is not sent before ``until`` (real time) and may grow meanwhile."""
    event_id = event["EventId"]
    context = _context(event_id, event.get("EventName", event_id), service_id, lines)
    notification = delivery.pending(
        kind=KIND,
        of=_of(event_id, service_id, number),
        cause=f"hotw.order.reviewed {event_id} {number}",
        subject=_subject(context),
        template="orders_of_inactive_event",
        context=context,
        EventId=event_id,
        ServiceId=service_id,
    )
    return delivery.put_off(notification, until)


def missing_in(notification: Mapping[str, Any], lines: Iterable[Line]) -> list[Line]:
    """The lines a mail says nothing of: neither themselves nor a newer one of the same fleet and purpose."""
    held = {_whose(line): line["OrdersVersionId"] for line in notification[DELIVERY]["Context"]["Fleets"]}
    return [line for line in lines if held.get(_whose(line), 0) < line["OrdersVersionId"]]


def with_lines(notification: Notification, lines: Iterable[Line]) -> Notification | None:
    """The mail with the lines it lacks; None when it lacks none, or when somebody has tried to send it already.

    A newer line takes the place of an older one. A mail that was tried takes nothing in ever after, so a line that it
    lacks belongs in the next.
    """
    fresh = missing_in(notification, lines)
    if not fresh or not delivery.is_untried(notification):
        return None
    said = notification[DELIVERY]["Context"]
    context = _context(said["EventId"], said["EventName"], said["ServiceId"], [*said["Fleets"], *fresh])
    return {
        **notification,
        "Subject": _subject(context),
        DELIVERY: {**notification[DELIVERY], "Context": context},
    }


def _of(event_id: str, service_id: str, number: int) -> tuple[str, ...]:
    """No two events and services share an id, although a dot joins the parts and both may have dots of their own."""
    event = hashlib.blake2b(event_id.encode(), digest_size=16).hexdigest() if "." in event_id else event_id
    return event, service_id, str(number)


def _whose(line: Line) -> tuple[str, str]:
    return line["FleetId"], line["Purpose"]


def _context(event_id: str, event_name: str, service_id: str, lines: Iterable[Line]) -> dict[str, Any]:
    newest = {_whose(line): line for line in sorted(lines, key=lambda line: int(line["OrdersVersionId"]))}
    fleets: Sequence[Line] = [newest[whose] for whose in sorted(newest)]
    orders = [order for line in fleets for order in line["Orders"]]
    return {
        "EventId": event_id,
        "EventName": event_name,
        "ServiceId": service_id,
        "OpenOrders": len(orders),
        "HostsToCome": sum(order["Hosts"] - order["Delivered"] for order in orders),
        "Fleets": fleets,
    }


def _subject(context: Mapping[str, Any]) -> str:
    orders = context["OpenOrders"]
    return (
        f"{context['EventName']} is off, {orders} approved {'order' if orders == 1 else 'orders'} of "
        f"{context['ServiceId']} still open"
    )
