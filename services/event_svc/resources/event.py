"""Events: their dates and offsets hold until somebody gives others. A new one may be made from a profile."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from services.event_svc.domain.profiles import completed
from shared.resources import Resource, Source
from shared.schemas.base import FIRST_DAY
from shared.schemas.event_svc.event import EMERGENT_DAYS_BEFORE_PEAK, EVENT, OVERRIDE_OFFSET, Event
from shared.schemas.event_svc.event_profile import EVENT_PROFILE


def _defaults(event: Event) -> dict[str, Any]:
    """What nobody gave, worked out at each read (4.421). The emergent start follows the peak (4.464)."""
    days = event.emergent_days_before_peak
    before = timedelta(days=EMERGENT_DAYS_BEFORE_PEAK if days is None else days)
    return {
        "IsActive": True,
        "EmergentScaleStartDate": max(event.peak_start_date - before, FIRST_DAY).isoformat(),
        "StartOffset": OVERRIDE_OFFSET,
        "EndOffset": OVERRIDE_OFFSET,
    }


EVENTS: Final = Resource(
    contract=EVENT,
    path="/event",
    filters=("EventType",),
    sort=("EventName", "PeakStartDate"),
    references=(EVENT_PROFILE,),
    sources=(Source(attribute="event_profile_id", contract=EVENT_PROFILE, complete=completed),),
    computed=_defaults,
    also_latest=("/event/latest/{EventId}",),
)
