"""Use case: an emergent order opens one Sev2 ticket per service and event; later ones comment on it.

The assignee is the service's owner. The order may come before the service: then the ticket is stored first and the
service is read afterwards, and ``assign_tickets`` does it the other way round. So one of the two sees both.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from typing import Any

from services.notify_svc.app.request_mails import RequestMails
from services.notify_svc.domain.notification import Notification, notification_id
from services.notify_svc.domain.tickets import (
    Comment,
    assigned,
    commented,
    emergent_comment,
    emergent_ticket,
    emergent_ticket_id,
    is_emergent,
)
from shared.cause import Cause
from shared.documents import Change, Document, Documents, OutgoingEvent, ReadModel
from shared.errors import NotFound
from shared.schemas.hotw_svc import HardwareFact, OrderType
from shared.trace import Trace


async def open_emergent_tickets(
    facts: Sequence[tuple[HardwareFact, Cause]],
    *,
    tickets: Documents,
    services: ReadModel,
    events: ReadModel,
    describe: Callable[[Mapping[str, Any]], str],
    request_mails: RequestMails,
) -> None:
    """Takes ``hotw.order.placed`` facts; those of emergent executions open or extend tickets.

    ``describe`` makes a ticket's description. A redelivered fact adds nothing: each execution comments once.
    """
    comments: dict[tuple[str, str], list[Comment]] = {}
    causes: dict[tuple[str, str], Cause] = {}
    for fact, cause in facts:
        emergent = fact.execution is not None and fact.execution.order_type == OrderType.EMERGENT
        comment = emergent_comment(fact) if emergent else None
        if comment is not None:
            comments.setdefault((fact.event_id, fact.service_id), []).append(comment)
            causes.setdefault((fact.event_id, fact.service_id), cause)
    if not causes:
        return
    known_services = await services.get_many(sorted({service_id for _, service_id in causes}))
    known_events = await events.get_many(sorted({event_id for event_id, _ in causes}))
    without_owner: dict[str, Cause] = {}
    mails = []
    for (event_id, service_id), cause in causes.items():
        owner = (known_services.get(service_id) or {}).get("Owner")
        event = known_events.get(event_id) or {}
        context = {
            "EventId": event_id,
            "EventName": event.get("EventName", event_id),
            "PeakStartDate": event.get("PeakStartDate"),
            "ServiceId": service_id,
            "Comments": comments[event_id, service_id],
        }
        await _open(context, owner, describe(context), cause, tickets)
        mails.append((_mail(context, cause.trace), cause))
        if owner is None:
            without_owner[service_id] = cause
    await request_mails(mails)
    if without_owner:
        cause = next(iter(without_owner.values()))
        await assign_tickets(without_owner, cause, tickets=tickets, services=services)


async def assign_tickets(
    service_ids: Collection[str], cause: Cause, *, tickets: Documents, services: ReadModel
) -> None:
    """Assigns the emergent tickets of these services that have no assignee, where the service is known by now."""
    async for page in tickets.scan({"Assignee": None}):
        found = [ticket for ticket in page if is_emergent(ticket.state) and ticket.state["ServiceId"] in service_ids]
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


async def _open(
    context: Mapping[str, Any], owner: str | None, description: str, cause: Cause, tickets: Documents
) -> None:
    ticket = emergent_ticket(context, assignee=owner, description=description)

    def opened(present: Document | None) -> Change | None:
        if present is None:
            return Change(ticket, (OutgoingEvent("ticket.created"),), message="Emergent hardware order")
        state = commented(present.state, context["Comments"])
        if state is None:
            return None
        return Change(state, (OutgoingEvent("ticket.updated"),), message="Another emergent hardware order")

    await tickets.update(ticket["TicketId"], opened, _automation(cause))


def _automation(cause: Cause) -> Cause:
    """One message may open several tickets, so its id is not the id of one write."""
    return Cause(now=cause.now, user="HOTWAutomation", trace=cause.trace)


def _mail(context: Mapping[str, Any], trace: Trace) -> Notification:
    event_id, service_id = context["EventId"], context["ServiceId"]
    ticket_id = emergent_ticket_id(event_id, service_id)
    return Notification(
        id=notification_id("EmergentOrder", ticket_id),
        kind="EmergentOrder",
        cause=f"ticket.created {ticket_id}",
        subject=f"Sev2 {ticket_id}: emergent hardware order for {service_id}, {context['EventName']}",
        template="emergent_order",
        context={**context, "TicketId": ticket_id},
        trace=trace,
        event_id=event_id,
        service_id=service_id,
        ticket_id=ticket_id,
    )
