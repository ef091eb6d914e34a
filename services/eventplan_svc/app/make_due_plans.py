"""Use case: make the plans that are due, for every fleet of every Registered service and every event to come.

Whichever of event, service and fleet is heard of last makes them.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from services.eventplan_svc.app.board import Board
from services.eventplan_svc.app.knowledge import NO_FACTS, Knowledge
from services.eventplan_svc.app.plans import Plans, automatic
from services.eventplan_svc.app.settle_plans import SettlePlans, chunks
from services.eventplan_svc.domain.facts import FactSheet
from services.eventplan_svc.domain.milestones import Plan
from services.eventplan_svc.domain.plan import PlanTemplate, initial_plan, is_due, plan_id, plan_template
from services.eventplan_svc.domain.surroundings import Event, Fleet, Surroundings
from services.eventplan_svc.domain.times import utc_day
from shared.clock import Clock
from shared.trace import Trace

__all__ = ["MakeDuePlans"]

_CHUNK: Final = 1000
_SLICE: Final = 20_000
_PATIENCE: Final = 10.0


@dataclass(frozen=True, slots=True)
class _Basis:
    """What a new plan is made of."""

    around: Surroundings
    facts: FactSheet


class MakeDuePlans:
    """Idempotent: a plan that is there is left as it is. Cost is linear in the fleets asked for.

    What a plan was made of is read again once it is made, and the plan settled where that has changed: news that came
    in between found no plan to write to.
    """

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
        template = plan_template(event, self._clock.now())
        made_of: dict[str, _Basis] = {}
        with self._board.writing():
            async for bases in _slices(self._bases(event, lambda key: key not in self._board)):
                plans = await self._make(template, bases, trace)
                if plans:
                    await self._plans.all_told(_PATIENCE)  # first things first: everybody waits for the plans
                    await self._plans.show(plans)
                    made_of.update((key, bases[key]) for key in plans)
            if made_of:
                event = await self._knowledge.event(event.event_id) or event
                async for bases in self._bases(event, made_of.__contains__):
                    changed = [key for key, basis in bases.items() if made_of[key] != basis]
                    await self._settle(dict.fromkeys(changed, trace))
        return len(made_of)

    async def for_fleets(self, fleets: Iterable[Fleet], events: Iterable[Event], trace: Trace) -> int:
        """For some fleets and those of the events that are to come; how many plans were made."""
        made = 0
        there = [fleet for fleet in fleets if not fleet.deleted]
        for event in events:
            if not self._may_be_due(event):
                continue
            template = plan_template(event, self._clock.now())
            for chunk in chunks(there, _CHUNK):
                done = await self._make(template, await self._bases_of(event, chunk), trace)
                await self._plans.show(done)
                await self._settle(dict.fromkeys(done, trace))
                made += len(done)
        return made

    def _may_be_due(self, event: Event) -> bool:
        return event.active and not event.deleted and not event.is_past(utc_day(self._clock.now()))

    async def _bases(self, event: Event, wanted: Callable[[str], bool]) -> AsyncIterator[dict[str, _Basis]]:
        """What the plans of these ids would be made of at present, a page of fleets at a time."""
        async for fleets in self._knowledge.fleets_by_page():
            of_page = [fleet for fleet in fleets if wanted(plan_id(event.event_id, fleet.fleet_id))]
            if of_page:
                yield await self._bases_of(event, of_page)

    async def _bases_of(self, event: Event, fleets: Sequence[Fleet]) -> dict[str, _Basis]:
        services = await self._knowledge.services_named(fleet.service_id for fleet in fleets)
        keys = {plan_id(event.event_id, fleet.fleet_id): fleet for fleet in fleets}
        facts = await self._knowledge.facts_named(list(keys))
        return {
            key: _Basis(Surroundings(event, fleet, services.get(fleet.service_id)), facts.get(key, NO_FACTS))
            for key, fleet in keys.items()
        }

    async def _make(self, template: PlanTemplate, bases: Mapping[str, _Basis], trace: Trace) -> dict[str, Plan]:
        """Makes those that are due and not there; what it made."""
        now = self._clock.now()
        today = utc_day(now)
        plans = (  # made as the store takes them
            initial_plan(template, basis.around, basis.facts, now)
            for key, basis in bases.items()
            if key not in self._board and is_due(basis.around.event, basis.around.fleet, basis.around.service, today)
        )
        cause = automatic(now, trace, f"Planned for {template.event_id}")
        return await self._plans.make(plans, cause)


async def _slices(pages: AsyncIterator[dict[str, _Basis]]) -> AsyncIterator[dict[str, _Basis]]:
    """Pages put together: the store makes many at once faster, and memory is bounded all the same."""
    together: dict[str, _Basis] = {}
    async for page in pages:
        together |= page
        if len(together) >= _SLICE:
            yield together
            together = {}
    if together:
        yield together
