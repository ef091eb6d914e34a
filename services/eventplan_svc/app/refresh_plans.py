"""Use case: bring plans to what their event, fleet, service and facts come to now.

This is the one answer to every change of an input. A plan is read before its inputs, and written only if nobody wrote
it meanwhile. So the last write knows all inputs, in whatever order they arrive and however many replicas work.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from typing import Final

from services.eventplan_svc.app.plan_store import PlanStore, StoredPlan, automatic
from services.eventplan_svc.app.read_models import ReadModels, chunks
from services.eventplan_svc.domain.lifecycle import Revision, refreshed
from shared.cause import Cause
from shared.clock import Clock
from shared.errors import Unavailable
from shared.trace import Trace

_CHUNK: Final = 500  # plans in memory at once: some megabytes
_AT_ONCE: Final = 64  # writes under way at once; more make no store faster
_TRIES: Final = 20  # as many as two replicas and a person that write one plan at the same time ever need


async def refresh_plans(
    traces: Mapping[str, Trace], *, plans: PlanStore, read_models: ReadModels, clock: Clock
) -> None:
    """Refreshes the plans of these ids that are there, each under its trace. Idempotent.

    A plan that is not there may be under way, made of the inputs before this change: the generation then makes its
    maker refresh it, or it is found here at the second look. Unavailable where a plan changes too fast.
    """
    for keys in chunks(traces, _CHUNK):
        missing = await _refresh(keys, traces, plans, read_models, clock)
        if missing:
            await read_models.next_generation()
            await _refresh(missing, traces, plans, read_models, clock)


async def _refresh(
    keys: Iterable[str], traces: Mapping[str, Trace], plans: PlanStore, read_models: ReadModels, clock: Clock
) -> list[str]:
    """Refreshes those that are there; returns the ids of the others."""
    missing: list[str] = []
    waiting = list(keys)
    for _ in range(_TRIES):
        stored = {one.plan.id: one for one in await plans.get_many(waiting)}
        missing += [key for key in waiting if key not in stored]
        inputs = await read_models.inputs_of_plans(one.plan for one in stored.values())
        now, gate = clock.now(), asyncio.Semaphore(_AT_ONCE)
        async with asyncio.TaskGroup() as tasks:
            writes = {
                key: tasks.create_task(_write(plans, stored[key], revision, automatic(now, traces[key]), gate))
                for key, one in inputs.items()
                if (revision := refreshed(stored[key].plan, one, now))
            }
        waiting = [key for key, written in writes.items() if not written.result()]
        if not waiting:
            return missing
    raise Unavailable(f"{len(waiting)} plans change too fast to be refreshed, {waiting[0]} among them")


async def _write(
    plans: PlanStore, stored: StoredPlan, revision: Revision, cause: Cause, gate: asyncio.Semaphore
) -> bool:
    async with gate:
        return await plans.revise(stored, revision, cause)
