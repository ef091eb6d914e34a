"""Use case: create, change and escalate a ticket, by a person or a program."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from services.notify_svc.app.ask import Mails
from services.notify_svc.domain import delivery
from services.notify_svc.domain.tickets import DEFAULT_SEVERITY, escalated, ticket_id_of, with_comment_details
from shared.cause import Cause
from shared.documents.contract import Change, Document, Documents, OutgoingEvent, Written
from shared.errors import NotFound
from shared.resources import Resource, Resources
from shared.schemas.notify_svc import EscalateTicket
from shared.trace import new_id

__all__ = ["Tickets"]


class Tickets(Resources):
    """The Ticket resource: beyond plain CRUD an assigned id, comments with who and when, and escalation."""

    def __init__(self, resource: Resource, documents: Documents, mails: Mails) -> None:
        super().__init__(resource, documents)
        self._mails = mails

    async def create(self, body: Mapping[str, Any], cause: Cause) -> Written:
        """Makes a ticket; its TicketId is assigned unless given, the same for the same cause."""
        asked = with_comment_details(body, cause.user, cause.now)
        asked.setdefault("Severity", DEFAULT_SEVERITY)
        asked.setdefault("Status", "Open")
        if asked.get("TicketId") is None:
            asked["TicketId"] = ticket_id_of("asked", cause.id or new_id())
        return await super().create(asked, cause)

    async def update(
        self, keys: Mapping[str, str], body: Mapping[str, Any], cause: Cause, expected: int | None = None
    ) -> Written:
        """Merges the body into the ticket."""
        return await super().update(keys, with_comment_details(body, cause.user, cause.now), cause, expected)

    async def escalate(self, command: EscalateTicket, cause: Cause, expected: int | None = None) -> Written:
        """Raises the severity, tells the assignee. NotFound; Conflict when it cannot rise."""

        def raised(present: Document | None) -> Change:
            if present is None:
                raise NotFound(self.resource.missing({"TicketId": command.ticket_id}))
            state = escalated(present.state, command.severity, command.reason, cause.user, cause.now)
            return Change(state, (OutgoingEvent("ticket.updated"), OutgoingEvent("ticket.escalated")))

        written = await self.documents.update(command.ticket_id, raised, cause, expected=expected)
        ticket = written.document.state
        if ticket.get("Assignee"):
            await self._mails.ask([(_notification(ticket, written.document.version), cause)])
        return written


def _notification(ticket: Mapping[str, Any], version: int) -> dict[str, Any]:
    ticket_id, severity = ticket["TicketId"], ticket["Severity"]
    return delivery.pending(
        of=(ticket_id, str(version)),
        kind="TicketEscalated",
        cause=f"ticket.escalated {ticket_id} {version}",
        subject=f"Sev{severity} {ticket_id}: {ticket['Title']}",
        template="ticket_escalated",
        context={"To": [ticket["Assignee"]], **ticket},
        EventId=ticket.get("EventId"),
        ServiceId=ticket.get("ServiceId"),
        TicketId=ticket_id,
    )
