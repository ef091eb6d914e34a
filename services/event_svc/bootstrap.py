"""Assembles event_svc."""

from __future__ import annotations

from services.event_svc.resources import RESOURCES
from shared.clock import Clock
from shared.messaging.commands import CommandSubscription
from shared.messaging.transport import Transport
from shared.resources import Declared
from shared.service import DocumentKit, RunningService
from shared.settings import Settings


async def build(settings: Settings, transport: Transport, clock: Clock) -> RunningService:
    """event_svc, not started."""
    kit = DocumentKit("event_svc", settings, transport, clock)
    declared = Declared(RESOURCES, kit.store, clock)
    return kit.service(
        declared=declared,
        subscriptions=[CommandSubscription("event.commands", declared.commands())],
        description="The peak events: their regions, dates and offsets.",
    )
