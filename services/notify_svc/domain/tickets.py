"""The tickets of executions that ordered hosts: one per service and Event, which later executions comment on (7.11).

A Standard execution opens it as Sev4, an Emergent one as Sev2. An Emergent one raises a Sev4 that is open. Where the
Sev4 was ended, Emergent executions have a second ticket, a Sev2.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from shared.clock import iso
from shared.schemas.hotw_svc import HardwareFact, OrderType
from shared.schemas.notify_svc.ticket import TicketStatus

EMERGENT_SEVERITY: Final = 2
STANDARD_SEVERITY: Final = 4
DEFAULT_SEVERITY: Final = 3
HIGHEST_SEVERITY: Final = 1
_ENDED: Final = (TicketStatus.RESOLVED, TicketStatus.CLOSED)
_STANDARD, _EMERGENT = "Hardware order", "Emergent hardware order"

Ticket = dict[str, Any]


@dataclass(frozen=True, slots=True)
class OrderComment:
    """What a ticket says about one execution that ordered hosts."""

    text: str
    timestamp: str
    emergent: bool

    def wire(self) -> dict[str, Any]:
        return {"User": "HOTWAutomation", "Timestamp": self.timestamp, "Text": self.text}


def ticket_id_of(*cause: str) -> str:
    """The TicketId of a cause, always the same for the same cause."""
    return "SIM-" + hashlib.blake2b("\n".join(cause).encode(), digest_size=6).hexdigest().upper()


def order_ticket_id(event_id: str, service_id: str) -> str:
    """The id of the one ticket of a service and Event, however many executions order."""
    return ticket_id_of("order", event_id, service_id)


def second_ticket_id(event_id: str, service_id: str) -> str:
    """The id of the Sev2 ticket that Emergent executions have beside a Sev4 that was ended."""
    return ticket_id_of("emergent order", event_id, service_id)


def order_comment(fact: HardwareFact) -> OrderComment | None:
    """The comment on the execution of a ``hotw.order.placed``; None when it ordered nothing."""
    execution = fact.execution
    if execution is None or not execution.ordered_hosts:
        return None
    emergent = execution.order_type is OrderType.EMERGENT
    fleet = f"{fact.fleet_id}, Emergent" if emergent else fact.fleet_id
    text = f"SPCO-{execution.execution_id}: {fleet}: {execution.reasoning}"
    return OrderComment(text, iso(fact.occurred_at), emergent)


def order_ticket(
    ticket_id: str,
    about: Mapping[str, Any],
    comments: Sequence[OrderComment],
    *,
    assignee: str | None,
    description: str,
) -> Ticket:
    """A new ticket with its first comments. ``about`` has EventId, EventName and ServiceId."""
    emergent = any(comment.emergent for comment in comments)
    ticket: Ticket = {
        "TicketId": ticket_id,
        "Title": f"{_EMERGENT if emergent else _STANDARD}: {about['ServiceId']}, {about['EventName']}",
        "Description": description,
        "Severity": EMERGENT_SEVERITY if emergent else STANDARD_SEVERITY,
        "Status": TicketStatus.OPEN.value,
        "EventId": about["EventId"],
        "ServiceId": about["ServiceId"],
        "Comments": [comment.wire() for comment in comments],
    }
    if assignee:
        ticket["Assignee"] = assignee
    return ticket


def lacking(ticket: Mapping[str, Any], comments: Iterable[OrderComment]) -> list[OrderComment]:
    """The comments on executions that the ticket does not speak of yet."""
    present = {_mark(comment["Text"]) for comment in ticket.get("Comments") or ()}
    return [comment for comment in comments if _mark(comment.text) not in present]


def with_orders(ticket: Mapping[str, Any], comments: Iterable[OrderComment]) -> Ticket | None:
    """The ticket with the comments that it lacks, and raised to Sev2 by an Emergent one; None where nothing changes.

    A ticket that was ended as less than Sev2 takes no Emergent one.
    """
    severity = ticket.get("Severity", DEFAULT_SEVERITY)
    takes_emergent = severity <= EMERGENT_SEVERITY or ticket.get("Status") not in _ENDED
    taken = [comment for comment in lacking(ticket, comments) if takes_emergent or not comment.emergent]
    if not taken:
        return None
    after = {**ticket, "Comments": [*(ticket.get("Comments") or ()), *(comment.wire() for comment in taken)]}
    if severity > EMERGENT_SEVERITY and any(comment.emergent for comment in taken):
        title = str(ticket["Title"])
        after["Severity"] = EMERGENT_SEVERITY
        after["Title"] = f"{_EMERGENT}{title.removeprefix(_STANDARD)}" if title.startswith(_STANDARD) else title
    return after


def is_of_orders(ticket: Mapping[str, Any]) -> bool:
    """Whether an execution opened the ticket."""
    event_id, service_id = ticket.get("EventId"), ticket.get("ServiceId")
    if not event_id or not service_id:
        return False
    return ticket["TicketId"] in (order_ticket_id(event_id, service_id), second_ticket_id(event_id, service_id))


def assigned(ticket: Mapping[str, Any], owner: str) -> Ticket | None:
    """The ticket with its assignee; None when it has one already."""
    return None if ticket.get("Assignee") else {**ticket, "Assignee": owner}


def _mark(text: str) -> str:
    """What a comment on an execution begins with, such as ``SPCO-789:``."""
    return text.partition(" ")[0]
