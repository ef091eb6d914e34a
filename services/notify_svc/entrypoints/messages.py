"""What notify_svc consumes, and what each message leads to."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar, cast

from services.notify_svc.app.gather_orders import GatherOrders
from services.notify_svc.app.open_tickets import OpenTickets
from services.notify_svc.app.warn_of_inactive_events import WarnOfInactiveEvents
from services.notify_svc.app.write_tickets import Tickets
from shared.cause import Cause
from shared.clock import Clock
from shared.documents.contract import ReadModel
from shared.messaging.subscription import (
    Answered,
    Command,
    CommandSubscription,
    Received,
    Subscribed,
    Subscription,
    bulk,
)
from shared.resources import answered, expected_version, resource_commands
from shared.schemas.base import WireModel
from shared.schemas.hotw_svc import HardwareFact, RunFact
from shared.schemas.notify_svc import CreateTicket, DeleteTicket, EscalateTicket, UpdateTicket

__all__ = ["subscriptions"]

F = TypeVar("F", bound=WireModel)
Batch = Sequence[Received]


def subscriptions(
    *, services: ReadModel, events: ReadModel, gather: GatherOrders, emergent: OpenTickets,
    inactive: WarnOfInactiveEvents, tickets: Tickets, clock: Clock,
) -> list[Subscribed]:  # fmt: skip
    """The handlers, as a list one can read."""

    def facts(batch: Batch, kind: type[F]) -> list[tuple[F, Cause]]:
        return [(cast("F", received.data), received.cause(clock)) for received in batch]

    keep_service, keep_event = _replicate(services, "ServiceId"), _replicate(events, "EventId")

    async def service_told(batch: Batch) -> None:
        await keep_service(batch)
        await emergent.heard_of({received.body["ServiceId"] for received in batch}, batch[-1].cause(clock))

    async def placed(batch: Batch) -> None:
        await gather.placed(facts(batch, HardwareFact))
        await emergent.placed(facts(batch, HardwareFact))

    async def reviewed(batch: Batch) -> None:
        await inactive.reviewed(facts(batch, HardwareFact))

    async def completed(batch: Batch) -> None:
        await gather.completed(facts(batch, RunFact))

    async def escalate(received: Received) -> Answered:
        command = cast("EscalateTicket", received.data)
        return answered(await tickets.escalate(command, received.cause(clock), expected_version(received)))

    commands = {
        **resource_commands(tickets, clock, (CreateTicket, UpdateTicket, DeleteTicket)),
        "EscalateTicket": Command(EscalateTicket, escalate),
    }
    return [
        Subscription("notify_svc.services", ("service.created", "service.updated", "service.deleted"),
                     bulk(service_told)),
        Subscription("notify_svc.events", ("event.created", "event.updated", "event.deleted"),
                     bulk(keep_event)),
        Subscription("notify_svc.orders", ("hotw.order.placed",), bulk(placed)),
        Subscription("notify_svc.reviews", ("hotw.order.reviewed",), bulk(reviewed)),
        Subscription("notify_svc.runs", ("hotw.run.completed",), bulk(completed)),
        CommandSubscription("notify.commands", commands),
    ]  # fmt: skip


def _replicate(replica: ReadModel, key: str) -> Callable[[Batch], Awaitable[None]]:
    async def replicate(batch: Batch) -> None:
        await replica.put([(received.body[key], received.body["VersionId"], received.body) for received in batch])

    return replicate
