"""The documents of fleets: their own lines in one collection, the lines for events in another, read together.

Beside them is the read model of Events, which holds that an Event is known and its DefaultBufferPercentage.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

from shared.documents import Document, DocumentTypes, HistoryPage, State
from shared.errors import NotFound
from shared.resources import Reads

LISTED_BY: Final = ("ServiceId", "FleetConfiguration.Region")
"""The members by which lists of fleets are filtered and sorted."""

ORDERS_VERSION: Final = "OrdersVersionId"
"""The member of stored host orders by which a newer fact is told from an older one. No read shows it."""


DEFAULT_BUFFER: Final = "DefaultBufferPercentage"
"""The member of an Event that counts where a fleet gives no BufferPercentage (4.463)."""


def line_key(fleet_id: str, event_id: str) -> str:
    """The key of a fleet's line for an event."""
    return f"{fleet_id}#{event_id}"


def beside(line: Document, base: Document) -> Document:
    """An event's line as it is read: with the hosts of its fleet, which are kept beside the base."""
    return line._replace(side=base.side)


class Fleets(Reads):
    """Both collections. A key is that of a base, or of an event's line; where that has no line, the base stands in."""

    def __init__(self, store: DocumentTypes) -> None:
        self.bases = store.documents("fleet", filters=LISTED_BY)
        self.lines = store.documents("fleet_line", filters=("FleetId", "EventId"))
        self.events = store.read_model("event")
        super().__init__("Fleet", self.bases, _view)
        self._of_lines = Reads("Fleet", self.lines)

    async def latest(self, key: str) -> Document:
        fleet_id, _, event_id = key.partition("#")
        if not event_id:
            return await super().latest(key)
        base, line = await asyncio.gather(self.bases.latest(fleet_id), self.lines.latest(key))
        if base is None:
            raise self.missing(fleet_id)
        return base if line is None else beside(line, base)

    async def history(self, key: str, *, before: int | None = None, limit: int = 100) -> HistoryPage:
        if await self._has_line(key):
            return await self._of_lines.history(key, before=before, limit=limit)
        return await super().history(key.partition("#")[0], before=before, limit=limit)

    async def version(self, key: str, version: int) -> Document:
        if version == 0:
            return await self.latest(key)
        if await self._has_line(key):
            return await self._of_lines.version(key, version)
        return await super().version(key.partition("#")[0], version)

    async def batch(self, keys: Sequence[str]) -> tuple[list[Document], list[str]]:
        """The latest of bases and of events' lines by their stored keys, in one round trip; no base stands in."""
        wanted = list(dict.fromkeys(keys))
        lines = [key for key in wanted if "#" in key]
        owners = dict.fromkeys([*(key for key in wanted if "#" not in key), *(key.partition("#")[0] for key in lines)])
        bases, events = await asyncio.gather(self.bases.latest_many(list(owners)), self.lines.latest_many(lines))
        of_lines = {key: bases.get(key.partition("#")[0]) for key in events}
        found = {**bases, **{key: beside(events[key], base) for key, base in of_lines.items() if base is not None}}
        return [found[key] for key in wanted if key in found], [key for key in wanted if key not in found]

    async def check_known(self, event_id: str) -> None:
        """NotFound for an Event that was never known (4.20)."""
        if not await self._knows(event_id):
            raise NotFound(f"there is no Event {event_id}")

    async def of_event(self, event_id: str, bases: Sequence[Document]) -> list[Document]:
        """The fleets with these own lines as ``latest`` gives them for an Event."""
        keys = {base.key: line_key(base.key, event_id) for base in bases}
        lines = await self.lines.latest_many(list(keys.values()))
        return [beside(lines[keys[base.key]], base) if keys[base.key] in lines else base for base in bases]

    async def lines_of(self, fleet_id: str) -> list[Document]:
        """Every line that a fleet has for an event."""
        return [line async for page in self.lines.scan({"FleetId": fleet_id}) for line in page]

    async def _knows(self, event_id: str) -> bool:
        """Whether the Event was published, or a fleet has a line for it, whose Event may still be on its way (4.21)."""
        if await self.events.get(event_id) is not None:
            return True
        return bool((await self.lines.list({"EventId": event_id}, limit=1)).items)

    async def _has_line(self, key: str) -> bool:
        """Whether it is the key of an event's line that there is, or was once."""
        return "#" in key and await self.lines.version(key, 1) is not None


def _view(document: Document) -> State:
    shown = document.wire()
    shown.pop("OpenedFor", None)
    if "HostOrderStatuses" in shown:
        shown["HostOrderStatuses"] = [
            {name: value for name, value in entry.items() if name != ORDERS_VERSION}
            for entry in shown["HostOrderStatuses"]
        ]
    return shown
