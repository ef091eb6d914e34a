"""Use cases: a person sets a milestone's status, changes its details, or replaces all milestones of a plan."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Protocol

from services.eventplan_svc.app.knowledge import Knowledge
from services.eventplan_svc.app.plans import Plans, changed
from services.eventplan_svc.app.settle_plans import SettlePlans
from services.eventplan_svc.domain.facts import FactSheet
from services.eventplan_svc.domain.milestones import Plan
from services.eventplan_svc.domain.plan import plan_id
from shared.cause import Cause
from shared.documents.contract import Change, Document, Written
from shared.errors import NotFound

__all__ = ["ChangePlan", "Rule"]


class Rule(Protocol):
    """What a body does to a plan: one of ``domain.changes``."""

    def __call__(self, plan: Plan, body: Mapping[str, Any], *, facts: FactSheet, now: datetime) -> Plan: ...


class ChangePlan:
    """One of the three, by its rule. A body that changes nothing makes no version. Idempotent by the cause's id.

    NotFound: no such plan. BadInput, Conflict: what the rule refuses. Stale: not at the version expected any more.
    """

    def __init__(self, rule: Rule, plans: Plans, knowledge: Knowledge, settle: SettlePlans) -> None:
        self._rule = rule
        self._plans = plans
        self._knowledge = knowledge
        self._settle = settle

    async def __call__(
        self, event_id: str, fleet_id: str, body: Mapping[str, Any], cause: Cause, expected: int | None = None
    ) -> Written:
        key = plan_id(event_id, fleet_id)
        facts = await self._knowledge.facts_of(key)

        def decide(present: Document | None) -> Change | None:
            if present is None:
                raise NotFound(f"there is no EventPlan {key}")
            plan = self._rule(present.state, body, facts=facts, now=cause.now)
            return None if plan is present.state else changed(present.state, plan)

        written = await self._plans.write(key, decide, cause, expected=expected)
        if written.changed and await self._knowledge.facts_of(key) != facts:
            await self._settle({key: cause.trace})  # news came in between
        return written
