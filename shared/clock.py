"""The clock that EPIC dates everything by, and the wire form of instants."""

from __future__ import annotations

import time
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Protocol


class Clock(Protocol):
    """The time that documents and messages carry. Leases and backoff use the machine's time instead."""

    def now(self) -> datetime: ...


def parse_instant(text: str) -> datetime:
    """An ISO 8601 time with a zone, in UTC to the millisecond. ValueError without a zone."""
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is not None:
            moment = moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError(f"{text!r} is no time; give one such as 2024-06-15T09:00:00Z") from None
    if moment.tzinfo is None:
        raise ValueError(f"{text!r} has no time zone; add Z, as in 2024-06-15T09:00:00Z")
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


@lru_cache(1024)  # documents made together carry the same instant
def iso(moment: datetime) -> str:
    """The wire form of an instant: UTC with milliseconds and ``Z``."""
    # This costs a quarter of strftime. Most instants are in UTC already, and a conversion would double the cost.
    utc = moment if moment.tzinfo is UTC else moment.astimezone(UTC)
    return utc.isoformat("T", "milliseconds")[:-6] + "Z"


def day_start(day: date) -> datetime:
    """00:00 UTC of a day."""
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def day_end(day: date) -> datetime:
    """24:00 UTC of a day."""
    return day_start(day) + timedelta(days=1)


class RunningClock:
    """The clock of a process: it runs on from ``start`` and never goes back.

    ``start`` is ``EPIC_NOW``: an instant, or ``instant@real-time``, which gives several processes one offset. Without
    it the clock shows the machine's time. Each store pushes it past the last instant that it holds.
    """

    def __init__(self, start: str | None = None) -> None:
        real = time.time()
        offset = 0.0
        if start:
            instant, _, at = start.partition("@")
            anchor = parse_instant(at).timestamp() if at else real
            offset = parse_instant(instant).timestamp() - anchor
        self._base = real + offset
        self._monotonic = time.monotonic()
        self._ahead = timedelta()

    def now(self) -> datetime:
        seconds = self._base + (time.monotonic() - self._monotonic)
        return datetime.fromtimestamp(int(seconds * 1000) / 1000, UTC) + self._ahead

    @property
    def pushed(self) -> bool:
        """Whether a store held a later instant than the clock showed."""
        return self._ahead > timedelta()

    def push(self, instant: datetime) -> None:
        """From now on the clock shows ``instant`` or later."""
        behind = instant - self.now()
        if behind > timedelta():
            self._ahead += behind
