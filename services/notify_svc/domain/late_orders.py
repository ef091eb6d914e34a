"""The mail about late orders: those whose FulfillmentDate is not before the peak (7.8.46, 8.1.8)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final, TypedDict

from services.notify_svc.domain.notification import Notification, id_parts, notification_id
from shared.schemas.hotw_svc import HardwareFact
from shared.trace import Trace

_KIND: Final = "FulfilmentLate"  # 8.1.8

GATHERING: Final = timedelta(seconds=30)
"""How long a mail waits for the service's other late orders. A run places them within seconds."""


class Line(TypedDict):
    """A late order, as the template shows it. Each date of an order is mailed once."""

    FulfillmentId: str
    FleetId: str
    AutoScalingGroupName: str
    AvailabilityZone: str
    Hosts: int
    Delivered: int
    DueBy: str


def lines_of(fact: HardwareFact) -> list[Line]:
    """The late orders among those that a fact is about."""
    named = frozenset(fact.fulfillment_ids)
    return [
        {
            "FulfillmentId": order.fulfillment_id,
            "FleetId": fact.fleet_id,
            "AutoScalingGroupName": order.auto_scaling_group_name,
            "AvailabilityZone": order.availability_zone or "an unknown zone",
            "Hosts": order.fulfillment_value,
            "Delivered": order.fulfilled_hosts,
            "DueBy": order.fulfillment_date.isoformat(),
        }
        for order in fact.orders
        if order.late and order.fulfillment_id in named
    ]


def first_mail(
    *, event: Mapping[str, Any], service_id: str, number: int, lines: Iterable[Line], until: datetime, trace: Trace
) -> Notification:
    """A service's n-th mail about an Event's late orders. It is not sent before ``until``, the machine's time."""
    event_id = event["EventId"]
    name, peak = event.get("EventName", event_id), event.get("PeakStartDate")
    context = _context({"EventId": event_id, "EventName": name, "PeakStartDate": peak, "ServiceId": service_id}, lines)
    return Notification(
        id=notification_id(_KIND, *id_parts(event_id, service_id, number)),
        kind=_KIND,
        cause=f"late orders {event_id} {number}",
        subject=_subject(context),
        template="late_orders",
        context=context,
        trace=trace,
        not_before=until,
        event_id=event_id,
        service_id=service_id,
    )


def missing_in(mail: Notification, lines: Iterable[Line]) -> list[Line]:
    """The lines that are not in a mail, each with its date."""
    present = {_key(line) for line in mail.context["Orders"]}
    return [line for line in lines if _key(line) not in present]


def with_lines(mail: Notification, lines: Iterable[Line]) -> Notification | None:
    """The mail with the lines that it lacks; None when it lacks none, or when an attempt to send it has begun."""
    fresh = missing_in(mail, lines)
    if not fresh or not mail.is_untried:
        return None
    context = _context(mail.context, [*mail.context["Orders"], *fresh])
    return mail.having(subject=_subject(context), context=context)


def _key(line: Line) -> tuple[str, str]:
    return line["FulfillmentId"], line["DueBy"]


def _context(about: Mapping[str, Any], lines: Iterable[Line]) -> dict[str, Any]:
    orders = sorted({_key(line): line for line in lines}.values(), key=lambda line: (line["FleetId"], *_key(line)))
    return {**about, "Orders": orders, "HostsToCome": sum(line["Hosts"] - line["Delivered"] for line in orders)}


def _subject(context: Mapping[str, Any]) -> str:
    orders, hosts = len(context["Orders"]), context["HostsToCome"]
    return (
        f"LATE: {hosts} {'host' if hosts == 1 else 'hosts'} of {context['ServiceId']} for {context['EventName']} "
        f"({orders} {'order' if orders == 1 else 'orders'}) not before the peak"
    )
