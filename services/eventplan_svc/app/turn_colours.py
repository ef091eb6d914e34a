"""Use case: the sweep after 00:00 UTC, which writes the plans whose colours turned with the day."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Final

from services.eventplan_svc.app.plan_store import PlanStore, StoredPlan
from services.eventplan_svc.app.read_models import chunks
from services.eventplan_svc.app.readiness_view import ReadinessView
from services.eventplan_svc.domain.lifecycle import Revision, turned
from services.eventplan_svc.domain.milestones import utc_day
from shared.cause import AUTOMATION, Cause
from shared.clock import Clock
from shared.trace import Trace

_CHUNK: Final = 200  # plans written at once; other replicas are seen between two chunks


class TurnColours:
    """To be called every minute or so: once a day is swept, it costs nothing until the next.

    The view names the plans that turned, so no store is scanned. Replicas that sweep at the same time each begin
    anywhere, and leave out what the others have written.
    """

    def __init__(self, plans: PlanStore, view: ReadinessView, clock: Clock) -> None:
        self._plans = plans
        self._view = view
        self._clock = clock
        self._swept: str | None = None

    async def __call__(self) -> None:
        today = utc_day(self._clock.now())
        if self._swept == today or not self._view.complete.is_set():
            return
        turning = self._view.turning(today)
        random.shuffle(turning)
        trace = Trace.begin()
        for keys in chunks(turning, _CHUNK):
            still = [key for key in keys if self._view.turns(key, today)]
            await self._turn(await self._plans.get_many(still), trace)
        if not turning:
            self._swept = today

    async def _turn(self, plans: Sequence[StoredPlan], trace: Trace) -> None:
        now = self._clock.now()
        turning: list[tuple[StoredPlan, Revision, Cause]] = []
        for stored in plans:
            revision = turned(stored.plan, now)
            if revision is None:  # another replica wrote it, and its event has not arrived yet
                self._view.put(stored.version, stored.plan)
            else:
                turning.append((stored, revision, Cause(now, AUTOMATION, trace)))
        await self._plans.revise(turning)
