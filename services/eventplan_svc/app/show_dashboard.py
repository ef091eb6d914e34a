"""Use cases: the readiness and descale dashboards of an event, page by page or whole, and its readiness report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

from services.eventplan_svc.app.read_models import ReadModels
from services.eventplan_svc.app.readiness_view import ReadinessView
from services.eventplan_svc.domain.dashboard import ServiceRows, Shown
from services.eventplan_svc.domain.milestones import utc_day
from services.eventplan_svc.domain.report import readiness_report
from shared.clock import Clock
from shared.errors import BadInput, FieldError, NotFound, Unavailable
from shared.schemas.eventplan_svc import DashboardQuery, DashboardSort
from shared.schemas.hotw_svc import Purpose

_PAGE: Final = 100  # services a page, as every list has unless its Limit says otherwise
_EVERYTHING: Final = DashboardQuery()

Place = str | Sequence[Any]
"""Where a page goes on: after a ServiceId; of a sorted dashboard what ``Shown`` holds."""


@dataclass(frozen=True, slots=True)
class Dashboard:
    """A page of services with the fleets asked for, and the totals of the whole event (or of ServiceIds).

    ``next_after`` is the place to go on from; None: there is no more.
    """

    services: list[dict[str, Any]]
    totals: dict[str, Any]
    next_after: Place | None


@dataclass(frozen=True, slots=True)
class ShowDashboard:
    """What dashboards are shown from. They show open plans only, in the colours of the moment.

    NotFound: the event is unknown or deleted. Unavailable: the view is not complete yet.
    """

    read_models: ReadModels
    view: ReadinessView
    clock: Clock

    async def page(
        self, event_id: str, query: DashboardQuery, after: Place | None, purpose: Purpose = Purpose.UPSCALING
    ) -> Dashboard:
        """One page; ``after`` is the place that the query's cursor names. BadInput: it is of another order."""
        today, limit = await self._today(event_id), query.limit or _PAGE
        totals = self.view.totals(event_id, query.service_ids, today, purpose)
        if query.sort is not None:
            every = self.view.services(event_id, query, today=today, purpose=purpose)
            page, next_after = _shown(query.sort, after).page(every, limit)
            return Dashboard([one.shown() for one in page], totals, next_after)
        if not isinstance(after, str | None):
            raise _bad_cursor()
        found = self.view.services(event_id, query, today=today, after=after, purpose=purpose)
        services = [one.shown() for one in islice(found, limit + 1)]
        last = services[limit - 1]["ServiceId"] if len(services) > limit else None
        return Dashboard(services[:limit], totals, last)

    async def every(
        self, event_id: str, query: DashboardQuery, purpose: Purpose = Purpose.UPSCALING
    ) -> list[ServiceRows]:
        """All services that the query asks for, of one moment, in its order; its page does not matter."""
        found = list(self.view.services(event_id, query, today=await self._today(event_id), purpose=purpose))
        sort = query.sort
        return found if sort is None else sorted(found, key=lambda one: one.place(sort))

    async def report(self, event_id: str) -> dict[str, Any]:
        """The readiness report of the moment."""
        today = await self._today(event_id)
        services = self.view.services(event_id, _EVERYTHING, today=today)
        totals = self.view.totals(event_id, None, today)
        return {"EventId": event_id, "Date": today, "Leaders": readiness_report(services), "Totals": totals}

    async def _today(self, event_id: str) -> str:
        event = await self.read_models.events.get(event_id)
        if event is None or event.deleted:
            raise NotFound(f"there is no Event {event_id}")
        if not self.view.complete.is_set():
            raise Unavailable("the dashboard is being built; ask again in a moment")
        return utc_day(self.clock.now())


def _shown(sort: DashboardSort, after: Place | None) -> Shown:
    if isinstance(after, str):
        raise _bad_cursor()
    try:
        return Shown.of(sort, after)
    except ValueError as error:
        raise _bad_cursor() from error


def _bad_cursor() -> BadInput:
    remedy = "give the NextCursor of the same question, with the same Sort, or leave it out"
    return BadInput("Cursor leads nowhere", [FieldError("/Cursor", remedy)])
