"""Owns the time EPIC lives in: the machine's, or one that was set to start at another instant."""

from __future__ import annotations

import time
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Protocol

__all__ = ["Clock", "FixedClock", "RunningClock", "day_start", "iso", "parse_instant"]


class Clock(Protocol):
    """Tells the instant everything in EPIC is dated by. Leases, back-off and tokens use real time instead."""

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


@lru_cache(1024)  # what is made at once carries one instant many times
def iso(moment: datetime) -> str:
    """The wire form of an instant: UTC with milliseconds and ``Z``."""
    # A quarter of what strftime costs; most instants are in UTC already, and to ask for it costs as much again.
    utc = moment if moment.tzinfo is UTC else moment.astimezone(UTC)
    return utc.isoformat("T", "milliseconds")[:-6] + "Z"


def day_start(day: date) -> datetime:
    """00:00 UTC of a day."""
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


class RunningClock:
    """Runs on from the instant it was started at; never goes back.

    ``start`` is ``EPIC_NOW``: an instant, or ``instant@real-time``, which gives several processes one offset.
    ``not_before`` is the last instant a store holds: the clock starts at the later of the two.
    """

    def __init__(self, start: str | None = None, *, not_before: datetime | None = None) -> None:
        real = time.time()
        offset = 0.0
        if start:
            instant, _, at = start.partition("@")
            anchor = parse_instant(at).timestamp() if at else real
            offset = parse_instant(instant).timestamp() - anchor
        if not_before is not None:
            offset = max(offset, not_before.timestamp() - real)
        self._base = real + offset
        self._monotonic = time.monotonic()

    def now(self) -> datetime:
        seconds = self._base + (time.monotonic() - self._monotonic)
        return datetime.fromtimestamp(int(seconds * 1000) / 1000, UTC)


class FixedClock:
    """A clock for tests: stands still until it is moved."""

    def __init__(self, start: str | datetime) -> None:
        self._now = parse_instant(start) if isinstance(start, str) else start

    def now(self) -> datetime:
        return self._now

    def advance(self, by: timedelta) -> None:
        self._now += by

    def set(self, moment: str | datetime) -> None:
        self._now = parse_instant(moment) if isinstance(moment, str) else moment
