"""Use cases: read a plan, one of its versions, its history, many plans by their keys, or those that match."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from heapq import nsmallest
from typing import Any, Final

from services.eventplan_svc.app.plan_codec import in_colours_of, tag_of
from services.eventplan_svc.app.readiness_view import ReadinessView
from shared.clock import Clock
from shared.documents import Document, Documents, ListPage
from shared.resources import Reads

FILTERS: Final[tuple[str, ...]] = ("EventId", "ServiceId", "FleetId")
"""The members by which plans can be listed."""


class ReadPlans(Reads):
    """A plan's latest version is read in the colours of the moment; an old one as it was written."""

    def __init__(self, documents: Documents, view: ReadinessView, clock: Clock) -> None:
        super().__init__("EventPlan", documents)
        self._plans = view
        self._clock = clock

    def tag(self, document: Document, shown: Mapping[str, Any] | None = None, *, base: bool = False) -> str:
        return tag_of(document)

    async def latest(self, key: str) -> Document:
        return in_colours_of(self._clock.now(), await super().latest(key))

    async def batch(self, keys: Sequence[str]) -> tuple[list[Document], list[str]]:
        found, missing = await super().batch(keys)
        now = self._clock.now()
        return [in_colours_of(now, one) for one in found], missing

    async def matching(self, where: Mapping[str, str], *, after: str | None, limit: int) -> ListPage:
        """The latest of all that match ``FILTERS``, where given; ordered by EventPlanId.

        The view names them. So the store is asked by key alone, and keeps no index that each new plan would pay for.
        Until the view is complete, the stored plans are looked through.
        """
        if self._plans.complete.is_set():
            keys = self._plans.matching(where, after=after, limit=limit + 1)
            known = await self.documents.latest_many(keys[:limit])
            found = [known[key] for key in keys[:limit] if key in known]
        else:
            looked_through: list[Document] = []
            async for page in self.documents.scan():
                fitting = (one for one in page if one.key > (after or "") and where.items() <= one.state.items())
                looked_through = nsmallest(limit + 1, [*looked_through, *fitting], key=lambda one: one.key)
            found, keys = looked_through[:limit], [one.key for one in looked_through]
        now = self._clock.now()
        return ListPage([in_colours_of(now, one) for one in found], keys[limit - 1] if len(keys) > limit else None)
