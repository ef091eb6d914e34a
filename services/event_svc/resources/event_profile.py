"""Event profiles: templates of Events. An Event takes a profile's members once, at its creation."""

from __future__ import annotations

from typing import Any, Final

from services.event_svc.domain.profiles import completed
from shared.resources import Resource, Source
from shared.schemas.event_svc.event import EVENT, OVERRIDE_OFFSET
from shared.schemas.event_svc.event_profile import EVENT_PROFILE, EventProfile


def _defaults(_: EventProfile) -> dict[str, Any]:
    return {"StartOffset": OVERRIDE_OFFSET, "EndOffset": OVERRIDE_OFFSET}


EVENT_PROFILES: Final = Resource(
    contract=EVENT_PROFILE,
    path="/eventprofile",
    filters=("EventType",),
    sort=("Name",),
    sources=(Source(attribute="from_event_id", contract=EVENT, complete=completed),),
    computed=_defaults,
)
