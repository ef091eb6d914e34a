"""Use case: send what waits, each mail once per cause, retried with back-off, every attempt kept as a version."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any, Final, Protocol

import structlog

from services.notify_svc.domain import delivery
from services.notify_svc.domain.delivery import DELIVERY, Deferred, Mail, Rejected
from services.notify_svc.domain.recipients import Recipients, owner_and_leader, recipients_of
from shared.cause import AUTOMATION, Cause
from shared.clock import Clock
from shared.documents.contract import Change, Document, Documents, OutgoingEvent, ReadModel
from shared.errors import Stale
from shared.tasks import end
from shared.trace import Trace, bind_trace

__all__ = ["Mailbox", "Sender"]

log = structlog.get_logger(__name__)

_AT_ONCE: Final = 8
_PAGE: Final = 200


class Mailbox(Protocol):
    """Where mails go. Deferred: try again later; Rejected: never as it is."""

    async def send(self, mail: Mail) -> None: ...


Render = Callable[[str, str, dict[str, Any]], tuple[str, str]]
"""Template, subject and context to the mail's text and HTML."""


class Sender:
    """Takes due notifications one by one under a lease, so that several processes send each once.

    A crash between sending and noting it repeats the mail after the lease, under the same Message-ID.
    """

    def __init__(
        self, notifications: Documents, *, services: ReadModel, mailbox: Mailbox, render: Render, clock: Clock,
        mail_domain: str | None, real_now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:  # fmt: skip
        self._notifications, self._services = notifications, services
        self._mailbox, self._render = mailbox, render
        self._clock, self._real_now, self._mail_domain = clock, real_now, mail_domain
        self._work = asyncio.Event()
        self._turns = asyncio.Semaphore(_AT_ONCE)
        self._task: asyncio.Task[None] | None = None

    def wake(self) -> None:
        """There is something to send."""
        self._work.set()

    async def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name="sender")

    async def stop(self) -> None:
        if self._task is not None:
            await end(self._task)

    async def _run(self) -> None:
        while True:
            await self._work.wait()
            self._work.clear()
            try:
                await self.send_due()
            except Exception:
                # The periodic wake comes back to whatever is left; one bad round must not end all mail.
                log.exception("sending was interrupted")

    async def send_due(self) -> None:
        """Tries every notification that is due, all pages."""
        after: str | None = None
        while True:
            page = await self._notifications.list({"Status": "Pending"}, after=after, limit=_PAGE)
            due = [item for item in page.items if delivery.is_due(item.state, self._real_now())]
            await asyncio.gather(*(self._in_turn(self._send, item) for item in due))
            after = page.next_after
            if after is None:
                return

    async def _in_turn(self, fn: Callable[[Document], Awaitable[None]], item: Document) -> None:
        async with self._turns:
            await fn(item)

    async def _send(self, found: Document) -> None:
        with bind_trace(delivery.trace_of(found.state)) as trace:
            try:
                held = await self._write(found, delivery.claimed(found.state, self._real_now()), "attempt", trace)
            except Stale:
                return  # another process has it
            try:
                to = await self._recipients(held.state)
            except Deferred as error:
                await self._defer(held, error, trace)
                return
            if not to.addresses:
                remedy = "set EPIC_MAIL_DOMAIN" if to.unknown else "give the service an Owner"
                reason = f"no address: {', '.join(to.unknown) or 'the service has no owner'}; {remedy}"
                await self._write(held, delivery.failed(held.state, reason), reason, trace, "notification.failed")
                return
            await self._hand_over(held, to, trace)

    async def _hand_over(self, held: Document, to: Recipients, trace: Trace) -> None:
        state = held.state
        kept = state[DELIVERY]
        text, html = self._render(kept["Template"], state["Subject"], kept["Context"])
        name = state["NotificationId"]
        mail = Mail(f"<{name}@epic>", name, to.addresses, state["Subject"], text, html, self._clock.now())
        try:
            await self._mailbox.send(mail)
        except Rejected as error:
            await self._write(held, delivery.failed(state, str(error)), str(error), trace, "notification.failed")
        except Deferred as error:
            await self._defer(held, error, trace)
        else:
            note = f"no address for {', '.join(to.unknown)}; set EPIC_MAIL_DOMAIN" if to.unknown else None
            done = delivery.sent(state, to.addresses, note, self._clock.now())
            log.info("mail sent", notification=name, recipients=list(to.addresses))
            await self._write(held, done, f"sent to {', '.join(to.addresses)}", trace, "notification.sent")

    async def _defer(self, held: Document, reason: Deferred, trace: Trace) -> None:
        later = delivery.deferred(held.state, str(reason), self._real_now())
        events = ("notification.failed",) if later["Status"] == "Failed" else ()
        await self._write(held, later, str(reason), trace, *events)
        log.warning("a mail could not be handed over", notification=held.key, reason=str(reason))

    async def _recipients(self, state: dict[str, Any]) -> Recipients:
        """Who gets it. Deferred when the service was never heard of: the orders may have come before it."""
        names: list[str | None] = list(state[DELIVERY]["Context"].get("To", ()))
        if not names and "ServiceId" in state:
            service = await self._services.get(state["ServiceId"])
            if service is None:
                raise Deferred(f"{state['ServiceId']} is not known here yet")
            names = list(owner_and_leader(service))
        return recipients_of(names, self._mail_domain)

    async def _write(
        self, found: Document, state: dict[str, Any], message: str, trace: Trace, *events: str
    ) -> Document:  # fmt: skip
        cause = Cause(now=self._clock.now(), user=AUTOMATION, trace=trace)
        change = Change(state, tuple(OutgoingEvent(event) for event in events), message=message)
        written = await self._notifications.update(found.key, lambda _: change, cause, expected=found.version)
        return written.document
