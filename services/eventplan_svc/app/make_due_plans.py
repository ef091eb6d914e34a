"""Use case: make the plans that are due, for every fleet of every Registered service and every event to come.

Whichever of event, service and fleet is heard of last makes them. What is made is settled at once, with what is known
by then: news that came between the reading and the making are not missed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from services.eventplan_svc.app.board import Board
from services.eventplan_svc.app.knowledge import NO_FACTS, Knowledge
from services.eventplan_svc.app.plans import HeldPlan, Plans, automatic
from services.eventplan_svc.app.settle_plans import SettlePlans, chunks
from services.eventplan_svc.domain.facts import FactSheet
from services.eventplan_svc.domain.plan import PlanTemplate, initial_plan, is_due, plan_id, plan_template
from services.eventplan_svc.domain.surroundings import Event, Fleet, Service, Surroundings
from services.eventplan_svc.domain.times import utc_day
from shared.clock import Clock
from shared.trace import Trace

__all__ = ["MakeDuePlans"]

_CHUNK: Final = 1000


class MakeDuePlans:
    """Idempotent: a plan that is there is left as it is. Cost is linear in the fleets asked for."""

    def __init__(self, plans: Plans, knowledge: Knowledge, settle: SettlePlans, board: Board, clock: Clock) -> None:
        self._plans = plans
        self._knowledge = knowledge
        self._settle = settle
        self._board = board
        self._clock = clock

    async def for_event(self, event: Event, trace: Trace) -> int:
        """For all fleets; how many plans were made."""
        if not self._may_be_due(event):
            return 0
        services = await self._knowledge.registered_services()
        facts = await self._knowledge.facts_of_event(event.event_id)
        template = plan_template(event, self._clock.now())
        made: list[HeldPlan] = []
        async for fleets in self._knowledge.fleets_by_page():
            made += await self._made(template, event, fleets, services, facts, trace)
        await self._settle.held(made, trace)
        return len(made)

    async def for_fleets(self, fleets: Iterable[Fleet], events: Iterable[Event], trace: Trace) -> int:
        """For some fleets and those of the events that are to come; how many plans were made."""
        there = [fleet for fleet in fleets if not fleet.deleted]
        to_come = [event for event in events if self._may_be_due(event)]
        if not there or not to_come:
            return 0
        services = await self._knowledge.services_named(fleet.service_id for fleet in there)
        made: list[HeldPlan] = []
        for event in to_come:
            template = plan_template(event, self._clock.now())
            for chunk in chunks(there, _CHUNK):
                facts = await self._knowledge.facts_named([plan_id(event.event_id, fleet.fleet_id) for fleet in chunk])
                made += await self._made(template, event, chunk, services, facts, trace)
        await self._settle.held(made, trace)
        return len(made)

    def _may_be_due(self, event: Event) -> bool:
        return event.active and not event.deleted and not event.is_past(utc_day(self._clock.now()))

    async def _made(
        self, template: PlanTemplate, event: Event, fleets: Iterable[Fleet], services: Mapping[str, Service],
        facts: Mapping[str, FactSheet], trace: Trace,
    ) -> list[HeldPlan]:  # fmt: skip
        now = self._clock.now()
        today = utc_day(now)
        plans = [
            initial_plan(template, Surroundings(event, fleet, service), facts.get(key, NO_FACTS), now)
            for fleet in fleets
            if (key := plan_id(event.event_id, fleet.fleet_id)) not in self._board
            and is_due(event, fleet, service := services.get(fleet.service_id), today)
        ]
        if not plans:
            return []
        return await self._plans.make(plans, automatic(now, trace, f"Planned for {event.event_id}"))
