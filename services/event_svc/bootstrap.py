"""Assembles event_svc."""

from __future__ import annotations

from services.event_svc.app.read_calendar import CalendarView
from services.event_svc.entrypoints.http import calendar_routes
from services.event_svc.resources import RESOURCES
from shared.clock import Clock
from shared.documents import Store
from shared.messaging.commands import CommandSubscription
from shared.messaging.transport import Transport
from shared.resources import Declared
from shared.service import DocumentKit, RunningService
from shared.settings import Settings


async def build(settings: Settings, transport: Transport, clock: Clock) -> RunningService:
    """event_svc, not started."""
    kit = DocumentKit("event_svc", settings, transport, clock)
    declared = declared_on(kit.store, clock)
    return kit.service(
        declared=declared,
        routes=[calendar_routes(CalendarView(entries=declared["Calendar"], events=declared["Event"]), clock)],
        subscriptions=[CommandSubscription("event.commands", declared.commands())],
        description="The peak events with their regions, dates and offsets; their profiles, and the calendar.",
    )


def declared_on(store: Store, clock: Clock) -> Declared:
    """The declared resources, on a store that is not started yet."""
    return Declared(RESOURCES, store, clock)
