"""A notification: one mail for one cause, from the request to its delivery or its failure. Its versions are its log."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from pydantic import ConfigDict

from shared.clock import iso
from shared.schemas.base import WireModel, wire_name
from shared.schemas.notify_svc.notification import NotificationStatus
from shared.trace import Trace

ATTEMPTS: Final = 12
"""Attempts before a mail is given up. With a backoff of at most ten minutes that is one to two hours."""

TPM: Final = "TPM"  # 8.1.17
"""The kind of the mails with a service's TPM, which go to the owners of the services downstream of it."""

_LONGEST_ID: Final = 128  # what an id may have on the wire
_STORED_AS: Final = {
    "id": "NotificationId",
    "template": "_Template",
    "context": "_Context",
    "trace": "_Trace",
    "not_before": "_NextAttempt",
    "peak_tpms": "PeakTPMs",
}
"""Members that are not stored under their own name. One with ``_`` is seen by this service only."""


def notification_id(kind: str, *cause: str) -> str:
    """The id of the one notification of a cause: readable, or a hash where it would be over 128 characters."""
    readable = ".".join((kind, *cause))
    if len(readable) <= _LONGEST_ID:
        return readable
    return f"{kind}.{hashlib.blake2b(readable.encode(), digest_size=16).hexdigest()}"


def id_parts(event_id: str, service_id: str, number: int) -> tuple[str, ...]:
    """What names a service's n-th mail of a kind about an event.

    A dot joins the parts of an id, and ids may have dots: an event id with dots is hashed, so that no two meet.
    """
    event = hashlib.blake2b(event_id.encode(), digest_size=16).hexdigest() if "." in event_id else event_id
    return event, service_id, str(number)


class Notification(WireModel):
    """One mail, as it is stored. ``template`` and ``context`` make its text; ``trace`` is what its sending belongs to.

    ``not_before`` and all times of attempts are the machine's time, ``sent_at`` is EPIC's.
    """

    model_config = ConfigDict(alias_generator=lambda name: _STORED_AS.get(name) or wire_name(name))

    id: str
    kind: str
    cause: str
    subject: str
    template: str
    context: dict[str, Any]
    trace: Trace
    status: NotificationStatus = NotificationStatus.PENDING
    attempts: int = 0
    not_before: datetime | None = None
    reason: str | None = None
    recipients: tuple[str, ...] | None = None
    sent_at: str | None = None
    event_id: str | None = None
    service_id: str | None = None
    upstream_service_id: str | None = None
    peak_tpms: tuple[int, ...] | None = None
    run_id: int | None = None
    ticket_id: str | None = None

    @property
    def people(self) -> tuple[str, ...]:
        """The members of the service that name who gets it (8.2.4a)."""
        return ("Owner",) if self.kind == TPM else ("Owner", "LeaderAlias")

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
        return self.having(attempts=self.attempts + 1, not_before=None)

    def sent(self, recipients: Sequence[str], note: str | None, now: datetime) -> Notification:
        status = NotificationStatus.SENT
        return self.having(status=status, recipients=tuple(recipients), sent_at=iso(now), reason=note)

    def failed(self, reason: str) -> Notification:
        return self.having(status=NotificationStatus.FAILED, reason=reason)

    def deferred(self, reason: str, until: datetime) -> Notification:
        """To be tried again at ``until``; failed after the last attempt."""
        if self.attempts >= ATTEMPTS:
            return self.failed(f"given up after {self.attempts} attempts: {reason}")
        return self.having(not_before=until, reason=reason)

    def having(self, **changes: Any) -> Notification:
        """The notification with other values of some members."""
        return self.model_copy(update=changes)


@dataclass(frozen=True, slots=True)
class Recipients:
    """``addresses`` in the order of the names, each once; ``unknown``: the aliases that have no address."""

    addresses: tuple[str, ...]
    unknown: tuple[str, ...]


def recipients_of(names: Iterable[str | None], mail_domain: str | None) -> Recipients:
    """The addresses of owners and aliases; an alias without ``@`` is one of the mail domain (ADR 0012)."""
    addresses: dict[str, None] = {}
    unknown: dict[str, None] = {}
    for name in names:
        if name:
            address = _address(name, mail_domain)
            (unknown if address is None else addresses)[address or name] = None
    return Recipients(tuple(addresses), tuple(unknown))


def _address(name: str, mail_domain: str | None) -> str | None:
    if "@" in name:
        return name
    return f"{name}@{mail_domain}" if mail_domain else None
