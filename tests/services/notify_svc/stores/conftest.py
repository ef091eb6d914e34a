"""Owns notify_svc's use cases on both stores, any number of replicas on one, and a real SMTP server."""

from __future__ import annotations

import socket
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.message import Message as Mail
from pathlib import Path
from typing import Any

import pymongo
import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from services.notify_svc.adapters.mailbox import SmtpMailbox
from services.notify_svc.adapters.templates import Templates
from services.notify_svc.app.ask import Mails
from services.notify_svc.app.gather_orders import GatherOrders
from services.notify_svc.app.open_tickets import OpenTickets
from services.notify_svc.app.send import Mailbox, Sender
from services.notify_svc.app.warn_of_inactive_events import WarnOfInactiveEvents
from services.notify_svc.entrypoints.http import NOTIFICATION, TICKET
from shared.cause import Cause
from shared.clock import FixedClock
from shared.documents.contract import Document, Documents, ReadModel, Store
from shared.documents.mongo import MongoStore
from shared.documents.sqlite import SqliteStore
from shared.envelope import Message
from shared.schemas.goldens import golden
from shared.schemas.hotw_svc import HardwareFact, RunFact
from shared.trace import Trace
from tests.support.servers import HOST

PATIENCE = 60.0
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
        **PLACED["Execution"], "ExecutionId": 789 + number, "OrderType": "Emergent" if emergent else "Standard",
    }  # fmt: skip
    return HardwareFact.model_validate(
        {**PLACED, "FleetId": f"{service}-{number}", "ServiceId": service, "Execution": execution}
    )


def left_open(number: int = 0, *, version: int = 4, service: str = "FORTRESSService") -> HardwareFact:
    """A ``hotw.order.reviewed`` of one of a service's fleets: its event is off, and its first two orders stay open."""
    orders = [{**order, "FulfillmentId": f"F5-{number}-{n}"} for n, order in enumerate(REVIEWED["Orders"], start=1)]
    about = [order["FulfillmentId"] for order in orders[:2]]
    return HardwareFact.model_validate(
        {**REVIEWED, "FleetId": f"{service}-{number}", "ServiceId": service, "OrdersVersionId": version,
         "Orders": orders, "FulfillmentIds": about, "EventIsActive": False}
    )  # fmt: skip


def completed(executions: int, *, service: str = "FORTRESSService", emergent: bool = False) -> RunFact:
    """The ``hotw.run.completed`` of run 5, where so many executions of a service ordered."""
    told = [{"ServiceId": service, "OrderingExecutions": executions, "OrderedHosts": 50 * executions}]
    order_type = "Emergent" if emergent else "Standard"
    return RunFact.model_validate({**COMPLETED, "RunId": 5, "Services": told, "OrderType": order_type})


class RealTime:
    """The machine's time, moved by hand."""

    def __init__(self) -> None:
        self.now = datetime(2026, 1, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def pass_by(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@dataclass
class Process:
    """One replica of notify_svc without its front doors; ``sender`` sends only when it is told to."""

    store: Store
    notifications: Documents
    tickets: Documents
    services: ReadModel
    gather: GatherOrders
    emergent: OpenTickets
    inactive: WarnOfInactiveEvents
    sender: Sender

    async def all(self) -> list[Document]:
        return (await self.notifications.list({}, limit=1000)).items


@dataclass
class Site:
    """One store, the replicas on it, and what they published."""

    place: str | Path
    database: str
    real_time: RealTime = field(default_factory=RealTime)
    published: list[Message] = field(default_factory=list)
    processes: list[Process] = field(default_factory=list)

    async def _publish(self, messages: Any) -> list[Exception | None]:
        self.published += messages
        return [None] * len(messages)

    async def process(self, mailbox: Mailbox, *, mail_domain: str | None = "example.com") -> Process:
        if isinstance(self.place, str):
            store: Store = MongoStore(self.place, self.database, self._publish, source="notify_svc")
        elif self.processes:
            store = self.processes[0].store  # one process per file: two of it share its store
        else:
            store = SqliteStore(self.place, self._publish, source="notify_svc")
        fresh = not self.processes or isinstance(self.place, str)
        notifications = store.documents("notification", filters=tuple(NOTIFICATION.filters.values()))
        tickets = store.documents("ticket", filters=tuple(TICKET.filters.values()))
        replicas = {name: store.read_model(name) for name in ("service", "event", "run", "run_service")}
        if fresh:
            await store.start()
        templates = Templates()
        sender = Sender(
            notifications, services=replicas["service"], mailbox=mailbox, render=templates.mail, clock=CLOCK,
            mail_domain=mail_domain, real_now=self.real_time,
        )  # fmt: skip
        mails = Mails(notifications, sender.wake)
        gather = GatherOrders(
            runs=replicas["run"], digests=replicas["run_service"], events=replicas["event"], mails=mails
        )
        emergent = OpenTickets(
            tickets=tickets, services=replicas["service"], events=replicas["event"], mails=mails,
            describe=templates.emergent_description,
        )  # fmt: skip
        inactive = WarnOfInactiveEvents(notifications=notifications, events=replicas["event"], real_now=self.real_time)
        made = Process(store, notifications, tickets, replicas["service"], gather, emergent, inactive, sender)
        if not self.processes:
            await made.services.put([(SERVICE["ServiceId"], SERVICE["VersionId"], SERVICE)])
        self.processes.append(made)
        return made

    async def told(self, ce_type: str) -> list[Message]:
        for process in self.processes:
            await process.store.drain()
        return [message for message in self.published if message.type == ce_type]


@pytest.fixture(params=["sqlite", pytest.param("mongo", marks=pytest.mark.docker)])
async def site(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Site]:
    if request.param == "sqlite":
        site = Site(tmp_path / "notify.db", "")
    else:
        site = Site(request.getfixturevalue("mongo_url"), f"notify_{uuid.uuid4().hex[:8]}")
    yield site
    for store in {id(process.store): process.store for process in site.processes}.values():
        await store.stop()
    if isinstance(site.place, str):
        with pymongo.MongoClient[dict[str, Any]](site.place) as client:
            for collection in client[site.database].list_collection_names():
                client[site.database].drop_collection(collection)


class Post:
    """A real SMTP server that keeps what it takes; ``refuse`` says what it answers instead."""

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


class Answering(Controller):
    """Takes mails at a socket that is bound already, so that nobody else gets its port meanwhile."""

    def __init__(self, post: Post, at: socket.socket) -> None:
        self._at = at
        super().__init__(post, hostname=HOST, port=at.getsockname()[1], ready_timeout=PATIENCE)

    def _create_server(self) -> Any:
        return self.loop.create_server(self._factory_invoker, sock=self._at)


@pytest.fixture
def post() -> Iterator[Post]:
    post = Post()
    with socket.create_server((HOST, 0)) as bound:
        controller = Answering(post, bound)
        post.url = f"smtp://{HOST}:{controller.port}"
        controller.start()
        yield post
        controller.stop()


@pytest.fixture
def smtp(post: Post) -> Callable[[], Mailbox]:
    return lambda: SmtpMailbox(post.url, "epic@example.com", timeout=PATIENCE)
