"""Owns what an Event is here: its declaration, and the dates and offsets that hold until somebody gives others."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any, Final

from shared.resources import Resource, State
from shared.schemas.event_svc import Event, EventSnapshot

__all__ = ["EVENT", "defaults"]

EMERGENT_BEFORE_PEAK: Final = timedelta(days=7)


def defaults(state: State) -> dict[str, Any]:
    """What an event's reads show for what nobody gave, computed anew from the dates as they are.

    Orders placed from a week before the peak on are emergent; an override runs from a day before to a day after.
    """
    emergent = date.fromisoformat(state["PeakStartDate"]) - EMERGENT_BEFORE_PEAK
    return {"IsActive": True, "EmergentScaleStartDate": emergent.isoformat(), "StartOffset": 1, "EndOffset": 1}


EVENT: Final = Resource(
    name="Event",
    path="/event",
    topic="event",
    model=Event,
    snapshot=EventSnapshot,
    key=("EventId",),
    filters={"EventType": "EventType"},
    defaults=defaults,
)
