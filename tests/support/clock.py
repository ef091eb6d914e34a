"""A clock that stands still."""

from __future__ import annotations

from datetime import datetime, timedelta

from shared.clock import parse_instant


class FixedClock:
    """Shows the same instant until a test moves it."""

    def __init__(self, start: str | datetime) -> None:
        self._now = parse_instant(start) if isinstance(start, str) else start

    def now(self) -> datetime:
        return self._now

    def advance(self, by: timedelta) -> None:
        self._now += by

    def set(self, moment: str | datetime) -> None:
        self._now = parse_instant(moment) if isinstance(moment, str) else moment
