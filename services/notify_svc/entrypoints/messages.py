"""The messages that notify_svc consumes, and the use case of each."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import Any, TypeVar

from shared.cause import Cause
from shared.clock import Clock
from shared.documents import ReadModel
from shared.messaging.commands import Command, CommandSubscription
from shared.messaging.subscription import Handler, Received, Subscribed, Subscription
from shared.schemas.base import WireModel
from shared.schemas.event_svc.event import EventSnapshot
from shared.schemas.eventplan_svc import TPMRequested
from shared.schemas.fleet_svc.service import ServiceSnapshot
from shared.schemas.hotw_svc import HardwareFact, RunFact

F = TypeVar("F", bound=WireModel)
Orders = Callable[[Sequence[tuple[HardwareFact, Cause]]], Awaitable[None]]
Runs = Callable[[Sequence[tuple[RunFact, Cause]]], Awaitable[None]]


def _with_its_people(service: ServiceSnapshot) -> dict[str, Any]:
    """What is kept of a service. A deleted one stays readable: mails about what it leaves open go to its people."""
    return {name: value for name, value in service.wire().items() if name != "Deleted"}


def subscriptions(
    *,
    services: ReadModel,
    events: ReadModel,
    gather_orders: Orders,
    summarize_runs: Runs,
    open_order_tickets: Orders,
    assign_tickets: Callable[[Collection[str], Cause], Awaitable[None]],
    warn_of_open_orders: Orders,
    mail_gaps: Orders,
    mail_late_orders: Orders,
    mail_tpm: Callable[[Sequence[tuple[TPMRequested, Cause]]], Awaitable[None]],
    commands: Sequence[Command[Any]],
    clock: Clock,
) -> list[Subscribed]:
    """All subscriptions of notify_svc."""

    def facts(batch: Sequence[Received[F]]) -> list[tuple[F, Cause]]:
        return [(received.data, received.cause(clock)) for received in batch]

    async def on_service_changed(batch: Sequence[Received[ServiceSnapshot]]) -> None:
        await services.put([(one.data.service_id, one.data.version_id, _with_its_people(one.data)) for one in batch])
        await assign_tickets({one.data.service_id for one in batch}, batch[-1].cause(clock))

    async def on_event_changed(batch: Sequence[Received[EventSnapshot]]) -> None:
        await events.put([(one.data.event_id, one.data.version_id, one.data.wire()) for one in batch])

    async def on_order_placed(batch: Sequence[Received[HardwareFact]]) -> None:
        await gather_orders(facts(batch))
        await open_order_tickets(facts(batch))
        await mail_late_orders(facts(batch))

    async def on_order_reviewed(batch: Sequence[Received[HardwareFact]]) -> None:
        await warn_of_open_orders(facts(batch))
        await mail_late_orders(facts(batch))

    async def on_gap_opened(batch: Sequence[Received[HardwareFact]]) -> None:
        await mail_gaps(facts(batch))

    async def on_tpm_requested(batch: Sequence[Received[TPMRequested]]) -> None:
        await mail_tpm(facts(batch))

    async def on_run_completed(batch: Sequence[Received[RunFact]]) -> None:
        await summarize_runs(facts(batch))

    service_topics = ("service.created", "service.updated", "service.deleted")
    event_topics = ("event.created", "event.updated", "event.deleted")
    return [
        Subscription("notify_svc.services", Handler(ServiceSnapshot, service_topics, bulk=on_service_changed)),
        Subscription("notify_svc.events", Handler(EventSnapshot, event_topics, bulk=on_event_changed)),
        Subscription("notify_svc.orders", Handler(HardwareFact, ("hotw.order.placed",), bulk=on_order_placed)),
        Subscription("notify_svc.reviews", Handler(HardwareFact, ("hotw.order.reviewed",), bulk=on_order_reviewed)),
        Subscription("notify_svc.gaps", Handler(HardwareFact, ("hotw.gap.opened",), bulk=on_gap_opened)),
        Subscription("notify_svc.runs", Handler(RunFact, ("hotw.run.completed",), bulk=on_run_completed)),
        Subscription("notify_svc.tpm", Handler(TPMRequested, ("eventplan.tpm.requested",), bulk=on_tpm_requested)),
        CommandSubscription("notify.commands", commands),
    ]
