"""Tickets: an id is assigned, comments show who made them and when, and the severity can be raised."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import Final

from services.notify_svc.domain.tickets import DEFAULT_SEVERITY, HIGHEST_SEVERITY, ticket_id_of
from shared.cause import Cause
from shared.errors import Conflict
from shared.resources import Action, Resource
from shared.schemas.notify_svc.ticket import TICKET, EscalateTicket, Ticket, TicketComment, TicketStatus


def _created(ticket: Ticket, cause: Cause) -> Ticket:
    """The new ticket with its defaults."""
    severity = DEFAULT_SEVERITY if ticket.severity is None else ticket.severity
    completed = _with_authors(ticket, cause.user, cause.now)
    return completed.model_copy(update={"severity": severity, "status": ticket.status or TicketStatus.OPEN})


def _updated(before: Ticket, after: Ticket, cause: Cause) -> Ticket:
    return _with_authors(after, cause.user, cause.now)


def _with_authors(ticket: Ticket, user: str, now: datetime) -> Ticket:
    """The ticket with User and Timestamp in each comment that lacks them."""
    if ticket.comments is None:
        return ticket
    comments = [
        TicketComment(user=comment.user or user, timestamp=comment.timestamp or now, text=comment.text)
        for comment in ticket.comments
    ]
    return ticket.model_copy(update={"comments": comments})


def escalated(ticket: Ticket, command: EscalateTicket, cause: Cause) -> Ticket:
    """The ticket one severity higher, or at the one asked for; the reason becomes a comment. Conflict if not higher."""
    present = DEFAULT_SEVERITY if ticket.severity is None else ticket.severity
    wanted = command.severity if command.severity is not None else present - 1
    if present == HIGHEST_SEVERITY:
        raise Conflict(f"ticket {ticket.ticket_id} is at severity 1 already, the highest", slug="severity")
    if wanted >= present:
        raise Conflict(
            f"ticket {ticket.ticket_id} is at severity {present}; give a smaller number, {wanted} is no escalation",
            slug="severity",
        )
    text = f"Escalated from severity {present} to {wanted}" + (f": {command.reason}" if command.reason else "")
    comment = TicketComment(user=cause.user, timestamp=cause.now, text=text)
    return ticket.model_copy(update={"severity": wanted, "comments": [*(ticket.comments or ()), comment]})


_ESCALATE: Final = Action[Ticket](
    word="escalate", command=EscalateTicket, apply=escalated, event="escalated", summary="Raise a Ticket's severity"
)

TICKETS: Final = Resource(
    contract=TICKET,
    path="/ticket",
    filters=("EventId", "ServiceId", "FleetId", "Status", "Assignee"),
    on_create=_created,
    on_update=_updated,
    assign_key=partial(ticket_id_of, "asked"),
    actions=(_ESCALATE,),
)
