"""Owns where fleets are kept: their own lines in one collection, the lines for events in another, read together."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from services.fleet_svc.domain.fleets import OPENED_FOR, line_key
from services.fleet_svc.domain.hosts import shown_side
from shared.documents.contract import Document, Documents
from shared.errors import NotFound
from shared.schemas.results import Accepted

__all__ = ["BASE_FILTERS", "LINE_FILTERS", "Fleets", "Line", "no_fleet"]

BASE_FILTERS: Final = {"ServiceId": "ServiceId", "Region": "FleetConfiguration.Region"}
LINE_FILTERS: Final = ("FleetId",)


def no_fleet(fleet_id: str) -> NotFound:
    """What is raised where a fleet is not there."""
    return NotFound(f"there is no Fleet {fleet_id}")


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a fleet as it is read: the document, and the base whose hosts it shows.

    ``stands_in``: it is the base, shown for an event that has no line of its own.
    """

    document: Document
    base: Document | None = None
    stands_in: bool = False

    @property
    def accepted(self) -> Accepted:
        """What a command is answered with."""
        return Accepted(self.document.key, self.document.version)

    def view(self) -> dict[str, Any]:
        """The line as it is read, with the host inventory and the host orders of its fleet."""
        shown = self.document.wire()
        shown.pop(OPENED_FOR, None)
        base = self.base or self.document
        return shown | shown_side(base.side)


@dataclass(frozen=True, slots=True)
class Fleets:
    """Both collections."""

    bases: Documents
    lines: Documents

    async def base(self, fleet_id: str) -> Line:
        """The fleet's own line. NotFound when there is no such fleet."""
        base = await self.bases.latest(fleet_id)
        if base is None:
            raise no_fleet(fleet_id)
        return Line(base)

    async def for_event(self, fleet_id: str, event_id: str) -> Line:
        """The event's line if there is one, else the base. NotFound when there is no such fleet."""
        base, line = await asyncio.gather(self.bases.latest(fleet_id), self.lines.latest(line_key(fleet_id, event_id)))
        if base is None:
            raise no_fleet(fleet_id)
        return Line(base, stands_in=True) if line is None else Line(line, base)

    async def all(self, where: Mapping[str, Any], *, after: str | None, limit: int) -> tuple[list[Line], str | None]:
        """The fleets' own lines, ordered by id."""
        page = await self.bases.list(where, after=after, limit=limit)
        return [Line(base) for base in page.items], page.next_after

    async def all_for_event(
        self, event_id: str, where: Mapping[str, Any], *, after: str | None, limit: int
    ) -> tuple[list[Line], str | None]:
        """Every fleet as it is for an event."""
        page = await self.bases.list(where, after=after, limit=limit)
        lines = await self.lines.latest_many([line_key(base.key, event_id) for base in page.items])
        found = []
        for base in page.items:
            line = lines.get(line_key(base.key, event_id))
            found.append(Line(base, stands_in=True) if line is None else Line(line, base))
        return found, page.next_after

    async def lines_of(self, fleet_id: str) -> list[Document]:
        """Every line a fleet has for an event."""
        return [line async for page in self.lines.scan({"FleetId": fleet_id}) for line in page]

    async def history(
        self, fleet_id: str, event_id: str | None, *, before: int | None, limit: int
    ) -> tuple[list[Line], int | None]:
        """Versions newest first, of the event's line if there ever was one, else of the base."""
        kept, key = await self._kept(fleet_id, event_id)
        page = await kept.history(key, before=before, limit=limit)
        if not page.items and before is None:
            raise no_fleet(fleet_id)
        return [Line(item) for item in page.items], page.next_before

    async def version(self, fleet_id: str, event_id: str | None, version: int) -> Line:
        """One version, of the event's line if there ever was one, else of the base; 0 is the latest."""
        if version == 0:
            return await (self.base(fleet_id) if event_id is None else self.for_event(fleet_id, event_id))
        kept, key = await self._kept(fleet_id, event_id)
        document = await kept.version(key, version)
        if document is None:
            raise NotFound(f"there is no Fleet {key} with VersionId {version}")
        return Line(document)

    async def _kept(self, fleet_id: str, event_id: str | None) -> tuple[Documents, str]:
        key = line_key(fleet_id, event_id) if event_id else None
        if key is not None and await self.lines.version(key, 1) is not None:
            return self.lines, key
        return self.bases, fleet_id
