"""How far a run is, how fast it goes, and how long it will still take (7.13.6)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from math import ceil

RECENT = timedelta(minutes=1)
"""What the pace of a running run is measured over: many chunks of fleets, and soon past an outage."""


@dataclass(frozen=True, slots=True)
class Tally:
    """What became of a run's fleets: executions by status, hosts ordered, and executions of the last minute."""

    by_status: Mapping[str, int] = field(default_factory=dict)
    ordered_hosts: int = 0
    recent: int = 0

    @property
    def executions(self) -> int:
        """Fleets that have their execution."""
        return sum(self.by_status.values())


NOTHING_DONE = Tally()


@dataclass(frozen=True, slots=True)
class Pace:
    """The share of the fleets that is done, rounded down; fleets per second; the seconds left at that pace.

    None where nothing can be said: before the first moment has passed, or while no fleet gets done.
    """

    share: float
    fleets_per_second: float | None
    remaining_seconds: int | None


def pace(tally: Tally, *, fleets: int, begun: datetime, ended: datetime | None, now: datetime) -> Pace:
    """The pace of a run of so many fleets. Nothing is left of one that has ended, whatever it left undone."""
    share = tally.executions * 10_000 // fleets / 10_000 if fleets else 1.0
    if ended is not None:
        return Pace(share, _per_second(tally.executions, ended - begun), 0)
    rate = _per_second(tally.recent, min(now - begun, RECENT))
    left = fleets - tally.executions
    if not left:
        return Pace(share, rate, 0)
    return Pace(share, rate, ceil(left / rate) if rate else None)


def _per_second(count: int, time: timedelta) -> float | None:
    return round(count / time.total_seconds(), 2) if time > timedelta() else None
