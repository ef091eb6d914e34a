"""Use case: the readiness dashboard of an event."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from services.eventplan_svc.app.board import Board, Filters, Page
from services.eventplan_svc.app.knowledge import Knowledge
from services.eventplan_svc.domain.times import utc_day
from shared.clock import Clock
from shared.errors import NotFound, Unavailable
from shared.resources import parse
from shared.schemas.eventplan_svc import DashboardQuery

__all__ = ["Dashboard", "ShowDashboard"]

_PAGE: Final = 100


class Dashboard:
    """A page of services with the fleets asked for, and the totals of the whole event (or of ServiceIds)."""

    def __init__(self, event_id: str, page: Page, totals: dict[str, Any]) -> None:
        self.event_id = event_id
        self.page = page
        self.totals = totals


class ShowDashboard:
    """Asked of the board: open plans only, in the colours of the moment.

    NotFound: the event is unknown or deleted. BadInput: a bad filter. Unavailable: the board is not complete yet.
    """

    def __init__(self, board: Board, knowledge: Knowledge, clock: Clock) -> None:
        self._board = board
        self._knowledge = knowledge
        self._clock = clock

    async def __call__(self, event_id: str, body: Mapping[str, Any], after: str | None) -> Dashboard:
        """``body``: a DashboardQuery, of which the cursor has become ``after``."""
        asked = parse(DashboardQuery, body)
        event = await self._knowledge.event(event_id)
        if event is None or event.deleted:
            raise NotFound(f"there is no Event {event_id}")
        if not self._board.complete.is_set():
            raise Unavailable("the dashboard is being built; ask again in a moment")
        service_ids = asked.get("ServiceIds")
        filters = Filters(
            frozenset(service_ids) if service_ids is not None else None,
            asked.get("Owner"),
            asked.get("LeaderAlias"),
            asked.get("Region"),
            asked.get("Colour"),
        )
        today = utc_day(self._clock.now())
        page = self._board.page(event_id, filters, after=after, limit=asked.get("Limit", _PAGE), today=today)
        return Dashboard(event_id, page, self._board.totals(event_id, service_ids, today))
