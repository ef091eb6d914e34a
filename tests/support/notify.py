"""Replicas of notify_svc on one store without entrypoints, the facts they handle, and a real SMTP server."""

from __future__ import annotations

import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.message import Message as Mail
from functools import partial
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from services.notify_svc.adapters.templates import Templates
from services.notify_svc.app.mail_gaps import mail_gaps
from services.notify_svc.app.mail_late_orders import mail_late_orders
from services.notify_svc.app.mail_tpm import mail_tpm
from services.notify_svc.app.open_order_tickets import assign_tickets, open_order_tickets
from services.notify_svc.app.request_mails import request_mails
from services.notify_svc.app.send_mails import LEASE_SECONDS, Mailbox, MailSender
from services.notify_svc.app.summarize_orders import OrderSummaries
from services.notify_svc.app.warn_of_open_orders import warn_of_open_orders
from services.notify_svc.resources.notification import NOTIFICATIONS
from services.notify_svc.resources.ticket import TICKETS
from shared.cause import Cause
from shared.documents import Document, Documents, ReadModel, Store
from shared.documents.mongo import MongoStore
from shared.documents.sqlite import SqliteStore
from shared.envelope import Message
from shared.schemas.eventplan_svc import TPMRequested
from shared.schemas.hotw_svc import HardwareFact, RunFact
from shared.settings import Settings
from shared.trace import Trace
from tests.support.clock import FixedClock
from tests.support.goldens import golden
from tests.support.servers import HOST

SMTP_TIMEOUT = 60.0
CLOCK = FixedClock("2024-06-15T09:00:00Z")
PLACED = golden("hotw.order.placed", "hotw.order.placed").body()
REVIEWED = golden("hotw.order.reviewed", "hotw.order.reviewed").body()
COMPLETED = golden("hotw.run.completed", "hotw.run.completed").body()
SERVICE = golden("service.created", "service.created").body()


def cause() -> Cause:
    return Cause(CLOCK.now(), "EPICAutomation", Trace("a-first-call", "m", None))


def placed(number: int = 0, *, service: str = "FORTRESSService", emergent: bool = False) -> HardwareFact:
    """A ``hotw.order.placed`` of one of a service's fleets, by run 5."""
    execution = {
        **PLACED["Execution"],
        "ExecutionId": 789 + number,
        "OrderType": "Emergent" if emergent else "Standard",
    }
    return HardwareFact.model_validate(
        {**PLACED, "FleetId": f"{service}-{number}", "ServiceId": service, "Execution": execution}
    )


def left_open(number: int = 0, *, version: int = 4, service: str = "FORTRESSService") -> HardwareFact:
    """A ``hotw.order.reviewed`` of a service's fleet: the fleet was withdrawn, and its first two orders stay open."""
    orders = [{**order, "FulfillmentId": f"F5-{number}-{n}"} for n, order in enumerate(REVIEWED["Orders"], start=1)]
    about = [order["FulfillmentId"] for order in orders[:2]]
    return HardwareFact.model_validate(
        {
            **REVIEWED,
            "FleetId": f"{service}-{number}",
            "ServiceId": service,
            "OrdersVersionId": version,
            "Orders": orders,
            "FulfillmentIds": about,
            "WithdrawalReason": "PD2024 is not active.",
        }
    )


def gap_opened(
    number: int = 0, hosts: int = 10, *, since: str = "2024-06-18T09:00:01.000Z", service: str = "FORTRESSService"
) -> HardwareFact:
    """A ``hotw.gap.opened`` of a service's fleet."""
    body = golden("hotw.gap.opened", "hotw.gap.opened").body()
    own = {"FleetId": f"{service}-{number}", "ServiceId": service, "Gap": hosts, "Since": since}
    return HardwareFact.model_validate({**body, **own})


def completed(executions: int, *, service: str = "FORTRESSService", emergent: bool = False) -> RunFact:
    """The ``hotw.run.completed`` of run 5, where so many executions of a service ordered."""
    services = [{"ServiceId": service, "OrderingExecutions": executions, "OrderedHosts": 50 * executions}]
    order_type = "Emergent" if emergent else "Standard"
    return RunFact.model_validate({**COMPLETED, "RunId": 5, "Services": services, "OrderType": order_type})


def tpm_requested(
    tpm: int = 55_000, *, fleet: str = "FORTRESSService-NA-X0", to: tuple[str, ...] = ("CheckoutService",)
) -> TPMRequested:
    """An ``eventplan.tpm.requested`` of one of FORTRESSService's fleets."""
    body = golden("eventplan.tpm.requested", "eventplan.tpm.requested").body()
    return TPMRequested.model_validate({**body, "FleetId": fleet, "PeakTPM": tpm, "DownstreamServiceIds": list(to)})


class RealTime:
    """The machine's time, moved by hand."""

    def __init__(self) -> None:
        self.now = datetime(2026, 1, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def pass_by(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@dataclass
class Replica:
    """One replica of notify_svc without its entrypoints; ``sender`` sends only when a test calls it."""

    store: Store
    notifications: Documents
    tickets: Documents
    services: ReadModel
    gather_orders: Callable[..., Any]
    summarize_runs: Callable[..., Any]
    open_order_tickets: Callable[..., Any]
    assign_tickets: Callable[..., Any]
    warn_of_open_orders: Callable[..., Any]
    mail_gaps: Callable[..., Any]
    mail_late_orders: Callable[..., Any]
    mail_tpm: Callable[..., Any]
    sender: MailSender

    async def mails(self) -> list[Document]:
        return (await self.notifications.list({}, limit=1000)).items


@dataclass
class Replicas:
    """One store, the replicas on it, and what they published."""

    place: str | Path
    database: str
    real_time: RealTime = field(default_factory=RealTime)
    published: list[Message] = field(default_factory=list)
    all: list[Replica] = field(default_factory=list)

    async def _publish(self, messages: Any) -> list[Exception | None]:
        self.published += messages
        return [None] * len(messages)

    async def start(
        self, mailbox: Mailbox, *, mail_domain: str | None = "example.com", lease_seconds: float = LEASE_SECONDS
    ) -> Replica:
        if isinstance(self.place, str):
            store: Store = MongoStore(self.place, self.database, self._publish, source="notify_svc")
        elif self.all:
            store = self.all[0].store  # a file belongs to one process: its replicas share the store
        else:
            store = SqliteStore(self.place, self._publish, source="notify_svc")
        fresh = not self.all or isinstance(self.place, str)
        notifications = store.documents("notification", filters=NOTIFICATIONS.filters)
        tickets = store.documents("ticket", filters=TICKETS.filters)
        read_models = {name: store.read_model(name) for name in ("service", "event", "run", "run_service")}
        if fresh:
            await store.start()
        templates = Templates()
        services, events = read_models["service"], read_models["event"]
        sender = MailSender(
            notifications=notifications,
            services=services,
            leases=store.leases(),
            mailbox=mailbox,
            render=templates.mail,
            clock=CLOCK,
            real_now=self.real_time,
            mail_domain=mail_domain,
            lease_seconds=lease_seconds,
        )
        request = partial(request_mails, notifications=notifications, wake=lambda: None)
        summaries = OrderSummaries(read_models["run"], read_models["run_service"], events, request)
        made = Replica(
            store,
            notifications,
            tickets,
            services,
            summaries.gather_orders,
            summaries.summarize_runs,
            partial(
                open_order_tickets,
                tickets=tickets,
                services=services,
                events=events,
                describe=templates.ticket_description,
                request_mails=request,
            ),
            partial(assign_tickets, tickets=tickets, services=services),
            partial(warn_of_open_orders, notifications=notifications, events=events, real_now=self.real_time),
            partial(mail_gaps, notifications=notifications, events=events, real_now=self.real_time),
            partial(mail_late_orders, notifications=notifications, events=events, real_now=self.real_time),
            partial(
                mail_tpm,
                notifications=notifications,
                events=events,
                real_now=self.real_time,
                gathering=timedelta(seconds=Settings().tpm_mail_seconds),
            ),
            sender,
        )
        if not self.all:
            await made.services.put([(SERVICE["ServiceId"], SERVICE["VersionId"], SERVICE)])
        self.all.append(made)
        return made

    async def published_as(self, ce_type: str) -> list[Message]:
        for replica in self.all:
            await replica.store.drain()
        return [message for message in self.published if message.type == ce_type]


class Post:
    """A real SMTP server that keeps the mails it accepts; ``refuse`` is its reply instead."""

    def __init__(self) -> None:
        self.taken: list[tuple[list[str], Mail]] = []
        self.refuse: str | None = None
        self.url = ""

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        if self.refuse:
            return self.refuse
        content = envelope.content
        assert isinstance(content, bytes)
        self.taken.append((list(envelope.rcpt_tos), message_from_bytes(content, policy=policy.default)))
        return "250 OK"


class BoundController(Controller):
    """Listens on a socket that is bound already, so that no other process gets the port meanwhile."""

    def __init__(self, post: Post, at: socket.socket) -> None:
        self._at = at
        super().__init__(post, hostname=HOST, port=at.getsockname()[1], ready_timeout=SMTP_TIMEOUT)

    def _create_server(self) -> Any:
        return self.loop.create_server(self._factory_invoker, sock=self._at)
