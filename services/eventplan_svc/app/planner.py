"""Makes the plans that are due, and brings plans to what their event, fleet, service and facts come to now.

Refreshing is the one answer to every change of an input. A plan is read before its inputs, and written only if nobody
wrote it meanwhile. So the last write knows all inputs, in whatever order they arrive and however many replicas work.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from services.eventplan_svc.app.plan_store import PlanStore, StoredPlan
from services.eventplan_svc.app.read_models import ReadModels, chunks
from services.eventplan_svc.domain.inputs import Event, Fleet, PlanInputs
from services.eventplan_svc.domain.lifecycle import new_plan, plan_template, refreshed
from services.eventplan_svc.domain.milestones import utc_day
from services.eventplan_svc.domain.plan import plan_id
from shared.cause import AUTOMATION, Cause
from shared.clock import Clock
from shared.errors import Unavailable
from shared.trace import Trace

_CHUNK: Final = 500  # plans in memory at once: some megabytes
_TRIES: Final = 20  # as many as two replicas and a person that write one plan at the same time ever need


@dataclass(frozen=True, slots=True)
class Planner:
    """What the use cases share: the stored plans, their inputs and the clock."""

    plans: PlanStore
    read_models: ReadModels
    clock: Clock

    async def plan_event(self, event: Event, trace: Trace, *, since: int) -> int:
        """Makes the plans of all fleets that are due and not there; how many. The cost is linear in the fleets."""
        if not event.takes_plans(utc_day(self.clock.now())):
            return 0
        made = 0
        with self.plans.creating_many():
            async for fleets in self.read_models.fleets.pages():
                made += await self.plan_fleets(fleets, [event], trace, since=since)
        return made

    async def plan_fleets(self, fleets: Sequence[Fleet], events: Sequence[Event], trace: Trace, *, since: int) -> int:
        """The same for some fleets and events. Idempotent: a plan that is there stays as it is.

        Whichever of event, service and fleet becomes known last makes the plans. ``since`` is the generation from
        before fleets and events were read. Where it has grown since, the plans made are refreshed: whoever handled the
        change may have found no plan to refresh.
        """
        made: list[str] = []
        now = self.clock.now()
        today = utc_day(now)
        for event in events:
            planless = [fleet for fleet in fleets if not self.plans.is_known(plan_id(event.event_id, fleet.fleet_id))]
            if not planless or not event.takes_plans(today):
                continue
            template = plan_template(event, now)
            inputs = await self.read_models.inputs_of_fleets(event, planless)
            due = [new_plan(template, one, now) for one in inputs if one.is_due(today)]
            # The cause has no id: the same inputs come to the same plan, however often.
            cause = Cause(now, AUTOMATION, trace, message=f"Planned for {event.event_id}")
            made += await self.plans.create_missing(due, cause)
        if made and await self.read_models.generation() != since:
            await self.refresh(dict.fromkeys(made, trace))
        return len(made)

    async def refresh(self, traces: Mapping[str, Trace]) -> None:
        """Refreshes the plans of these ids that are there, each under its trace. Idempotent.

        A plan that is not there may be under way, made of the inputs before this change: the generation then makes its
        maker refresh it, or it is found here at the second look. Unavailable where a plan changes too fast.
        """
        for keys in chunks(traces, _CHUNK):
            missing = await self._refresh(keys, traces)
            if missing:
                await self.read_models.next_generation()
                await self._refresh(missing, traces)

    async def _refresh(self, keys: Iterable[str], traces: Mapping[str, Trace]) -> list[str]:
        """Refreshes those that are there; returns the ids of the others."""
        missing: list[str] = []
        waiting = list(keys)
        for _ in range(_TRIES):
            stored = {one.plan.id: one for one in await self.plans.get_many(waiting)}
            missing += [key for key in waiting if key not in stored]
            inputs = await self.read_models.inputs_of_plans(one.plan for one in stored.values())
            waiting = await self._revise(stored, inputs, traces)
            if not waiting:
                return missing
        raise Unavailable(f"{len(waiting)} plans change too fast to be refreshed, {waiting[0]} among them")

    async def _revise(
        self, stored: Mapping[str, StoredPlan], inputs: Mapping[str, PlanInputs], traces: Mapping[str, Trace]
    ) -> list[str]:
        """Writes what the inputs come to; returns the ids of the plans that somebody else wrote meanwhile."""
        now = self.clock.now()
        revisions = ((key, refreshed(stored[key].plan, one, now)) for key, one in inputs.items())
        return await self.plans.revise(
            [(stored[key], one, Cause(now, AUTOMATION, traces[key])) for key, one in revisions if one]
        )
