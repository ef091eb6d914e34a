"""Events: their dates and offsets hold until somebody gives others."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from shared.resources import Resource
from shared.schemas.event_svc.event import EVENT, Event

_EMERGENT_BEFORE_PEAK: Final = timedelta(days=7)


def _defaults(event: Event) -> dict[str, Any]:
    """Orders placed from a week before the peak on are emergent; an override runs from a day before to a day after."""
    emergent = event.peak_start_date - _EMERGENT_BEFORE_PEAK
    return {"IsActive": True, "EmergentScaleStartDate": emergent.isoformat(), "StartOffset": 1, "EndOffset": 1}


EVENTS: Final = Resource(
    contract=EVENT,
    path="/event",
    filters=("EventType",),
    computed=_defaults,
    also_latest=("/event/latest/{EventId}",),
)
