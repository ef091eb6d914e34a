"""Use case: an event was created, changed or deleted."""

from __future__ import annotations

from services.eventplan_svc.app.knowledge import Knowledge, Snapshot
from services.eventplan_svc.app.make_due_plans import MakeDuePlans
from services.eventplan_svc.app.settle_plans import SettlePlans
from shared.trace import Trace

__all__ = ["HearOfEvent"]


class HearOfEvent:
    """Keeps the event, makes the plans that are due now, and settles those that were there. Idempotent."""

    def __init__(self, knowledge: Knowledge, make: MakeDuePlans, settle: SettlePlans) -> None:
        self._knowledge = knowledge
        self._make = make
        self._settle = settle

    async def __call__(self, snapshot: Snapshot, trace: Trace) -> None:
        await self._knowledge.keep_events([snapshot])
        event = await self._knowledge.event(snapshot["EventId"])
        if event is None:
            return
        await self._make.for_event(event, trace)
        if snapshot["VersionId"] > 1:  # no plan can have been made of an older version than the first
            async for keys in self._knowledge.plan_ids([event]):
                await self._settle(dict.fromkeys(keys, trace))
