"""Use case: keep the trend of every event, a row for each day that is over (6.6.26, 6.6.27).

A row is made of the plans' versions at the day's end. So it does not matter when it is made, by which process, or how
often: a day on which the service did not run is made when it runs again.
"""

from __future__ import annotations

from collections import Counter
from datetime import date, datetime, timedelta
from typing import Final

import structlog

from services.eventplan_svc.app.past_plans import PastPlans
from services.eventplan_svc.app.read_models import ReadModels
from services.eventplan_svc.app.trend_rows import TrendRows
from services.eventplan_svc.domain.inputs import Event
from services.eventplan_svc.domain.milestones import utc_day
from services.eventplan_svc.domain.readiness import coloured
from services.eventplan_svc.domain.trend import end_of, kept_days, last_ended
from shared.clock import Clock, parse_instant
from shared.durability.lease import LeaseLost, Leases
from shared.schemas.eventplan_svc import PeakReadyStatus
from shared.trace import new_id

log = structlog.get_logger(__name__)

_SETTLED: Final = timedelta(minutes=1)
"""So long after its end a day is made: a write that began before midnight is stored by then."""
_LEASE: Final = 120.0  # seconds; one day of an event with some ten thousand plans takes a few
_NAME: Final = "trend"


class KeepTrend:
    """To be called every minute or so, by each process: once the last day is made, it costs nothing until the next."""

    def __init__(
        self, rows: TrendRows, leases: Leases, *, past_plans: PastPlans, read_models: ReadModels, clock: Clock
    ) -> None:
        self._rows = rows
        self._leases = leases
        self._past_plans = past_plans
        self._read_models = read_models
        self._clock = clock
        self._kept: date | None = None

    async def __call__(self) -> None:
        last = last_ended(self._clock.now() - _SETTLED)
        if self._kept == last or not self._past_plans.are_known:
            return
        lease = await self._leases.claim(_NAME, new_id(), _LEASE)
        if lease is None:  # another process makes them
            return
        try:
            for event in await self._read_models.all_events():
                for day in await self._missing(event, last):
                    await self._rows.put(event.event_id, day, await self._colours(event.event_id, end_of(day)))
                    await self._leases.renew(lease, _LEASE)
            self._kept = last
        except LeaseLost:
            log.info("the trend is left to another process")
        finally:
            await self._leases.release(lease)

    async def _missing(self, event: Event, last: date) -> list[date]:
        """The days that are over and not kept. A deleted event has no trend: nobody can ask for it."""
        since = None if event.deleted else await self._read_models.events.known_since(event.event_id)
        if since is None:
            return []
        days = kept_days(parse_instant(since).date(), date.fromisoformat(event.peak_end), last)
        kept = await self._rows.get_many(event.event_id, days)
        return [day for day in days if day not in kept]

    async def _colours(self, event_id: str, at: datetime) -> Counter[PeakReadyStatus]:
        counted: Counter[PeakReadyStatus] = Counter()
        async for plans in self._past_plans.at(event_id, at):
            counted.update(coloured(plan, utc_day(at)).colour for plan in plans if plan.closed is None)
        return counted
