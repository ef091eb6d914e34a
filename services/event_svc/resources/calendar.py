"""Calendar entries: what people note around an Event. An Event's own dates are not stored: they are worked out."""

from __future__ import annotations

from hashlib import blake2b
from typing import Final

from shared.resources import Resource
from shared.schemas.event_svc.calendar import CALENDAR
from shared.schemas.event_svc.event import EVENT


def _calendar_id(cause: str) -> str:
    return f"CAL-{blake2b(cause.encode(), digest_size=8).hexdigest().upper()}"


CALENDARS: Final = Resource(
    contract=CALENDAR,
    path="/calendar",
    filters=("EventId", "Kind"),
    references=(EVENT,),
    assign_key=_calendar_id,
)
