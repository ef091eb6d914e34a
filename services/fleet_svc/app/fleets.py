"""The documents of fleets: their own lines in one collection, the lines for events in another, read together."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from services.fleet_svc.domain.fleet_lines import Base, EventLine
from services.fleet_svc.domain.hosts import EventOrders, Hosts
from shared.clock import iso, parse_instant
from shared.documents import Document, Documents, State, Store
from shared.errors import NotFound
from shared.schemas.fleet_svc.fleet import Fleet, HostInventory, HostOrderStatus
from shared.schemas.results import Accepted

FILTERS: Final = {"ServiceId": "ServiceId", "Region": "FleetConfiguration.Region"}
"""The query parameters of a list of fleets, and the stored member that each compares."""

_MANAGED: Final = frozenset({"BaseVersionId", "CapacityAsOf", "OpenedFor"})
_ORDERS_VERSION: Final = "OrdersVersionId"


def no_fleet(fleet_id: str) -> NotFound:
    """The error for a fleet that does not exist."""
    return NotFound(f"there is no Fleet {fleet_id}")


def line_key(fleet_id: str, event_id: str) -> str:
    """The key of a fleet's line for an event."""
    return f"{fleet_id}#{event_id}"


def fleet_members(state: State) -> State:
    """The members of a stored line that a caller may give."""
    return {name: value for name, value in state.items() if name not in _MANAGED}


def base_in(document: Document) -> Base:
    """The base that a document holds."""
    state = document.state
    fleet = Fleet.model_validate(fleet_members(state))
    return Base(fleet, parse_instant(state["CapacityAsOf"]), state.get("OpenedFor"))


def line_in(document: Document) -> EventLine:
    """The event's line that a document holds."""
    state = document.state
    fleet = Fleet.model_validate(fleet_members(state))
    return EventLine(fleet, parse_instant(state["CapacityAsOf"]), state["BaseVersionId"])


def state_of(line: Base | EventLine) -> State:
    """The state that is stored of a line."""
    state = line.fleet.wire()
    state.pop("AuditMetadata", None)
    state["CapacityAsOf"] = iso(line.capacity_as_of)
    if isinstance(line, EventLine):
        state["BaseVersionId"] = line.base_version
    elif line.opened_for is not None:
        state["OpenedFor"] = line.opened_for
    return state


def hosts_in(base: Document) -> Hosts:
    """The hosts that are kept beside a base."""
    inventory = base.side.get("HostInventory")
    return Hosts(
        None if inventory is None else HostInventory.model_validate(inventory),
        tuple(
            EventOrders(HostOrderStatus.model_validate(_shown(entry)), entry[_ORDERS_VERSION])
            for entry in base.side.get("HostOrderStatuses", ())
        ),
    )


def side_of(hosts: Hosts) -> State:
    """The hosts as they are kept beside a base."""
    side: State = {}
    if hosts.inventory is not None:
        side["HostInventory"] = hosts.inventory.wire()
    if hosts.orders:
        side["HostOrderStatuses"] = [one.status.wire() | {_ORDERS_VERSION: one.version} for one in hosts.orders]
    return side


def _shown(entry: Mapping[str, Any]) -> State:
    return {name: value for name, value in entry.items() if name != _ORDERS_VERSION}


@dataclass(frozen=True, slots=True)
class FleetLine:
    """One line of a fleet as it is read: its document, and the base whose hosts it shows.

    ``is_stand_in``: it is the base, shown for an event that has no line of its own.
    """

    document: Document
    base: Document | None = None
    is_stand_in: bool = False

    @property
    def accepted(self) -> Accepted:
        """What a command is answered with."""
        return Accepted(self.document.key, self.document.version)

    def view(self) -> State:
        """The line as it is read, with the host inventory and the host orders of its fleet."""
        shown = self.document.wire()
        shown.pop("OpenedFor", None)
        side = dict((self.base or self.document).side)
        if "HostOrderStatuses" in side:
            side["HostOrderStatuses"] = [_shown(entry) for entry in side["HostOrderStatuses"]]
        return shown | side


@dataclass(frozen=True, slots=True)
class Fleets:
    """Both collections."""

    bases: Documents
    lines: Documents

    async def latest(self, fleet_id: str, event_id: str | None) -> FleetLine:
        """The fleet as it is for an event; without one its own line. NotFound when there is no such fleet."""
        line: Document | None = None
        if event_id is None:
            base = await self.bases.latest(fleet_id)
        else:
            key = line_key(fleet_id, event_id)
            base, line = await asyncio.gather(self.bases.latest(fleet_id), self.lines.latest(key))
        if base is None:
            raise no_fleet(fleet_id)
        return _for_event(event_id, base, line)

    async def page(
        self, event_id: str | None, where: Mapping[str, Any], *, after: str | None, limit: int
    ) -> tuple[list[FleetLine], str | None]:
        """Every fleet as ``latest`` gives it, ordered by id; and the id to continue after."""
        page = await self.bases.list(where, after=after, limit=limit)
        lines: dict[str, Document] = {}
        if event_id is not None:
            found = await self.lines.latest_many([line_key(base.key, event_id) for base in page.items])
            lines = {line.state["FleetId"]: line for line in found.values()}
        return [_for_event(event_id, base, lines.get(base.key)) for base in page.items], page.next_after

    async def lines_of(self, fleet_id: str) -> list[Document]:
        """Every line that a fleet has for an event."""
        return [line async for page in self.lines.scan({"FleetId": fleet_id}) for line in page]

    async def history(
        self, fleet_id: str, event_id: str | None, *, before: int | None, limit: int
    ) -> tuple[list[FleetLine], int | None]:
        """Versions newest first, of the event's line if there ever was one, else of the base."""
        documents, key = await self._collection_of(fleet_id, event_id)
        page = await documents.history(key, before=before, limit=limit)
        if not page.items and before is None:
            raise no_fleet(fleet_id)
        return [FleetLine(item) for item in page.items], page.next_before

    async def version(self, fleet_id: str, event_id: str | None, version: int) -> FleetLine:
        """One version, of the event's line if there ever was one, else of the base; 0 is the latest."""
        if version == 0:
            return await self.latest(fleet_id, event_id)
        documents, key = await self._collection_of(fleet_id, event_id)
        document = await documents.version(key, version)
        if document is None:
            raise NotFound(f"there is no Fleet {key} with VersionId {version}")
        return FleetLine(document)

    async def _collection_of(self, fleet_id: str, event_id: str | None) -> tuple[Documents, str]:
        key = line_key(fleet_id, event_id) if event_id else None
        if key is not None and await self.lines.version(key, 1) is not None:
            return self.lines, key
        return self.bases, fleet_id


def _for_event(event_id: str | None, base: Document, line: Document | None) -> FleetLine:
    """The event's line if there is one, else the base in its place."""
    return FleetLine(base, is_stand_in=event_id is not None) if line is None else FleetLine(line, base)


def fleets_in(store: Store) -> Fleets:
    """The fleets of a store that is not started yet."""
    bases = store.documents("fleet", filters=tuple(FILTERS.values()))
    return Fleets(bases, store.documents("fleet_line", filters=("FleetId",)))
