"""Use cases of tickets: what they do beyond a declared resource, and their escalation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from services.notify_svc.app.request_mails import RequestMails
from services.notify_svc.domain.notification import Notification, notification_id
from services.notify_svc.domain.tickets import DEFAULT_SEVERITY, escalated, ticket_id_of, with_comment_details
from shared.cause import Cause
from shared.documents.contract import Change, Document, Documents, OutgoingEvent, Written
from shared.errors import NotFound
from shared.resources import Resources
from shared.schemas.notify_svc import EscalateTicket
from shared.trace import Trace, new_id

__all__ = ["Tickets", "escalate_ticket"]


class Tickets(Resources):
    """The declared resource, with an assigned id, defaults, and comments with who and when."""

    async def create(self, body: Mapping[str, Any], cause: Cause) -> Written:
        """Creates a ticket. A TicketId that is not given is the same for the same cause."""
        ticket = with_comment_details(body, cause.user, cause.now)
        ticket.setdefault("Severity", DEFAULT_SEVERITY)
        ticket.setdefault("Status", "Open")
        if ticket.get("TicketId") is None:
            ticket["TicketId"] = ticket_id_of("asked", cause.id or new_id())
        return await super().create(ticket, cause)

    async def update(
        self, keys: Mapping[str, str], body: Mapping[str, Any], cause: Cause, expected: int | None = None
    ) -> Written:
        return await super().update(keys, with_comment_details(body, cause.user, cause.now), cause, expected)


async def escalate_ticket(
    command: EscalateTicket, cause: Cause, *, tickets: Documents, request_mails: RequestMails
) -> Written:
    """Raises the severity and mails the assignee. NotFound; Conflict when the severity cannot rise."""

    def raised(present: Document | None) -> Change:
        if present is None:
            raise NotFound(f"there is no Ticket {command.ticket_id}")
        state = escalated(present.state, command.severity, command.reason, cause.user, cause.now)
        return Change(state, (OutgoingEvent("ticket.updated"), OutgoingEvent("ticket.escalated")))

    written = await tickets.update(command.ticket_id, raised, cause, expected=cause.expected_version)
    ticket = written.document.state
    if ticket.get("Assignee"):
        await request_mails([(_mail(ticket, written.document.version, cause.trace), cause)])
    return written


def _mail(ticket: Mapping[str, Any], version: int, trace: Trace) -> Notification:
    ticket_id = ticket["TicketId"]
    return Notification(
        id=notification_id("TicketEscalated", ticket_id, str(version)),
        kind="TicketEscalated",
        cause=f"ticket.escalated {ticket_id} {version}",
        subject=f"Sev{ticket['Severity']} {ticket_id}: {ticket['Title']}",
        template="ticket_escalated",
        context={"To": [ticket["Assignee"]], **ticket},
        trace=trace,
        event_id=ticket.get("EventId"),
        service_id=ticket.get("ServiceId"),
        ticket_id=ticket_id,
    )
