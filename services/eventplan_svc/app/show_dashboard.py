"""Use case: the readiness dashboard of an event."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

from services.eventplan_svc.app.read_models import ReadModels
from services.eventplan_svc.app.readiness_view import ReadinessView
from services.eventplan_svc.domain.milestones import utc_day
from shared.clock import Clock
from shared.errors import NotFound, Unavailable
from shared.schemas.eventplan_svc import DashboardQuery

_PAGE: Final = 100  # services a page, as every list has unless its Limit says otherwise


@dataclass(frozen=True, slots=True)
class Dashboard:
    """A page of services with the fleets asked for, and the totals of the whole event (or of ServiceIds).

    ``next_after`` is the service to go on after; None: there is no more.
    """

    services: list[dict[str, Any]]
    totals: dict[str, Any]
    next_after: str | None


async def show_dashboard(
    event_id: str,
    query: DashboardQuery,
    after: str | None,
    *,
    read_models: ReadModels,
    view: ReadinessView,
    clock: Clock,
) -> Dashboard:
    """Open plans only, in the colours of the moment; ``after`` is the place that the query's cursor names.

    NotFound: the event is unknown or deleted. Unavailable: the view is not complete yet.
    """
    event = await read_models.events.get(event_id)
    if event is None or event.deleted:
        raise NotFound(f"there is no Event {event_id}")
    if not view.complete.is_set():
        raise Unavailable("the dashboard is being built; ask again in a moment")
    today, limit = utc_day(clock.now()), query.limit or _PAGE
    services = list(islice(view.services(event_id, query, after=after, today=today), limit + 1))
    next_after = services[limit - 1]["ServiceId"] if len(services) > limit else None
    return Dashboard(services[:limit], view.totals(event_id, query.service_ids, today), next_after)
