"""Use case: facts came in about fleets' projections and hardware."""

from __future__ import annotations

from collections.abc import Mapping

from services.eventplan_svc.app.knowledge import FactNotes, Knowledge
from services.eventplan_svc.app.settle_plans import SettlePlans
from shared.trace import Trace

__all__ = ["HearFacts"]


class HearFacts:
    """Keeps the newest of each kind, also for plans that are not made yet, and settles the plans. Idempotent."""

    def __init__(self, knowledge: Knowledge, settle: SettlePlans) -> None:
        self._knowledge = knowledge
        self._settle = settle

    async def __call__(self, notes: FactNotes, traces: Mapping[str, Trace]) -> None:
        """``traces`` by EventPlanId, of every fact noted: also of one not the newest, whose plan may wait still."""
        await self._knowledge.keep_facts(notes)
        await self._settle(traces)
