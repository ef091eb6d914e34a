"""Use case: make what is missing, whatever went wrong: plans that are due, and plans that are not refreshed."""

from __future__ import annotations

import asyncio
import time
from bisect import bisect_right
from collections.abc import AsyncGenerator, Callable
from typing import Final

import structlog

from services.eventplan_svc.app.planner import Planner
from services.eventplan_svc.app.read_models import chunks
from services.eventplan_svc.app.readiness_view import ReadinessView
from shared.durability.lease import Leases
from shared.errors import Unavailable
from shared.jobs import Chunk, Jobs, Progress
from shared.trace import Trace

log = structlog.get_logger(__name__)

LOOK_EVERY: Final = 60.0  # seconds between two calls
_EVERY: Final = 570.0  # ten minutes, a call being made each minute
_APART: Final = 30.0  # replicas that start within half a minute need one reconciliation, not one each
_LEASE: Final = 120.0  # the plans of all events are looked for in some seconds
_FEW: Final = 200  # plans refreshed at once, so that other work is not delayed by more than some tenths of a second
_LONGEST_REST: Final = 2.0  # an hour for 20,000 plans, even where the store is very slow
_NAME: Final = "reconcile"


class Reconcile:
    """To be called every minute, by each replica: due when none has begun it for ten, or since this process started."""

    def __init__(
        self, leases: Leases, *, planner: Planner, view: ReadinessView, real_time: Callable[[], float] = time.time
    ) -> None:
        self._jobs = Jobs(leases, lease=_LEASE, now=real_time)
        self._planner = planner
        self._view = view
        self._real_time = real_time
        self._started = real_time()

    async def __call__(self) -> bool:
        """Whether this replica did it."""
        await self._view.complete.wait()
        return await self._jobs.run(_NAME, self._work, due=self._is_due) is not None

    def _is_due(self, last: Progress | None) -> bool:
        now = self._real_time()
        return last is None or last.begun_at < min(max(self._started, now - _EVERY), now - _APART)

    async def _work(self, cursor: str | None) -> AsyncGenerator[Chunk, None]:
        """First the plans that are due, then from behind ``cursor``, an EventPlanId, those that are not refreshed."""
        trace = Trace.begin()
        if cursor is None:
            made = await self._make_due_plans(trace)
            yield Chunk(made, cursor="")
        ids = self._view.plan_ids()
        for few in chunks(ids[bisect_right(ids, cursor or "") :], _FEW):
            began = self._real_time()
            await self._planner.refresh(dict.fromkeys(few, trace))
            yield Chunk(len(few), cursor=few[-1], total=len(ids))
            await asyncio.sleep(min(self._real_time() - began, _LONGEST_REST))  # leaves half of the time to others

    async def _make_due_plans(self, trace: Trace) -> int:
        made = 0
        since = await self._planner.read_models.generation()
        for event in await self._planner.read_models.all_events():
            try:
                made += await self._planner.plan_event(event, trace, since=since)
            except Unavailable:
                raise
            except Exception:  # an event's fault costs its own plans alone
                log.exception("the plans of an event could not be made", event_id=event.event_id)
        if made:
            log.warning("plans were missing and have been made", plans=made)
        return made
