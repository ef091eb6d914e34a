"""Owns the contracts of notify_svc: tickets and notifications, and what may be asked of it."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import BeforeValidator, Field

from shared.schemas.base import (
    CommandBody,
    Count,
    Id,
    Instant,
    JoinedKey,
    MergePatch,
    Name,
    Snapshot,
    Text,
    WireModel,
    whole_number,
)

__all__ = [
    "CreateTicket",
    "DeleteTicket",
    "EscalateTicket",
    "Notification",
    "NotificationSnapshot",
    "NotificationStatus",
    "Ticket",
    "TicketComment",
    "TicketSnapshot",
    "TicketStatus",
    "UpdateTicket",
]

Severity = Annotated[int, BeforeValidator(whole_number), Field(ge=1, le=5)]


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
    """A SIM ticket. ``TicketId`` is assigned unless given."""

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


class TicketSnapshot(Ticket, Snapshot):
    """``ticket.{created,updated,deleted}`` and ``ticket.escalated``."""


class CreateTicket(Ticket, CommandBody):
    pass


class UpdateTicket(MergePatch):
    """A merge patch of a Ticket; lists are replaced whole."""

    ticket_id: Id


class DeleteTicket(CommandBody):
    ticket_id: Id


class EscalateTicket(CommandBody):
    """``PUT /ticket/{TicketId}/escalate``: one severity higher, or the one given."""

    ticket_id: Id
    severity: Severity | None = None
    reason: Text | None = None


class NotificationStatus(StrEnum):
    PENDING = "Pending"
    SENT = "Sent"
    FAILED = "Failed"


class Notification(WireModel):
    """One mail, once per cause; its versions are its delivery log.

    ``Recipients`` are worked out at each attempt, from the service's owner and leader as they are then.
    """

    notification_id: JoinedKey
    kind: Name
    cause: Name
    status: NotificationStatus
    subject: Text
    recipients: list[Name] | None = None
    event_id: Id | None = None
    service_id: Id | None = None
    run_id: Count | None = None
    ticket_id: Id | None = None
    attempts: Count = 0
    reason: Text | None = None
    sent_at: Instant | None = None


class NotificationSnapshot(Notification, Snapshot):
    """``notification.{sent,failed}``."""
