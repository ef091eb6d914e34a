"""The mail that fleets were withdrawn from an event: the approved orders that they leave open, fleet by fleet."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, TypedDict

from services.notify_svc.domain.notification import Notification, id_parts, notification_id
from shared.schemas.hotw_svc import HardwareFact
from shared.trace import Trace

_KIND: Final = "InactiveEventOrders"  # 8.1.18a

GATHERING: Final = timedelta(seconds=30)
"""How long a mail waits for the service's other fleets. HOTW reviews them one by one, within seconds."""


class Line(TypedDict):
    """The open orders of one fleet and purpose, as the template shows them, and why the fleet was withdrawn.

    A higher ``OrdersVersionId`` is newer.
    """

    FleetId: str
    Purpose: str
    OrdersVersionId: int
    Reason: str
    Orders: list[dict[str, Any]]


def line_of(fact: HardwareFact) -> Line | None:
    """The line of a ``hotw.order.reviewed``; None when it is about no withdrawal or leaves no order open."""
    named = frozenset(fact.fulfillment_ids)
    orders = [order for order in fact.orders if order.fulfillment_id in named]
    if fact.withdrawal_reason is None or not orders:
        return None
    return {
        "FleetId": fact.fleet_id,
        "Purpose": fact.purpose.value,
        "OrdersVersionId": fact.orders_version_id,
        "Reason": fact.withdrawal_reason,
        "Orders": [
            {
                "FulfillmentId": order.fulfillment_id,
                "Status": order.fulfillment_status.value,
                "AutoScalingGroupName": order.auto_scaling_group_name,
                "AvailabilityZone": order.zone,
                "Hosts": order.fulfillment_value,
                "Delivered": order.fulfilled_hosts,
                "DueBy": order.fulfillment_date.isoformat(),
            }
            for order in orders
        ],
    }


def mail_id(event_id: str, service_id: str, number: int) -> str:
    """The id of a service's n-th mail about an event."""
    return notification_id(_KIND, *id_parts(event_id, service_id, number))


def first_mail(
    *, event: Mapping[str, Any], service_id: str, number: int, lines: Iterable[Line], until: datetime, trace: Trace
) -> Notification:
    """A mail with its first lines. It is not sent before ``until`` (the machine's time) and may grow meanwhile."""
    event_id = event["EventId"]
    context = _context(event_id, event.get("EventName", event_id), service_id, lines)
    return Notification(
        id=mail_id(event_id, service_id, number),
        kind=_KIND,
        cause=f"hotw.order.reviewed {event_id} {number}",
        subject=_subject(context),
        template="open_orders",
        context=context,
        trace=trace,
        not_before=until,
        event_id=event_id,
        service_id=service_id,
    )


def missing_in(mail: Notification, lines: Iterable[Line]) -> list[Line]:
    """The lines that are not in a mail: neither themselves nor a newer line of the same fleet and purpose."""
    present = {_key(line): line["OrdersVersionId"] for line in mail.context["Fleets"]}
    return [line for line in lines if present.get(_key(line), 0) < line["OrdersVersionId"]]


def with_lines(mail: Notification, lines: Iterable[Line]) -> Notification | None:
    """The mail with the lines that it lacks; None when it lacks none, or when an attempt to send it has begun.

    A newer line replaces an older one. A mail that was tried never changes again, so a line that it lacks belongs in
    the next mail.
    """
    fresh = missing_in(mail, lines)
    if not fresh or not mail.is_untried:
        return None
    old = mail.context
    context = _context(old["EventId"], old["EventName"], old["ServiceId"], [*old["Fleets"], *fresh])
    return mail.having(subject=_subject(context), context=context)


def _key(line: Line) -> tuple[str, str]:
    return line["FleetId"], line["Purpose"]


def _context(event_id: str, event_name: str, service_id: str, lines: Iterable[Line]) -> dict[str, Any]:
    newest = {_key(line): line for line in sorted(lines, key=lambda line: line["OrdersVersionId"])}
    fleets: Sequence[Line] = [newest[key] for key in sorted(newest)]
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
        f"{context['EventName']}: {orders} approved {'order' if orders == 1 else 'orders'} of {context['ServiceId']} "
        f"still open for fleets that no longer take part"
    )
