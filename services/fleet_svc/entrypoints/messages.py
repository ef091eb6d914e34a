"""The messages that fleet_svc consumes beside its commands: the facts about orders."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from shared.cause import Cause
from shared.clock import Clock
from shared.messaging.subscription import Handler, Received, Subscription
from shared.schemas.hotw_svc import HardwareFact

_ORDER_FACTS: Final = ("hotw.order.placed", "hotw.order.reviewed", "hotw.order.expired", "hotw.fulfillment.updated")


def host_orders(
    on_orders_changed: Callable[[Sequence[tuple[HardwareFact, Cause]]], Awaitable[None]], clock: Clock
) -> Subscription:
    """Keeps HostOrderStatuses; a batch is written fleet by fleet."""

    async def handle(batch: Sequence[Received[HardwareFact]]) -> None:
        await on_orders_changed([(received.data, received.cause(clock)) for received in batch])

    return Subscription("fleet_svc.host-orders", Handler(HardwareFact, _ORDER_FACTS, bulk=handle))
