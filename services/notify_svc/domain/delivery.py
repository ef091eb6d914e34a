"""The rules of delivering one mail: when it may be tried, by whom, and when to give up."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from shared.clock import iso, parse_instant
from shared.schemas.notify_svc import NotificationStatus
from shared.trace import Trace

__all__ = [
    "DELIVERY",
    "Deferred",
    "Mail",
    "Rejected",
    "claimed",
    "deferred",
    "failed",
    "is_due",
    "is_untried",
    "notification_id",
    "pending",
    "put_off",
    "sent",
    "trace_of",
    "traced",
]

DELIVERY: Final = "_Delivery"
"""The service's own member of a notification: its template, what that is given, the next attempt (real time)."""

LEASE: Final = timedelta(seconds=120)  # longer than one attempt takes, so that no two processes send it at once
FIRST_DELAY: Final = timedelta(seconds=5)
LONGEST_DELAY: Final = timedelta(minutes=10)
ATTEMPTS: Final = 12
LONGEST_ID: Final = 128

Notification = dict[str, Any]


class Deferred(Exception):
    """The mail could not be handed over now; it may be later."""


class Rejected(Exception):
    """The mail will never be taken as it is."""


@dataclass(frozen=True, slots=True)
class Mail:
    """One mail as it goes out. ``message_id`` is one per cause: a repeat is known as one. ``date`` is EPIC's."""

    message_id: str
    name: str
    recipients: tuple[str, ...]
    subject: str
    text: str
    html: str
    date: datetime


def notification_id(kind: str, *cause: str) -> str:
    """The id of the one notification of a cause: readable, or by a hash where that would be over 128 characters."""
    readable = ".".join((kind, *cause))
    if len(readable) <= LONGEST_ID:
        return readable
    return f"{kind}.{hashlib.blake2b(readable.encode(), digest_size=16).hexdigest()}"


def pending(
    *, kind: str, of: tuple[str, ...], cause: str, subject: str, template: str, context: Mapping[str, Any],
    **about: Any,
) -> Notification:  # fmt: skip
    """A notification that waits. ``of``: what makes its id one of its kind; ``about``: its EventId and so on."""
    return {
        "NotificationId": notification_id(kind, *of),
        "Kind": kind,
        "Cause": cause,
        "Status": NotificationStatus.PENDING.value,
        "Subject": subject,
        "Attempts": 0,
        **{name: value for name, value in about.items() if value is not None},
        DELIVERY: {"Template": template, "Context": dict(context)},
    }


def traced(notification: Notification, trace: Trace) -> Notification:
    """The notification with the trace its sending belongs to."""
    kept = {"CorrelationId": trace.correlation_id, "CausationId": trace.causation_id, "TraceParent": trace.traceparent}
    return {**notification, DELIVERY: {**notification[DELIVERY], **kept}}


def trace_of(notification: Mapping[str, Any]) -> Trace:
    """The trace kept with it."""
    kept = notification[DELIVERY]
    return Trace(kept["CorrelationId"], kept["CausationId"], kept["TraceParent"])


def is_due(notification: Mapping[str, Any], real_now: datetime) -> bool:
    """Whether somebody may try it: it waits, and nobody is at it."""
    if notification["Status"] != NotificationStatus.PENDING:
        return False
    next_attempt = notification[DELIVERY].get("NextAttempt")
    return next_attempt is None or parse_instant(next_attempt) <= real_now


def is_untried(notification: Mapping[str, Any]) -> bool:
    """Whether it waits and nobody has tried it so far; once that is over it never comes back."""
    return bool(notification["Status"] == NotificationStatus.PENDING and not notification["Attempts"])


def put_off(notification: Notification, moment: datetime) -> Notification:
    """Not to be tried before a moment (real time)."""
    return _next(notification, moment)


def claimed(notification: Notification, real_now: datetime) -> Notification:
    """Held for one attempt: nobody else tries before the lease is over."""
    return _next(notification, real_now + LEASE, Attempts=notification["Attempts"] + 1)


def sent(notification: Notification, recipients: Sequence[str], note: str | None, now: datetime) -> Notification:
    """Handed over."""
    more = {"Reason": note} if note else {}
    return {**_cleared(notification), "Status": NotificationStatus.SENT.value, "Recipients": list(recipients),
            "SentAt": iso(now), **more}  # fmt: skip


def failed(notification: Notification, reason: str) -> Notification:
    """Given up, with the reason."""
    return {**_cleared(notification), "Status": NotificationStatus.FAILED.value, "Reason": reason}


def deferred(notification: Notification, reason: str, real_now: datetime) -> Notification:
    """To be tried again after a delay that doubles with each attempt; given up after the last."""
    attempts = notification["Attempts"]
    if attempts >= ATTEMPTS:
        return failed(notification, f"given up after {attempts} attempts: {reason}")
    delay = min(FIRST_DELAY * 2 ** (attempts - 1), LONGEST_DELAY)
    return _next(notification, real_now + delay, Reason=reason)


def _next(notification: Notification, moment: datetime, **members: Any) -> Notification:
    return {**notification, **members, DELIVERY: {**notification[DELIVERY], "NextAttempt": iso(moment)}}


def _cleared(notification: Notification) -> Notification:
    delivery = {name: value for name, value in notification[DELIVERY].items() if name != "NextAttempt"}
    return {**{name: value for name, value in notification.items() if name != "Reason"}, DELIVERY: delivery}
