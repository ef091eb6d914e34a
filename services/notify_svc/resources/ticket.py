"""Tickets: an id is assigned unless given, comments are only added to, and the severity can be raised."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from typing import Final

from services.notify_svc.domain.tickets import DEFAULT_SEVERITY, HIGHEST_SEVERITY, ticket_id_of
from shared.cause import Cause
from shared.clock import iso
from shared.errors import Conflict
from shared.resources import Action, Others, Resource
from shared.schemas.notify_svc.ticket import (
    TICKET,
    CommentTicket,
    EscalateTicket,
    Ticket,
    TicketComment,
    TicketStatus,
)


def _created(ticket: Ticket, cause: Cause) -> Ticket:
    """The new ticket with its defaults."""
    severity = DEFAULT_SEVERITY if ticket.severity is None else ticket.severity
    comments = None if ticket.comments is None else [_signed(comment, cause) for comment in ticket.comments]
    status = ticket.status or TicketStatus.OPEN
    return ticket.model_copy(update={"severity": severity, "status": status, "comments": comments})


def _completed(before: Ticket | None, after: Ticket, others: Others, cause: Cause) -> Ticket:
    """A new ticket with its defaults; a changed one with every comment of before, and those of the request that are
    not there yet (4.581).
    """
    if before is None:
        return _created(after, cause)
    present = before.comments or []
    lacking = _lacking(present, after.comments or (), cause)
    return after.model_copy(update={"comments": [*present, *lacking] if lacking else before.comments})


def _lacking(present: Sequence[TicketComment], given: Iterable[TicketComment], cause: Cause) -> list[TicketComment]:
    """The given comments that are not present, signed. One is present that has the same user and text, and the same
    timestamp where one is given: so the same request again adds nothing.
    """
    known = {(one.user, one.text, stamp) for one in present for stamp in (None, _stamp(one))}
    found: list[TicketComment] = []
    for comment in given:
        signed = _signed(comment, cause)
        if (signed.user, signed.text, _stamp(comment)) not in known:
            found.append(signed)
            known |= {(signed.user, signed.text, stamp) for stamp in (None, _stamp(signed))}
    return found


def _stamp(comment: TicketComment) -> str | None:
    return None if comment.timestamp is None else iso(comment.timestamp)


def _signed(comment: TicketComment, cause: Cause) -> TicketComment:
    """The comment with User and Timestamp where it lacks them."""
    return TicketComment(user=comment.user or cause.user, timestamp=comment.timestamp or cause.now, text=comment.text)


def _with_comment(ticket: Ticket, text: str, cause: Cause) -> Ticket:
    comment = TicketComment(user=cause.user, timestamp=cause.now, text=text)
    return ticket.model_copy(update={"comments": [*(ticket.comments or ()), comment]})


def _commented(ticket: Ticket, command: CommentTicket, cause: Cause) -> Ticket:
    """The ticket with one comment more, also where it has the same one already (4.581a)."""
    return _with_comment(ticket, command.text, cause)


def escalated(ticket: Ticket, command: EscalateTicket, cause: Cause) -> Ticket:
    """The ticket one severity higher, or at the one asked for; 1 stays 1 (8.4.4a). The reason becomes a comment.

    Conflict when the severity asked for is not higher.
    """
    present = DEFAULT_SEVERITY if ticket.severity is None else ticket.severity
    wanted = max(HIGHEST_SEVERITY, present - 1) if command.severity is None else command.severity
    if wanted >= present and wanted != HIGHEST_SEVERITY:
        raise Conflict(
            f"ticket {ticket.ticket_id} is at severity {present}; give a smaller number, {wanted} is no escalation",
            slug="severity",
        )
    text = f"Escalated from severity {present} to {wanted}" + (f": {command.reason}" if command.reason else "")
    return _with_comment(ticket.model_copy(update={"severity": wanted}), text, cause)


_COMMENT: Final = Action[Ticket](
    word="comment", method="POST", command=CommentTicket, apply=_commented, summary="Add a comment to a Ticket"
)
_ESCALATE: Final = Action[Ticket](
    word="escalate", command=EscalateTicket, apply=escalated, event="escalated", summary="Raise a Ticket's severity"
)

TICKETS: Final = Resource(
    contract=TICKET,
    path="/ticket",
    filters=("EventId", "ServiceId", "FleetId", "Status", "Severity", "Assignee"),
    on_write=_completed,
    assign_key=partial(ticket_id_of, "asked"),
    actions=(_COMMENT, _ESCALATE),
)
