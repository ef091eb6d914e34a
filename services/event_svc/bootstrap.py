"""Owns how event_svc is put together."""

from __future__ import annotations

from services.event_svc.events import EVENT
from shared.clock import Clock
from shared.messaging.commands import CommandSubscription
from shared.messaging.transport import Transport
from shared.resources import Resources, resource_commands, resource_routes
from shared.schemas.event_svc.event import EVENT as CONTRACT
from shared.service import DocumentKit, RunningService
from shared.settings import Settings

__all__ = ["build"]


async def build(settings: Settings, transport: Transport, clock: Clock) -> RunningService:
    """event_svc, not started."""
    kit = DocumentKit("event_svc", settings, transport, clock)
    events = Resources(EVENT, kit.documents(EVENT))
    return kit.service(
        routes=[resource_routes(events, clock, also_latest=["/event/latest/{EventId}"])],
        subscriptions=[
            CommandSubscription(
                "event.commands", resource_commands(events, (CONTRACT.create, CONTRACT.update, CONTRACT.delete))
            )
        ],
        description="The peak events: their regions, dates and offsets.",
    )
