"""Use cases: the readiness and descale dashboards of an event, page by page or whole, and its readiness report."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from itertools import islice
from typing import Any, Final

from services.eventplan_svc.app.read_models import ReadModels
from services.eventplan_svc.app.readiness_view import ReadinessView
from services.eventplan_svc.domain.dashboard import ServiceRows, Shown
from services.eventplan_svc.domain.inputs import Event
from services.eventplan_svc.domain.milestones import utc_day
from services.eventplan_svc.domain.report import readiness_report
from shared.clock import Clock
from shared.errors import BadInput, FieldError, NotFound, Unavailable
from shared.schemas.eventplan_svc import DashboardQuery, DashboardSort
from shared.schemas.hotw_svc import Purpose

_PAGE: Final = 100  # services a page, as every list has unless its Limit says otherwise
_EVERYTHING: Final = DashboardQuery()
_OF_A_PAGE: Final = {"limit": None, "cursor": None, "audit_metadata": None}
"""What two pages of one question may differ in."""

Place = str | Sequence[Any]
"""Where a page goes on: after a ServiceId; of a sorted dashboard what ``Shown`` holds."""


@dataclass(frozen=True, slots=True)
class Dashboard:
    """A page of services with the fleets asked for, and the totals of the whole event (or of ServiceIds).

    ``next_after`` is the place to go on from; None: there is no more. ``approximate``: see ``Dashboards``.
    """

    services: list[dict[str, Any]]
    totals: dict[str, Any]
    next_after: Place | None
    approximate: bool


@dataclass(frozen=True, slots=True)
class Dashboards:
    """What a view shows of an event on a day: open plans only, in the colours of that day.

    ``event``: as it was on that day. ``approximate``: it is an earlier day, and of something in the view it is not
    known how it was then.
    """

    event: Event
    view: ReadinessView
    today: str
    approximate: bool = False

    @property
    def event_id(self) -> str:
        return self.event.event_id

    def page(self, query: DashboardQuery, after: Place | None, purpose: Purpose = Purpose.UPSCALING) -> Dashboard:
        """One page; ``after`` is the place that the query's cursor names. BadInput: it is of another order."""
        limit = query.limit or _PAGE
        totals = self.view.totals(self.event_id, query.service_ids, self.today, purpose)
        if query.sort is not None:
            every = self._services(query, purpose)
            page, next_after = _shown(query.sort, self._question(query, purpose), after).page(every, limit)
            return Dashboard([one.shown() for one in page], totals, next_after, self.approximate)
        if not isinstance(after, str | None):
            raise _bad_cursor()
        found = self._services(query, purpose, after)
        services = [one.shown() for one in islice(found, limit + 1)]
        last = services[limit - 1]["ServiceId"] if len(services) > limit else None
        return Dashboard(services[:limit], totals, last, self.approximate)

    def _services(self, query: DashboardQuery, purpose: Purpose, after: str | None = None) -> Iterator[ServiceRows]:
        """Of the descale dashboard nothing is to be ordered."""
        order_by = self.event.order_by_date if purpose is Purpose.UPSCALING else None
        return self.view.services(
            self.event_id, query, today=self.today, after=after, purpose=purpose, order_by_date=order_by
        )

    def _question(self, query: DashboardQuery, purpose: Purpose) -> str:
        """What stands for the event, the dashboard, its filters and its order."""
        asked = [self.event_id, purpose, query.model_copy(update=_OF_A_PAGE).wire()]
        return blake2b(json.dumps(asked, sort_keys=True).encode(), digest_size=8).hexdigest()

    def every(self, query: DashboardQuery, purpose: Purpose = Purpose.UPSCALING) -> list[ServiceRows]:
        """All services that the query asks for, of one moment, in its order; its page does not matter."""
        found = list(self._services(query, purpose))
        sort = query.sort
        return found if sort is None else sorted(found, key=lambda one: one.place(sort))

    def report(self) -> dict[str, Any]:
        """The readiness report."""
        leaders = readiness_report(self.view.services(self.event_id, _EVERYTHING, today=self.today))
        totals = self.view.totals(self.event_id, None, self.today)
        return {"EventId": self.event_id, "Date": self.today, "Leaders": leaders, "Totals": totals}


async def present_dashboards(
    event_id: str, *, read_models: ReadModels, view: ReadinessView, clock: Clock
) -> Dashboards:
    """The dashboards of the moment. NotFound: the event is unknown or deleted. Unavailable: see ``check_complete``."""
    event = await known_event(event_id, read_models)
    check_complete(view)
    return Dashboards(event, view, utc_day(clock.now()))


async def known_event(event_id: str, read_models: ReadModels) -> Event:
    """The event. NotFound where it is unknown or deleted."""
    event = await read_models.events.get(event_id)
    if event is None or event.deleted:
        raise NotFound(f"there is no Event {event_id}")
    return event


def check_complete(view: ReadinessView) -> None:
    """Unavailable while a view does not name every plan."""
    if not view.complete.is_set():
        raise Unavailable("the dashboard is being built; ask again in a moment")


def _shown(sort: DashboardSort, question: str, after: Place | None) -> Shown:
    if isinstance(after, str):
        raise _bad_cursor()
    try:
        return Shown.of(sort, question, after)
    except ValueError as error:
        raise _bad_cursor() from error


def _bad_cursor() -> BadInput:
    remedy = "give the NextCursor of the same question, with the same filters and Sort, or leave it out"
    return BadInput("Cursor leads nowhere", [FieldError("/Cursor", remedy)])
