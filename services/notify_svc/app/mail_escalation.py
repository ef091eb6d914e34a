"""Use case: mails the assignee of a ticket whose severity was raised."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from services.notify_svc.app.request_mails import RequestMails
from services.notify_svc.domain.notification import Notification, notification_id
from shared.cause import Cause
from shared.documents import Written
from shared.trace import Trace


async def mail_escalation(written: Written, cause: Cause, *, request_mails: RequestMails) -> None:
    """Requests the mail of an escalation; nothing where the ticket has no assignee. Idempotent."""
    ticket = written.document.state
    if ticket.get("Assignee"):
        await request_mails([(_mail(ticket, written.document.version, cause.trace), cause)])


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
