"""The contract of Ticket."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Final

from shared.schemas.base import CommandBody, Id, Instant, Name, Text, WireModel
from shared.schemas.numbers import WholeNumber
from shared.schemas.resource_contract import ExtraEvent, ResourceContract

Severity = Annotated[int, WholeNumber(1, 5)]


class TicketStatus(StrEnum):
    OPEN = "Open"
    IN_PROGRESS = "InProgress"
    RESOLVED = "Resolved"
    CLOSED = "Closed"


class TicketComment(WireModel):
    user: Name | None = None
    timestamp: Instant | None = None
    text: Text


class Ticket(WireModel):
    """A SIM ticket. ``TicketId`` is assigned unless given. ``Comments`` are only added to."""

    ticket_id: Id | None = None
    title: Name
    description: Text | None = None
    assignee: Name | None = None
    severity: Severity | None = None
    status: TicketStatus | None = None
    event_id: Id | None = None
    service_id: Id | None = None
    fleet_id: Id | None = None
    comments: list[TicketComment] | None = None


class CommentTicket(CommandBody):
    """``POST /ticket/{TicketId}/comment``: adds a comment by who asks, now."""

    ticket_id: Id
    text: Text


class EscalateTicket(CommandBody):
    """``PUT /ticket/{TicketId}/escalate``: one severity higher, or the one given."""

    ticket_id: Id
    severity: Severity | None = None
    reason: Text | None = None


TICKET: Final = ResourceContract(
    model=Ticket,
    owner="notify_svc",
    key=("TicketId",),
    extra_events=(ExtraEvent("escalated", "A ticket's severity was raised."),),
    actions=(CommentTicket, EscalateTicket),
)
