"""Use case: the sweep after 00:00 UTC, which writes the plans whose colours turned with the day."""

from __future__ import annotations

import asyncio
import random

from services.eventplan_svc.app.board import Board
from services.eventplan_svc.app.plans import HeldPlan, Plans, automatic
from services.eventplan_svc.app.settle_plans import chunks
from services.eventplan_svc.domain.plan import turn
from services.eventplan_svc.domain.times import utc_day
from shared.clock import Clock
from shared.trace import Trace

__all__ = ["TurnColours"]

_CHUNK = 200


class TurnColours:
    """To be called every minute or so: once a day is swept, it costs nothing until the next.

    The board says which plans turned, so no store is scanned. Replicas that sweep at the same time begin anywhere, and
    each leaves out what it hears the others have done.
    """

    def __init__(self, plans: Plans, board: Board, clock: Clock) -> None:
        self._plans = plans
        self._board = board
        self._clock = clock
        self._swept: str | None = None

    async def __call__(self) -> None:
        today = utc_day(self._clock.now())
        if self._swept == today or not self._board.complete.is_set():
            return
        turning = self._board.turning(today)
        random.shuffle(turning)
        trace = Trace.begin()
        for keys in chunks(turning, _CHUNK):
            still = [key for key in keys if self._board.turns(key, today)]
            if still:
                held = await self._plans.held(still)
                await asyncio.gather(*(self._turn(one, trace) for one in held))
        if not turning:
            self._swept = today

    async def _turn(self, held: HeldPlan, trace: Trace) -> None:
        now = self._clock.now()
        revision = turn(held.plan, now)
        if revision is None:
            self._board.put(held.key, held.version, held.plan)  # another replica's write, which has not been heard of
        else:
            await self._plans.revise(held, revision, automatic(now, trace))
