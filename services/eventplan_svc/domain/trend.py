"""The days of a trend: which of them are kept of an event, and the instant that stands for a day (6.6.26, 6.6.27)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import Final

DAYS_AFTER_PEAK: Final = 30
"""For so long the trend goes on after the peak's last day: it then shows how the last plans were completed."""
MAX_DAYS: Final = 732
"""The most days of one trend, two years. An event that is planned longer ahead has the last ones."""

_DAY: Final = timedelta(days=1)
_TICK: Final = timedelta(milliseconds=1)


def end_of(day: date) -> datetime:
    """The last instant of a day: what is written then or before belongs to it."""
    return datetime.combine(day + _DAY, time(), UTC) - _TICK


def last_ended(now: datetime) -> date:
    """The last day that is over."""
    return now.astimezone(UTC).date() - _DAY


def days_of(first: date, last: date) -> Iterator[date]:
    """The days from the first to the last; none where that is the earlier."""
    for number in range((last - first).days + 1):
        yield first + number * _DAY


def kept_days(known_since: date, peak_end: date, last: date) -> list[date]:
    """The days that are kept of an event by the end of a day, the first being that on which it became known."""
    last = min(last, peak_end + DAYS_AFTER_PEAK * _DAY)
    return list(days_of(max(known_since, last - (MAX_DAYS - 1) * _DAY), last))
