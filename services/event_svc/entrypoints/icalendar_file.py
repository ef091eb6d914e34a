"""Writes entries of the calendar as iCalendar (RFC 5545)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date, datetime, timedelta
from typing import Any, Final

from shared.schemas.event_svc.calendar import CalendarRead

MEDIA_TYPE: Final = "text/calendar"
_NO_TEXT: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
"""The control characters that no text of iCalendar can hold (RFC 5545, 3.1)."""
_REFRESH: Final = timedelta(hours=1)


def to_icalendar(entries: Iterable[CalendarRead]) -> bytes:
    """One VCALENDAR with a VEVENT for each entry; the same bytes while no entry changes.

    ``UID`` is the entry's id, so that it stays through every change; ``SEQUENCE`` and ``DTSTAMP`` are those of its
    version. Days are dates whose end is exclusive, times are in UTC. The entries of an Event that is not active are
    cancelled.
    """
    from icalendar import Calendar, Event  # a tenth of a second that a start without a subscriber does not pay

    calendar = Calendar()
    for name, value in (("prodid", "-//EPIC//event_svc//EN"), ("version", "2.0"), ("calscale", "GREGORIAN")):
        calendar.add(name, value)
    calendar.add("name", "EPIC")
    calendar.add("x-wr-calname", "EPIC")
    calendar.add("refresh-interval", _REFRESH, parameters={"VALUE": "DURATION"})
    for entry in entries:
        event = Event()
        for name, value in _properties(entry):
            event.add(name, value)
        calendar.add_component(event)
    file: bytes = calendar.to_ical()
    return file


def _properties(entry: CalendarRead) -> Iterable[tuple[str, Any]]:
    """What a VEVENT says of an entry."""
    changed = entry.audit_metadata.timestamp
    yield "uid", f"{entry.calendar_id}@epic"
    yield "sequence", entry.version_id - 1
    if changed is not None:
        yield "dtstamp", _whole_second(changed)
        yield "last-modified", _whole_second(changed)
    yield "summary", _text(entry.title)
    start, end = _whole_second(entry.start), _end(entry.end)
    yield "dtstart", start
    if end > start:  # one of no length has a start alone
        yield "dtend", end
    if entry.description is not None:
        yield "description", _text(entry.description)
    if entry.region is not None:
        yield "location", _text(entry.region)
    yield "categories", [entry.kind.value]
    if entry.cancelled:
        yield "status", "CANCELLED"
    yield "transp", "TRANSPARENT"  # it keeps nobody busy


def _whole_second(moment: date) -> date:
    return moment.replace(microsecond=0) if isinstance(moment, datetime) else moment


def _end(end: date) -> date:
    """The end as iCalendar has it: of days it is the day after the last one (RFC 5545, 3.6.1)."""
    return _whole_second(end) if isinstance(end, datetime) else end + timedelta(days=1)


def _text(value: str) -> str:
    return _NO_TEXT.sub(" ", value.replace("\r\n", "\n").replace("\r", "\n"))
