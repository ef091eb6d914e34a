"""Use case: make what is missing, whatever went wrong: plans that are due, and plans that are not refreshed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Final

import structlog

from services.eventplan_svc.app.plan_event import plan_event
from services.eventplan_svc.app.plan_store import PlanStore
from services.eventplan_svc.app.read_models import ReadModels, chunks
from services.eventplan_svc.app.readiness_view import ReadinessView
from services.eventplan_svc.app.refresh_plans import refresh_plans
from shared.clock import Clock
from shared.documents.contract import ReadModel
from shared.errors import Unavailable
from shared.trace import Trace, new_id

__all__ = ["LOOK_EVERY", "Reconcile"]

log = structlog.get_logger(__name__)

LOOK_EVERY: Final = 60.0
_EVERY: Final = 570.0  # ten minutes, the looks being a minute apart
_TURN: Final = 30
_FEW: Final = 200
_LONGEST_REST: Final = 2.0
_NAME: Final = "reconcile"


class Reconcile:
    """To be called every minute: due when nobody has begun it for ten, or since this process started.

    The first replica to take the turn has it; the others do nothing. ``turns`` holds when it was last begun, in the
    store that all replicas share; in real time, since it is a kind of lease.
    """

    def __init__(
        self,
        *,
        plans: PlanStore,
        read_models: ReadModels,
        view: ReadinessView,
        clock: Clock,
        turns: ReadModel,
        real_time: Callable[[], float] = time.time,
    ) -> None:
        self._plans = plans
        self._read_models = read_models
        self._view = view
        self._clock = clock
        self._turns = turns
        self._real_time = real_time
        self._started = real_time()

    async def __call__(self) -> bool:
        """Whether it was this replica's turn."""
        await self._view.complete.wait()
        if not await self._taken():
            return False
        plans, read_models, clock = self._plans, self._read_models, self._clock
        trace, made = Trace.begin(), 0
        since = await read_models.generation()
        for event in await read_models.all_events():
            try:
                made += await plan_event(event, trace, since=since, plans=plans, read_models=read_models, clock=clock)
            except Unavailable:
                raise
            except Exception:  # an event's fault costs its own plans alone
                log.exception("the plans of an event could not be made", event_id=event.event_id)
        for few in chunks(self._view.plan_ids(), _FEW):
            began = self._real_time()
            await refresh_plans(dict.fromkeys(few, trace), plans=plans, read_models=read_models, clock=clock)
            await asyncio.sleep(min(self._real_time() - began, _LONGEST_REST))  # leaves half of the time to others
        if made:
            log.warning("plans were missing and have been made", plans=made)
        return True

    async def _taken(self) -> bool:
        """Takes the turn where it is due; of those who try in the same half minute the first has it."""
        now = self._real_time()
        last = await self._turns.get(_NAME)
        if last is not None and last["At"] >= max(self._started, now - _EVERY):
            return False
        mine = new_id()
        await self._turns.put([(_NAME, int(now) // _TURN, {"At": now, "By": mine})])
        held = await self._turns.get(_NAME)
        return held is not None and held["By"] == mine
