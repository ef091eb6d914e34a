"""Owns how notify_svc is put together."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from services.notify_svc.adapters.mailbox import mailbox_of
from services.notify_svc.adapters.templates import Templates
from services.notify_svc.app.ask import Mails
from services.notify_svc.app.gather_orders import GatherOrders
from services.notify_svc.app.open_tickets import OpenTickets
from services.notify_svc.app.send import Sender
from services.notify_svc.app.warn_of_inactive_events import WarnOfInactiveEvents
from services.notify_svc.app.write_tickets import Tickets
from services.notify_svc.entrypoints.http import NOTIFICATION, TICKET, notification_routes, ticket_routes
from services.notify_svc.entrypoints.messages import subscriptions
from shared.clock import Clock
from shared.messaging.transport import Transport
from shared.resources import Resources
from shared.service import DocumentKit, RunningService
from shared.settings import Settings

__all__ = ["build"]

_LOOK_FOR_DUE_SECONDS = 5


async def build(
    settings: Settings, transport: Transport, clock: Clock, *,
    real_now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> RunningService:  # fmt: skip
    """notify_svc, not started. ``real_now``: what leases, back-off and a mail's waiting go by."""
    kit = DocumentKit("notify_svc", settings, transport, clock)
    services, events = kit.store.read_model("service"), kit.store.read_model("event")
    notifications = kit.documents(NOTIFICATION)
    templates = Templates()
    sender = Sender(
        notifications, services=services, mailbox=mailbox_of(settings), render=templates.mail, clock=clock,
        mail_domain=settings.mail_domain, real_now=real_now,
    )  # fmt: skip
    mails = Mails(notifications, sender.wake)
    tickets = Tickets(TICKET, kit.documents(TICKET), mails)
    gather = GatherOrders(
        runs=kit.store.read_model("run"), digests=kit.store.read_model("run_service"), events=events, mails=mails
    )
    emergent = OpenTickets(
        tickets=tickets.documents, services=services, events=events, mails=mails,
        describe=templates.emergent_description,
    )  # fmt: skip
    inactive = WarnOfInactiveEvents(notifications=notifications, events=events, real_now=real_now)

    async def look_for_due() -> None:
        sender.wake()

    return kit.service(
        routes=[
            *ticket_routes(tickets, clock),
            notification_routes(Resources(NOTIFICATION, notifications), clock),
        ],
        subscriptions=subscriptions(
            services=services,
            events=events,
            gather=gather,
            emergent=emergent,
            inactive=inactive,
            tickets=tickets,
            clock=clock,
        ),
        parts=[sender],
        periodic=[kit.every(_LOOK_FOR_DUE_SECONDS, "look for due mails", look_for_due)],
        description="Mails and tickets: who was told what, and when.",
    )
