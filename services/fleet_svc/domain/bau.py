"""BAUTPM: the traffic of a fleet outside events, as the 95th percentile of its minutes in four weeks (4.531).

The nearest rank: of 100 minutes the 95th in ascending order. It is worked out from the highest minutes of each day,
which lie with the day's version; only where these do not decide is a day read in full.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final

from shared.schemas.event_svc.event import Event

WINDOW_DAYS: Final = 28
"""The days that count end with today, as far as today is known."""
FEWEST_MINUTES: Final = 1440
"""A day's worth: fewer minutes say nothing (4.531b)."""
_PERCENTILE: Final = 95


@dataclass(frozen=True, slots=True)
class DayTraffic:
    """The number of a day's minutes, and the highest of them, or all, in ascending order."""

    minutes: int
    highest: Sequence[int]

    @property
    def is_whole(self) -> bool:
        return len(self.highest) == self.minutes


@dataclass(frozen=True, slots=True)
class BAUTraffic:
    """What the days come to. ``bau_tpm`` is None for too few minutes. ``read_whole``: these days decide it, once they
    are whole; until then it is no more than a lower bound."""

    bau_tpm: int | None
    minutes: int
    read_whole: frozenset[date] = frozenset()


def window_of(today: date) -> list[date]:
    """The days that count, newest first."""
    return [today - timedelta(days=ago) for ago in range(WINDOW_DAYS)]


def bau_traffic(days: Mapping[date, DayTraffic]) -> BAUTraffic:
    """The BAUTPM of these days. Where some are to be read whole, a second call with those whole decides it."""
    minutes = sum(day.minutes for day in days.values())
    if minutes < FEWEST_MINUTES:
        return BAUTraffic(None, minutes)
    from_above = minutes - -(-_PERCENTILE * minutes // 100) + 1
    highest = sorted(value for day in days.values() for value in day.highest)
    least = highest[-from_above] if from_above <= len(highest) else -1
    # What a day does not show is no higher than the lowest that it shows.
    unsure = (name for name, day in days.items() if not day.is_whole and day.highest[0] > least)
    return BAUTraffic(least, minutes, frozenset(unsure))


def days_of_event(event: Event) -> dict[str, Any]:
    """What is kept of an Event, by which its days are known from ordinary ones."""
    by_region = event.spco_event_dates_by_region or {}
    game_days = {region: [day.isoformat() for day in dates.game_day_dates or ()] for region, dates in by_region.items()}
    return {
        "RegionList": event.region_list,
        "PeakStartDate": event.peak_start_date.isoformat(),
        "PeakEndDate": event.peak_end_date.isoformat(),
        "GameDays": {region: days for region, days in game_days.items() if days},
    }


def ordinary_days(days: Iterable[date], events: Collection[Mapping[str, Any]], region: str) -> list[date]:
    """Those of the days that are no peak or game day of the region (4.531a), by what is kept of each Event."""
    of_region = [
        (event["PeakStartDate"], event["PeakEndDate"]) for event in events if region in event.get("RegionList", ())
    ]
    game_days = {day for event in events for day in event.get("GameDays", {}).get(region, ())}

    def is_ordinary(day: str) -> bool:
        return day not in game_days and not any(first <= day <= last for first, last in of_region)

    return [day for day in days if is_ordinary(day.isoformat())]
