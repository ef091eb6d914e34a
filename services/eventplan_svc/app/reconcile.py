"""Use case: make what is missing, whatever went wrong: plans that are due, and plans that are not settled."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Final

import structlog

from services.eventplan_svc.app.board import Board
from services.eventplan_svc.app.knowledge import Knowledge
from services.eventplan_svc.app.make_due_plans import MakeDuePlans
from services.eventplan_svc.app.settle_plans import SettlePlans, chunks
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

    The first replica to take the turn has it, and the others leave it at that. ``turns`` holds when it was last begun,
    in the store all replicas share; real time, since it is a kind of lease.
    """

    def __init__(
        self, knowledge: Knowledge, make: MakeDuePlans, settle: SettlePlans, board: Board, turns: ReadModel,
        *, real_time: Callable[[], float] = time.time,
    ) -> None:  # fmt: skip
        self._knowledge = knowledge
        self._make = make
        self._settle = settle
        self._board = board
        self._turns = turns
        self._real_time = real_time
        self._started = real_time()

    async def __call__(self) -> bool:
        """Whether it was this replica's turn."""
        await self._board.complete.wait()
        if not await self._taken():
            return False
        trace, made = Trace.begin(), 0
        events = await self._knowledge.events()
        for event in events:
            try:
                made += await self._make.for_event(event, trace)
            except Unavailable:
                raise
            except Exception:  # an event's fault costs its own plans alone
                log.exception("the plans of an event could not be made", event_id=event.event_id)
        async for keys in self._knowledge.plan_ids(events):
            for few in chunks(keys, _FEW):
                began = self._real_time()
                await self._settle(dict.fromkeys(few, trace))
                await asyncio.sleep(min(self._real_time() - began, _LONGEST_REST))  # half of the time is others'
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
