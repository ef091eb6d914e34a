"""Use cases: read a plan, one of its versions, its history, or those that match."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from services.eventplan_svc.app.plan_codec import decode_plan, encode_plan
from services.eventplan_svc.app.readiness_view import ReadinessView
from services.eventplan_svc.domain.milestones import utc_day
from services.eventplan_svc.domain.plan import plan_id
from services.eventplan_svc.domain.readiness import coloured
from shared.clock import Clock
from shared.documents import Document, Documents, HistoryPage, ListPage
from shared.errors import NotFound

_PAGE: Final = 1000  # plans looked through at once: some megabytes


class ReadPlans:
    """A plan's latest version is read in the colours of the moment; an old one as it was written."""

    def __init__(self, documents: Documents, view: ReadinessView, clock: Clock) -> None:
        self._documents = documents
        self._view = view
        self._clock = clock

    def present_form(self, document: Document) -> dict[str, Any]:
        """The latest version as it is read."""
        plan = decode_plan(document.state)
        present = coloured(plan, utc_day(self._clock.now()))
        return document.wire() if present is plan else document._replace(state=encode_plan(present)).wire()

    async def latest(self, event_id: str, fleet_id: str) -> Document:
        """NotFound where there is none."""
        document = await self._documents.latest(plan_id(event_id, fleet_id))
        if document is None:
            raise NotFound(f"there is no EventPlan {plan_id(event_id, fleet_id)}")
        return document

    async def version(self, event_id: str, fleet_id: str, version: int) -> Document:
        """One version; 0 is the latest."""
        if version == 0:
            return await self.latest(event_id, fleet_id)
        document = await self._documents.version(plan_id(event_id, fleet_id), version)
        if document is None:
            raise NotFound(f"there is no EventPlan {plan_id(event_id, fleet_id)} with VersionId {version}")
        return document

    async def history(self, event_id: str, fleet_id: str, *, before: int | None, limit: int) -> HistoryPage:
        """Versions newest first. NotFound where there is no plan."""
        page = await self._documents.history(plan_id(event_id, fleet_id), before=before, limit=limit)
        if not page.items and before is None:
            raise NotFound(f"there is no EventPlan {plan_id(event_id, fleet_id)}")
        return page

    async def matching(self, where: Mapping[str, str], *, after: str | None, limit: int) -> ListPage:
        """The latest of all that match EventId, ServiceId and FleetId, where given; ordered by EventPlanId.

        The view names them. So the store is asked by key alone, and keeps no index that each new plan would pay for.
        Until the view is complete, the stored plans are looked through.
        """
        if not self._view.complete.is_set():
            return await self._looked_through(where, after, limit)
        keys = self._view.matching(
            event_id=where.get("EventId"),
            service_id=where.get("ServiceId"),
            fleet_id=where.get("FleetId"),
            after=after,
            limit=limit + 1,
        )
        found = await self._documents.latest_many(keys[:limit])
        page = [found[key] for key in keys[:limit] if key in found]
        return ListPage(page, keys[limit - 1] if len(keys) > limit else None)

    async def _looked_through(self, where: Mapping[str, str], after: str | None, limit: int) -> ListPage:
        prefix = plan_id(where["EventId"], "") if "EventId" in where else ""
        found: list[Document] = []
        place: str | None = max(after or "", prefix) or None
        while True:
            page = await self._documents.list(after=place, limit=_PAGE)
            for document in page.items:
                if not document.key.startswith(prefix):
                    return ListPage(found, None)
                if all(document.state[name] == value for name, value in where.items()):
                    found.append(document)
                    if len(found) > limit:
                        return ListPage(found[:limit], found[limit - 1].key)
            place = page.next_after
            if place is None:
                return ListPage(found, None)
