"""The contracts of event_svc."""

from shared.schemas.event_svc.event import Event, EventSnapshot, SPCOEventDates

__all__ = ["Event", "EventSnapshot", "SPCOEventDates"]
