"""The messages that fleet_svc consumes beside its commands: the facts about orders, and the Events."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from shared.cause import Cause
from shared.clock import Clock
from shared.messaging.subscription import Handler, Received, Subscription
from shared.schemas.event_svc.event import EventSnapshot
from shared.schemas.hotw_svc import HardwareFact

_ORDER_FACTS: Final = ("hotw.order.placed", "hotw.order.reviewed", "hotw.order.expired", "hotw.fulfillment.updated")
_EVENTS: Final = ("event.created", "event.updated", "event.deleted")


def subscriptions(
    *,
    on_orders_changed: Callable[[Sequence[tuple[HardwareFact, Cause]]], Awaitable[None]],
    on_events_changed: Callable[[Sequence[EventSnapshot]], Awaitable[None]],
    clock: Clock,
) -> list[Subscription]:
    """Both take batches: the facts about orders are written fleet by fleet."""

    async def orders(batch: Sequence[Received[HardwareFact]]) -> None:
        await on_orders_changed([(received.data, received.cause(clock)) for received in batch])

    async def events(batch: Sequence[Received[EventSnapshot]]) -> None:
        await on_events_changed([received.data for received in batch])

    return [
        Subscription("fleet_svc.host-orders", Handler(HardwareFact, _ORDER_FACTS, bulk=orders)),
        Subscription("fleet_svc.events", Handler(EventSnapshot, _EVENTS, bulk=events)),
    ]
