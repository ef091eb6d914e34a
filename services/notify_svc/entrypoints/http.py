"""The HTTP routes of notify_svc."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from services.notify_svc.app.tickets import Tickets
from shared.cause import Cause
from shared.clock import Clock
from shared.documents.contract import Written
from shared.resources import Resource, Resources, document_response, resource_routes, validated, with_keys
from shared.schemas.notify_svc import EscalateTicket, Notification, NotificationSnapshot, Ticket, TicketSnapshot
from shared.web import Routes, read_write

__all__ = ["NOTIFICATION", "TICKET", "notification_routes", "ticket_routes"]

TICKET: Final = Resource(
    name="Ticket",
    path="/ticket",
    topic="ticket",
    model=Ticket,
    snapshot=TicketSnapshot,
    key=("TicketId",),
    filters={name: name for name in ("EventId", "ServiceId", "FleetId", "Status", "Assignee")},
)
NOTIFICATION: Final = Resource(
    name="Notification",
    path="/notification",
    topic="notification",
    model=Notification,
    snapshot=NotificationSnapshot,
    key=("NotificationId",),
    filters={name: name for name in ("Kind", "EventId", "ServiceId", "Status")},
)


def ticket_routes(
    tickets: Tickets, escalate_ticket: Callable[[EscalateTicket, Cause], Awaitable[Written]], clock: Clock
) -> list[Routes]:
    """Tickets: what every resource has, and escalation."""
    resource = tickets.resource
    escalation = Routes("Ticket")

    async def escalate(request: Request) -> Response:
        asked = await read_write(request, clock)
        command = validated(EscalateTicket, with_keys(asked.body, resource.keys_of(request.path_params)))
        written = await escalate_ticket(command, asked.cause)
        return document_response(resource.view(written.document), written.document)

    escalation.add(
        "PUT",
        "/ticket/{TicketId}/escalate",
        escalate,
        action="ticket.escalate",
        summary="Raise a Ticket's severity",
        body=EscalateTicket,
        response=TicketSnapshot,
    )
    return [escalation, resource_routes(tickets, clock)]


def notification_routes(notifications: Resources, clock: Clock) -> Routes:
    """Notifications are read only; every attempt to send one is a version."""
    return resource_routes(notifications, clock, read_only=True)
