"""The rules of tickets: an emergent order opens one, later ones comment on it, and its severity can rise."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any, Final

from shared.clock import iso
from shared.schemas.hotw_svc import HardwareFact

EMERGENT_SEVERITY: Final = 2
DEFAULT_SEVERITY: Final = 3
HIGHEST_SEVERITY: Final = 1

Ticket = dict[str, Any]
Comment = dict[str, Any]


def ticket_id_of(*cause: str) -> str:
    """The TicketId of a cause, always the same for the same cause."""
    return "SIM-" + hashlib.blake2b("\n".join(cause).encode(), digest_size=6).hexdigest().upper()


def emergent_ticket_id(event_id: str, service_id: str) -> str:
    """The id of the one ticket of a service and event, however many emergent orders follow."""
    return ticket_id_of("emergent", event_id, service_id)


def emergent_comment(fact: HardwareFact) -> Comment | None:
    """The comment on one emergent execution; None when it ordered nothing."""
    execution = fact.execution
    if execution is None or not execution.ordered_hosts:
        return None
    return {
        "User": "HOTWAutomation",
        "Timestamp": iso(fact.occurred_at),
        "Text": f"{_mark(execution.execution_id)} {fact.fleet_id}: {execution.reasoning}",
    }


def _mark(execution_id: int) -> str:
    return f"SPCO-{execution_id}:"


def emergent_ticket(order: Mapping[str, Any], *, assignee: str | None, description: str) -> Ticket:
    """The Sev2 ticket of the first emergent order of a service for an event.

    ``order`` has EventId, EventName, ServiceId and Comments.
    """
    event_id, service_id = order["EventId"], order["ServiceId"]
    ticket: Ticket = {
        "TicketId": emergent_ticket_id(event_id, service_id),
        "Title": f"Emergent hardware order: {service_id}, {order['EventName']}",
        "Description": description,
        "Severity": EMERGENT_SEVERITY,
        "Status": "Open",
        "EventId": event_id,
        "ServiceId": service_id,
        "Comments": list(order["Comments"]),
    }
    if assignee:
        ticket["Assignee"] = assignee
    return ticket


def commented(ticket: Mapping[str, Any], comments: Iterable[Comment]) -> Ticket | None:
    """The ticket with the comments that it lacks, distinguished by their execution; None when it lacks none."""
    present = {str(comment["Text"]).partition(" ")[0] for comment in ticket.get("Comments", ())}
    fresh = [comment for comment in comments if comment["Text"].partition(" ")[0] not in present]
    if not fresh:
        return None
    return {**ticket, "Comments": [*ticket.get("Comments", ()), *fresh]}


def is_emergent(ticket: Mapping[str, Any]) -> bool:
    """Whether an emergent order opened the ticket."""
    event_id, service_id = ticket.get("EventId"), ticket.get("ServiceId")
    return bool(event_id and service_id and ticket["TicketId"] == emergent_ticket_id(event_id, service_id))


def assigned(ticket: Mapping[str, Any], owner: str) -> Ticket | None:
    """The ticket with its assignee; None when it has one already."""
    return None if ticket.get("Assignee") else {**ticket, "Assignee": owner}
