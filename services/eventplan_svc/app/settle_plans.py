"""Use case: bring plans to what their event, fleet, service and facts now come to.

The one answer to every arrival. A plan is read before what it stands on, and written only if nobody wrote it meanwhile:
so whatever order news come in, and however many replicas work at it, the last write knows all of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Final, TypeVar

from services.eventplan_svc.app.knowledge import NO_FACTS, Knowledge
from services.eventplan_svc.app.plans import HeldPlan, Plans, automatic
from services.eventplan_svc.domain.plan import Revision, settle
from shared.clock import Clock
from shared.errors import Unavailable
from shared.trace import Trace

__all__ = ["SettlePlans", "chunks"]

_CHUNK: Final = 500
_AT_ONCE: Final = 64
_TRIES: Final = 20

T = TypeVar("T")


def chunks(items: Iterable[T], size: int = _CHUNK) -> Iterator[list[T]]:
    """The items in lists of at most ``size``."""
    rest = iter(items)
    while chunk := list(islice(rest, size)):
        yield chunk


class SettlePlans:
    """Idempotent. Unavailable where a plan changes so fast that it cannot be settled: to be tried again."""

    def __init__(self, plans: Plans, knowledge: Knowledge, clock: Clock) -> None:
        self._plans = plans
        self._knowledge = knowledge
        self._clock = clock

    async def __call__(self, traces: Mapping[str, Trace]) -> None:
        """The plans of these ids that are there; each is written under its trace."""
        for keys in chunks(traces):
            for _ in range(_TRIES):
                keys = await self._once(keys, traces)
                if not keys:
                    break
            else:
                raise Unavailable(f"{len(keys)} plans change too fast to be settled, {keys[0]} among them")

    async def _once(self, keys: Sequence[str], traces: Mapping[str, Trace]) -> list[str]:
        """Settles each once; answers the ids of those somebody wrote meanwhile."""
        held = await self._plans.held(keys)
        by_key = {one.key: one.plan for one in held}
        surroundings = await self._knowledge.surroundings(by_key)
        facts = await self._knowledge.facts_named(list(by_key))
        now = self._clock.now()
        stale: list[str] = []
        gate = asyncio.Semaphore(_AT_ONCE)

        async def write(one: HeldPlan, revision: Revision) -> None:
            async with gate:
                if not await self._plans.revise(one, revision, automatic(now, traces[one.key])):
                    stale.append(one.key)

        async with asyncio.TaskGroup() as tasks:
            for one in held:
                around = surroundings.get(one.key)
                if around is None:
                    continue
                revision = settle(one.plan, around, facts.get(one.key, NO_FACTS), now)
                if revision is not None:
                    tasks.create_task(write(one, revision))
        return stale
