"""Use case: executions that ordered hosts open one ticket per service and Event, comment on it and raise it (7.11).

The assignee is the service's owner. The order may come before the service: then the ticket is stored first and the
service is read afterwards, and ``assign_tickets`` does it the other way round. So one of the two sees both.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from services.notify_svc.app.request_mails import RequestMails
from services.notify_svc.domain.notification import Notification, notification_id
from services.notify_svc.domain.tickets import (
    EMERGENT_SEVERITY,
    OrderComment,
    assigned,
    is_of_orders,
    lacking,
    order_comment,
    order_ticket,
    order_ticket_id,
    second_ticket_id,
    with_orders,
)
from shared.cause import Cause
from shared.documents import Change, Document, Documents, OutgoingEvent, ReadModel
from shared.errors import NotFound
from shared.schemas.hotw_svc import HardwareFact
from shared.tasks import for_each

_AT_ONCE: Final = 32  # documents; as many as the document stores write concurrently


@dataclass(frozen=True, slots=True)
class _Orders:
    """What the executions of a batch ordered for one service and Event; ``about`` is what templates show of it."""

    event_id: str
    service_id: str
    cause: Cause
    comments: list[OrderComment]
    about: Mapping[str, Any]
    owner: str | None

    @property
    def emergent(self) -> list[OrderComment]:
        return [comment for comment in self.comments if comment.emergent]


async def open_order_tickets(
    facts: Sequence[tuple[HardwareFact, Cause]],
    *,
    tickets: Documents,
    services: ReadModel,
    events: ReadModel,
    describe: Callable[[Mapping[str, Any]], str],
    request_mails: RequestMails,
) -> None:
    """Takes ``hotw.order.placed`` facts, in any order. A redelivered fact adds nothing: each execution comments once.

    ``describe`` makes a ticket's description. A ticket's first Emergent execution is mailed (7.11.4).
    """
    found = await _gathered(facts, services, events)
    mails: list[tuple[Notification, Cause]] = []

    async def write(orders: _Orders) -> None:
        emergent = await _write(orders, describe(orders.about), tickets)
        if emergent is not None:
            mails.append((_mail(emergent, orders), orders.cause))

    await for_each(found, write, at_once=_AT_ONCE)
    await request_mails(mails)
    without_owner = [orders for orders in found if orders.owner is None]
    if without_owner:
        names = {orders.service_id for orders in without_owner}
        await assign_tickets(names, without_owner[0].cause, tickets=tickets, services=services)


async def assign_tickets(
    service_ids: Collection[str], cause: Cause, *, tickets: Documents, services: ReadModel
) -> None:
    """Assigns the tickets of these services' orders that have no assignee, where the service is known by now."""
    async for page in tickets.scan({"Assignee": None}):
        found = [ticket for ticket in page if is_of_orders(ticket.state) and ticket.state["ServiceId"] in service_ids]
        known = await services.get_many(sorted({ticket.state["ServiceId"] for ticket in found}))
        for ticket in found:
            service = known.get(ticket.state["ServiceId"])
            if service is not None:
                await _assign(ticket.key, service["Owner"], cause, tickets)


async def _assign(ticket_id: str, owner: str, cause: Cause, tickets: Documents) -> None:
    def to_owner(present: Document | None) -> Change | None:
        state = None if present is None else assigned(present.state, owner)
        if state is None:
            return None
        return Change(state, (OutgoingEvent("ticket.updated"),), message="Its service is known")

    with suppress(NotFound):  # the ticket was deleted meanwhile
        await tickets.update(ticket_id, to_owner, _automation(cause))


async def _gathered(
    facts: Sequence[tuple[HardwareFact, Cause]], services: ReadModel, events: ReadModel
) -> list[_Orders]:
    comments: dict[tuple[str, str], list[OrderComment]] = {}
    causes: dict[tuple[str, str], Cause] = {}
    for fact, cause in facts:
        comment = order_comment(fact)
        if comment is not None:
            key = (fact.event_id, fact.service_id)
            comments.setdefault(key, []).append(comment)
            causes.setdefault(key, cause)
    known_services = await services.get_many(sorted({service_id for _, service_id in comments}))
    known_events = await events.get_many(sorted({event_id for event_id, _ in comments}))
    found = []
    for (event_id, service_id), cause in causes.items():
        event = known_events.get(event_id) or {}
        about = {
            "EventId": event_id,
            "EventName": event.get("EventName", event_id),
            "PeakStartDate": event.get("PeakStartDate"),
            "ServiceId": service_id,
        }
        owner = (known_services.get(service_id) or {}).get("Owner")
        found.append(_Orders(event_id, service_id, cause, comments[event_id, service_id], about, owner))
    return found


async def _write(orders: _Orders, description: str, tickets: Documents) -> str | None:
    """The ticket of the orders' Emergent executions; None where there is none of them.

    All go to the first ticket. Emergent ones that it does not take go to the second, and so do all later ones.
    """
    first = order_ticket_id(orders.event_id, orders.service_id)
    second = second_ticket_id(orders.event_id, orders.service_id)
    emergent, comments = orders.emergent, orders.comments
    if emergent and await tickets.latest(second) is not None:
        comments = [comment for comment in comments if not comment.emergent]
    left = emergent
    if comments:
        left = lacking(await _update(first, comments, orders, description, tickets), emergent)
    if left:
        await _update(second, left, orders, description, tickets)
        return second
    return first if emergent else None


async def _update(
    ticket_id: str, comments: Sequence[OrderComment], orders: _Orders, description: str, tickets: Documents
) -> Mapping[str, Any]:
    """Writes the comments that the ticket lacks and takes; the ticket afterwards."""
    opened = order_ticket(ticket_id, orders.about, comments, assignee=orders.owner, description=description)

    def written(present: Document | None) -> Change | None:
        if present is None:
            return Change(opened, (OutgoingEvent("ticket.created"),), message="Hardware order")
        state = with_orders(present.state, comments)
        if state is None:
            return None
        if state["Severity"] == present.state.get("Severity"):
            return Change(state, (OutgoingEvent("ticket.updated"),), message="Another hardware order")
        events = (OutgoingEvent("ticket.updated"), OutgoingEvent("ticket.escalated"))
        return Change(state, events, message="Raised by an emergent hardware order")

    return (await tickets.update(ticket_id, written, _automation(orders.cause))).document.state


def _automation(cause: Cause) -> Cause:
    """One message may open several tickets, so its id is not the id of one write."""
    return Cause(now=cause.now, user="HOTWAutomation", trace=cause.trace)


def _mail(ticket_id: str, orders: _Orders) -> Notification:
    return Notification(
        id=notification_id("EmergentOrder", ticket_id),
        kind="EmergentOrder",
        cause=f"emergent order {ticket_id}",
        subject=(
            f"Sev{EMERGENT_SEVERITY} {ticket_id}: emergent hardware order for {orders.service_id}, "
            f"{orders.about['EventName']}"
        ),
        template="emergent_order",
        context={
            **orders.about,
            "Comments": [comment.wire() for comment in orders.emergent],
            "TicketId": ticket_id,
        },
        trace=orders.cause.trace,
        event_id=orders.event_id,
        service_id=orders.service_id,
        ticket_id=ticket_id,
    )
