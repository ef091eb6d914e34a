"""A notification: one mail for one cause, from the request to its delivery or its failure. Its versions are its log."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from shared.clock import iso, parse_instant
from shared.schemas.notify_svc.notification import NotificationStatus
from shared.trace import Trace

ATTEMPTS: Final = 12
"""Attempts before a mail is given up. With a backoff of at most ten minutes that is one to two hours."""

_LONGEST_ID: Final = 128  # what an id may have on the wire
_INTERNAL: Final = "_Delivery"
"""The member of a stored notification that only this service sees."""
_MEMBERS: Final = {
    "NotificationId": "id",
    "Kind": "kind",
    "Cause": "cause",
    "Status": "status",
    "Subject": "subject",
    "Attempts": "attempts",
    "EventId": "event_id",
    "ServiceId": "service_id",
    "RunId": "run_id",
    "TicketId": "ticket_id",
    "Recipients": "recipients",
    "SentAt": "sent_at",
    "Reason": "reason",
}


def notification_id(kind: str, *cause: str) -> str:
    """The id of the one notification of a cause: readable, or a hash where it would be over 128 characters."""
    readable = ".".join((kind, *cause))
    if len(readable) <= _LONGEST_ID:
        return readable
    return f"{kind}.{hashlib.blake2b(readable.encode(), digest_size=16).hexdigest()}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Notification:
    """One mail. ``template`` and ``context`` make its text; ``trace`` is the trace that its sending belongs to.

    ``not_before`` and all times of attempts are the machine's time, ``sent_at`` is EPIC's.
    """

    id: str
    kind: str
    cause: str
    subject: str
    template: str
    context: Mapping[str, Any]
    trace: Trace
    status: NotificationStatus = NotificationStatus.PENDING
    attempts: int = 0
    not_before: datetime | None = None
    reason: str | None = None
    recipients: tuple[str, ...] | None = None
    sent_at: str | None = None
    event_id: str | None = None
    service_id: str | None = None
    run_id: int | None = None
    ticket_id: str | None = None

    @classmethod
    def of(cls, state: Mapping[str, Any]) -> Notification:
        """The notification in a stored document."""
        internal, not_before = state[_INTERNAL], state[_INTERNAL].get("NextAttempt")
        members = {attribute: state[name] for name, attribute in _MEMBERS.items() if name in state}
        if "recipients" in members:
            members["recipients"] = tuple(members["recipients"])
        return cls(
            **members | {"status": NotificationStatus(state["Status"])},
            template=internal["Template"],
            context=internal["Context"],
            trace=Trace(*internal["Trace"]),
            not_before=parse_instant(not_before) if not_before else None,
        )

    def state(self) -> dict[str, Any]:
        """The document to store."""
        internal: dict[str, Any] = {
            "Template": self.template,
            "Context": dict(self.context),
            "Trace": list(self.trace),
            "NextAttempt": iso(self.not_before) if self.not_before else None,
        }
        members = {name: getattr(self, attribute) for name, attribute in _MEMBERS.items()}
        recipients = None if self.recipients is None else list(self.recipients)
        members |= {"Status": self.status.value, "Recipients": recipients}
        return {**_given(members), _INTERNAL: _given(internal)}

    def is_due(self, real_now: datetime) -> bool:
        """Whether it waits to be sent, and need not wait any longer."""
        is_pending = self.status is NotificationStatus.PENDING
        return is_pending and (self.not_before is None or self.not_before <= real_now)

    @property
    def is_untried(self) -> bool:
        """Whether it waits for its first attempt; once that has begun, this never becomes true again."""
        return self.status is NotificationStatus.PENDING and not self.attempts

    def attempted(self) -> Notification:
        """With one more attempt, which is about to begin."""
        return replace(self, attempts=self.attempts + 1, not_before=None)

    def sent(self, recipients: Sequence[str], note: str | None, now: datetime) -> Notification:
        status = NotificationStatus.SENT
        return replace(self, status=status, recipients=tuple(recipients), sent_at=iso(now), reason=note)

    def failed(self, reason: str) -> Notification:
        return replace(self, status=NotificationStatus.FAILED, reason=reason)

    def deferred(self, reason: str, until: datetime) -> Notification:
        """To be tried again at ``until``; failed after the last attempt."""
        if self.attempts >= ATTEMPTS:
            return self.failed(f"given up after {self.attempts} attempts: {reason}")
        return replace(self, not_before=until, reason=reason)


def _given(members: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not None}
