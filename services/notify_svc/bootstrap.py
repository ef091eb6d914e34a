"""Assembles notify_svc: binds its use cases to the stores."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final

from services.notify_svc.adapters.mailbox import mailbox_of
from services.notify_svc.adapters.templates import Templates
from services.notify_svc.app.mail_escalation import mail_escalation
from services.notify_svc.app.mail_gaps import mail_gaps
from services.notify_svc.app.mail_late_orders import mail_late_orders
from services.notify_svc.app.mail_tpm import mail_tpm
from services.notify_svc.app.open_order_tickets import assign_tickets, open_order_tickets
from services.notify_svc.app.request_mails import request_mails
from services.notify_svc.app.send_mails import MailSender
from services.notify_svc.app.summarize_orders import OrderSummaries
from services.notify_svc.app.warn_of_open_orders import warn_of_open_orders
from services.notify_svc.entrypoints.messages import subscriptions
from services.notify_svc.resources import RESOURCES
from shared.clock import Clock
from shared.jobs import Worker
from shared.messaging.transport import Transport
from shared.resources import Declared
from shared.service import DocumentKit, RunningService
from shared.settings import Settings

_POLL_SECONDS: Final = 5.0  # a deferred mail is tried at most so much later than its backoff says


async def build(
    settings: Settings,
    transport: Transport,
    clock: Clock,
    *,
    real_now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> RunningService:
    """notify_svc, not started. ``real_now`` is the time that backoff and the waiting of mails go by."""
    kit = DocumentKit("notify_svc", settings, transport, clock)
    store, templates = kit.store, Templates()
    services, events = store.read_model("service"), store.read_model("event")
    declared = Declared(RESOURCES, store, clock)
    notifications, tickets = declared["Notification"].documents, declared["Ticket"].documents
    sender = MailSender(
        notifications=notifications,
        services=services,
        leases=store.leases(),
        mailbox=mailbox_of(settings),
        render=templates.mail,
        clock=clock,
        real_now=real_now,
        mail_domain=settings.mail_domain,
    )
    worker = Worker("send mails", sender.send_due, poll=_POLL_SECONDS)
    request = partial(request_mails, notifications=notifications, wake=worker.wake)
    summaries = OrderSummaries(store.read_model("run"), store.read_model("run_service"), events, request)
    declared["Ticket"].after("escalate", partial(mail_escalation, request_mails=request))
    return kit.service(
        declared=declared,
        subscriptions=subscriptions(
            services=services,
            events=events,
            gather_orders=summaries.gather_orders,
            summarize_runs=summaries.summarize_runs,
            open_order_tickets=partial(
                open_order_tickets,
                tickets=tickets,
                services=services,
                events=events,
                describe=templates.ticket_description,
                request_mails=request,
            ),
            assign_tickets=partial(assign_tickets, tickets=tickets, services=services),
            warn_of_open_orders=partial(
                warn_of_open_orders, notifications=notifications, events=events, real_now=real_now
            ),
            mail_gaps=partial(mail_gaps, notifications=notifications, events=events, real_now=real_now),
            mail_late_orders=partial(mail_late_orders, notifications=notifications, events=events, real_now=real_now),
            mail_tpm=partial(
                mail_tpm,
                notifications=notifications,
                events=events,
                real_now=real_now,
                gathering=timedelta(seconds=settings.tpm_mail_seconds),
            ),
            commands=declared.commands(),
            clock=clock,
        ),
        parts=[worker],
        description="Mails and tickets: who was informed of what, and when.",
    )
