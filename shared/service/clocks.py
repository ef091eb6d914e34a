"""Owns the one clock of a process, moved on to the latest instant that any of its stores holds."""

from __future__ import annotations

from datetime import datetime, timedelta

from shared.clock import Clock, RunningClock

__all__ = ["ProcessClock", "not_before"]


class ProcessClock:
    """Runs from ``start`` (``EPIC_NOW``) on, and is pushed forward, never back, by what the stores already hold."""

    def __init__(self, start: str | None = None) -> None:
        self._running = RunningClock(start)
        self._ahead = timedelta()

    def now(self) -> datetime:
        return self._running.now() + self._ahead

    @property
    def moved_on(self) -> bool:
        """Whether what a store held was later than what it ran from."""
        return self._ahead > timedelta()

    def push(self, instant: datetime) -> None:
        """Sees to it that no time before ``instant`` is told any more."""
        behind = instant - self.now()
        if behind > timedelta():
            self._ahead += behind


def not_before(clock: Clock, instant: datetime | None) -> None:
    """Pushes a process's clock to a store's last instant; a test's clock stays where the test put it."""
    if instant is not None and isinstance(clock, ProcessClock):
        clock.push(instant)
