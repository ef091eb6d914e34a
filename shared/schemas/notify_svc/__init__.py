"""The contracts of notify_svc."""

from shared.schemas.notify_svc.notification import Notification, NotificationSnapshot, NotificationStatus
from shared.schemas.notify_svc.ticket import (
    EscalateTicket,
    Severity,
    Ticket,
    TicketComment,
    TicketSnapshot,
    TicketStatus,
)

__all__ = [
    "EscalateTicket",
    "Notification",
    "NotificationSnapshot",
    "NotificationStatus",
    "Severity",
    "Ticket",
    "TicketComment",
    "TicketSnapshot",
    "TicketStatus",
]
