"""Use cases: reads the calendar, which is its own entries and the dates of every Event."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from heapq import nlargest, nsmallest
from typing import Any, Final

from services.event_svc.domain.event_dates import entries_of, event_of
from shared.clock import iso
from shared.documents import Document
from shared.resources import Reads
from shared.schemas.event_svc.calendar import CalendarQuery, CalendarRead, begin_of
from shared.schemas.event_svc.event import EventSnapshot

SORTS: Final[Mapping[str, Callable[[CalendarRead], str]]] = {
    "Start": lambda entry: iso(begin_of(entry.start)),
    "EventId": lambda entry: entry.event_id,
    "Kind": lambda entry: entry.kind,
    "Title": lambda entry: entry.title,
}
"""By what a list of entries is sorted, and then by their ids; by their beginning unless it is asked otherwise."""


@dataclass(frozen=True, slots=True)
class CalendarView:
    """The entries of the calendar. The cost of a list is linear in the entries and the Events that are stored.

    An Event's dates are worked out from the Event as it is read, so they are never older than it.
    """

    entries: Reads
    events: Reads

    async def page(
        self, query: CalendarQuery, *, by: str, descending: bool, after: tuple[str, str] | None, limit: int
    ) -> tuple[list[CalendarRead], tuple[str, str] | None]:
        """The first ``limit`` entries after a place, sorted, and the place to continue after (None: it is the end)."""
        place = partial(_place_of, by)
        found = [one async for one in self.matching(query)]
        if after is not None:
            found = [one for one in found if (place(one) < after if descending else place(one) > after)]
        best = (nlargest if descending else nsmallest)(limit + 1, found, key=place)
        return best[:limit], place(best[limit - 1]) if len(best) > limit else None

    async def all(self, query: CalendarQuery) -> list[CalendarRead]:
        """Every entry that is asked for, by its beginning."""
        return sorted([one async for one in self.matching(query)], key=partial(_place_of, "Start"))

    async def of_event(self, calendar_id: str) -> CalendarRead:
        """A date of an Event by its id. NotFound where the Event is not there, or has no such date."""
        event = await self.events.documents.latest(event_of(calendar_id) or "")
        for entry in entries_of(self._event(event)) if event is not None else ():
            if entry.calendar_id == calendar_id:
                return entry
        raise self.entries.missing(calendar_id)

    async def matching(self, query: CalendarQuery) -> AsyncIterator[CalendarRead]:
        """The entries that are asked for, in no order."""
        where: dict[str, Any] = {"EventId": query.event_id, "Kind": query.kind}
        given = {name: value for name, value in where.items() if value is not None}
        async for page in self.entries.documents.scan(given):
            for document in page:
                entry = CalendarRead.model_validate(self.entries.view(document))
                if query.holds(entry):
                    yield entry
        async for event in self._events(query):
            for entry in entries_of(event):
                if query.holds(entry):
                    yield entry

    async def _events(self, query: CalendarQuery) -> AsyncIterator[EventSnapshot]:
        documents = self.events.documents
        if query.event_id is not None:
            event = await documents.latest(query.event_id)
            if event is not None:
                yield self._event(event)
            return
        async for page in documents.scan():
            for document in page:
                yield self._event(document)

    def _event(self, document: Document) -> EventSnapshot:
        """The Event as it is read, with the dates that nobody gave."""
        return EventSnapshot.model_validate(self.events.view(document))


def _place_of(by: str, entry: CalendarRead) -> tuple[str, str]:
    """Where an entry stands in a list."""
    return SORTS[by](entry), entry.calendar_id
