"""The dates of an Event as entries of the calendar. They follow the Event: nobody stores or changes them (4.456)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Final

from shared.schemas.event_svc.calendar import CalendarKind, CalendarRead
from shared.schemas.event_svc.event import EventSnapshot
from shared.schemas.milestones import default_etas

_PART: Final = "#"


def event_of(calendar_id: str) -> str | None:
    """The Event that an entry is a date of; None for an entry of its own, whose id is an ``Id``."""
    event_id, part, _ = calendar_id.partition(_PART)
    return event_id if part else None


def entries_of(event: EventSnapshot) -> Iterator[CalendarRead]:
    """The order windows, game days, emergent start, peak and default ETAs of an Event as it is read.

    Their ids are ``{EventId}#{what}``, with the region and the day where there are several. They have the Event's
    version, and stay the same until it has another.
    """

    def entry(
        what: str, title: str, kind: CalendarKind, start: date, end: date, region: str | None = None
    ) -> CalendarRead:
        return CalendarRead(
            calendar_id=f"{event.event_id}{_PART}{what}",
            event_id=event.event_id,
            title=f"{event.event_id}: {title}",
            kind=kind,
            start=start,
            end=end,
            region=region,
            description=event.event_name,
            read_only=True,
            cancelled=True if event.is_active is False else None,
            version_id=event.version_id,
            audit_metadata=event.audit_metadata,
        )

    first, last = event.peak_start_date, event.peak_end_date
    yield entry("Peak", "peak", CalendarKind.PEAK, first, last)
    emergent = event.emergent_scale_start_date
    if emergent is not None:
        yield entry("Emergent", "orders are Emergent from here on", CalendarKind.ORDER_DEADLINE, emergent, emergent)
    for region, dates in (event.spco_event_dates_by_region or {}).items():
        opens, closes = dates.spco_start_date, dates.spco_end_date
        if opens or closes:
            title = "hardware can be ordered (SPCO)"
            begin, end = opens or closes or first, closes or opens or first
            yield entry(f"SPCO#{region}", title, CalendarKind.ORDER_DEADLINE, begin, end, region)
        for day in sorted(set(dates.game_day_dates or ())):
            yield entry(f"GameDay#{day}#{region}", "game day", CalendarKind.GAME_DAY, day, day, region)
    own_days = {one.event_milestone_id: one.days_before_peak for one in event.milestones or ()}
    for milestone, eta in default_etas(first, last, own_days).items():
        yield entry(milestone, f"{milestone} is due", CalendarKind.OTHER, eta, eta)
