"""Use case: send the mails that are due, each once per cause, retried with backoff; every attempt is a version."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, Protocol

import structlog

from services.notify_svc.domain.notification import Notification, Recipients, recipients_of
from shared.cause import AUTOMATION, Cause
from shared.clock import Clock
from shared.documents import Change, Document, Documents, OutgoingEvent, ReadModel
from shared.durability.backoff import Backoff
from shared.durability.lease import LeaseLost, Leases
from shared.errors import Stale
from shared.trace import bind_trace, new_id

log = structlog.get_logger(__name__)

LEASE_SECONDS: Final = 120.0
"""Longer than one attempt takes: SMTP may use up its time-out of 30 s in more than one step."""

RETRY: Final = Backoff(first=5.0, longest=600.0)
"""A server that is busy for a moment is asked again soon, one that is away not more than every ten minutes."""

_AT_ONCE: Final = 8  # connections to one SMTP server; most allow ten per client
_PAGE: Final = 200
_LEASE: Final = "send mails"


class Deferred(Exception):
    """The mail could not be sent now; a later attempt may succeed."""


class Rejected(Exception):
    """The server will never accept the mail as it is."""


@dataclass(frozen=True, slots=True)
class Mail:
    """One mail as it is sent. ``message_id`` is one per cause, so that readers recognise a repetition."""

    message_id: str
    name: str
    recipients: tuple[str, ...]
    subject: str
    text: str
    html: str
    date: datetime


class Mailbox(Protocol):
    """Where mails go."""

    async def send(self, mail: Mail) -> None:
        """Raises Deferred when the mail may be sent later, Rejected when it never can be."""


Render = Callable[[str, str, Mapping[str, Any]], tuple[str, str]]
"""Makes a mail's text and HTML of its template, subject and context."""


@dataclass(kw_only=True, eq=False, slots=True)
class MailSender:
    """Sends due notifications under one lease, so that one process at a time sends and each mail is sent once.

    A crash between sending and storing repeats the mail when the lease has run out, under the same Message-ID.
    """

    notifications: Documents
    services: ReadModel
    leases: Leases
    mailbox: Mailbox
    render: Render
    clock: Clock
    real_now: Callable[[], datetime]
    mail_domain: str | None
    lease_seconds: float = LEASE_SECONDS
    holder: str = field(default_factory=new_id)

    async def send_due(self) -> bool:
        """Tries every notification that is due, unless another process is sending. Never more to do at once."""
        after: str | None = None
        while True:
            page = await self.notifications.list({"Status": "Pending"}, after=after, limit=_PAGE)
            due = [item for item in page.items if Notification.model_validate(item.state).is_due(self.real_now())]
            if due and not await self._send_all(due):
                return False
            after = page.next_after
            if after is None:
                return False

    async def _send_all(self, due: list[Document]) -> bool:
        """Whether this process had the lease to the end."""
        lease = await self.leases.claim(_LEASE, self.holder, self.lease_seconds)
        if lease is None:
            return False
        try:
            for start in range(0, len(due), _AT_ONCE):
                await asyncio.gather(*(self._send(item) for item in due[start : start + _AT_ONCE]))
                await self.leases.renew(lease, self.lease_seconds)
        except LeaseLost:
            return False
        finally:
            await self.leases.release(lease)
        return True

    async def _send(self, found: Document) -> None:
        mail = Notification.model_validate(found.state)
        with bind_trace(mail.trace):
            try:
                begun = await self._write(found, mail.attempted(), "attempt")
                after, message = await self._attempt(Notification.model_validate(begun.state))
                event = {"Sent": ("notification.sent",), "Failed": ("notification.failed",)}.get(after.status, ())
                await self._write(begun, after, message, *event)
            except Stale:
                log.info("mail left to another process, or it changed meanwhile", notification=found.key)

    async def _attempt(self, mail: Notification) -> tuple[Notification, str]:
        """The notification after one attempt, and the attempt's result in words."""
        try:
            to = await self._recipients(mail)
            if not to.addresses:
                remedy = "set EPIC_MAIL_DOMAIN" if to.unknown else "give the service an Owner"
                reason = f"no address: {', '.join(to.unknown) or 'the service has no owner'}; {remedy}"
                return mail.failed(reason), reason
            text, html = self.render(mail.template, mail.subject, mail.context)
            await self.mailbox.send(
                Mail(f"<{mail.id}@epic>", mail.id, to.addresses, mail.subject, text, html, self.clock.now())
            )
        except Rejected as error:
            return mail.failed(str(error)), str(error)
        except Deferred as error:
            log.warning("a mail could not be sent", notification=mail.id, reason=str(error))
            until = self.real_now() + timedelta(seconds=RETRY.before(mail.attempts))
            return mail.deferred(str(error), until), str(error)
        log.info("mail sent", notification=mail.id, recipients=list(to.addresses))
        note = f"no address for {', '.join(to.unknown)}; set EPIC_MAIL_DOMAIN" if to.unknown else None
        return mail.sent(to.addresses, note, self.clock.now()), f"sent to {', '.join(to.addresses)}"

    async def _recipients(self, mail: Notification) -> Recipients:
        """Deferred when the service is not known here: its orders may have come before it."""
        names: list[str | None] = list(mail.context.get("To", ()))
        if not names and mail.service_id is not None:
            service = await self.services.get(mail.service_id)
            if service is None:
                raise Deferred(f"{mail.service_id} is not known here yet")
            names = [service.get(member) for member in mail.people]
        return recipients_of(names, self.mail_domain)

    async def _write(self, found: Document, mail: Notification, message: str, *events: str) -> Document:
        """Stores the next version. Stale when another process has written since ``found``."""
        cause = Cause(now=self.clock.now(), user=AUTOMATION, trace=mail.trace)
        change = Change(mail.wire(), tuple(OutgoingEvent(event) for event in events), message=message)
        written = await self.notifications.update(found.key, lambda _: change, cause, expected=found.version)
        return written.document
