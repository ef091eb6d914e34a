"""Owns the readiness board: every open plan's standing in memory, so that dashboards are answered without a scan.

Each process has its own. It is built from the plans as they are stored, hears of this process's writes at once and of
other processes' by their events, each put under its version, so that neither order nor repetition matters. Colours
follow the day they are asked for. A plan takes 0.5 to 0.7 kB of memory, a fleet 0.2 kB, a service 0.5 kB.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from sys import intern
from typing import Any, Final

from services.eventplan_svc.domain.dashboard import (
    Awaited,
    Contribution,
    ReadinessTotals,
    fleet_row,
    service_entry,
)
from services.eventplan_svc.domain.milestones import Milestone, Plan
from services.eventplan_svc.domain.readiness import next_turn
from services.eventplan_svc.domain.surroundings import Fleet, Service

__all__ = ["Board", "Filters", "Page"]

_shared: Final = lru_cache(maxsize=16_384)(lambda value: value)
"""One object for all equal values: most plans of an event await the same."""


@dataclass(frozen=True, slots=True)
class Filters:
    """Which rows of an event's dashboard are asked for; None: all."""

    service_ids: frozenset[str] | None = None
    owner: str | None = None
    leader_alias: str | None = None
    region: str | None = None
    colour: str | None = None

    def want_service(self, service: Service) -> bool:
        return self.owner in (None, service.owner) and self.leader_alias in (None, service.leader_alias)


@dataclass(frozen=True, slots=True)
class Page:
    """Services by id, and the id to go on after (None: that was all)."""

    services: list[dict[str, Any]]
    next_after: str | None


@dataclass(frozen=True, slots=True)
class _Reading:
    """What an open plan's milestones come to; one object for the untouched plans of a service."""

    contribution: Contribution
    awaited: Awaited | None
    turns_after: str | None


@dataclass(frozen=True, slots=True)
class _Standing:
    """One plan; `reading` is None where it is closed."""

    version: int
    event_id: str
    service_id: str
    fleet_id: str
    reading: _Reading | None


class Board:
    """Not safe to share between threads.

    `complete` is set once the scan is in; `at_rest` while this process does not write many plans at once: most of what
    is heard meanwhile of other processes' writes are its own, put here a moment later.
    """

    def __init__(self, today: str) -> None:
        self.complete = asyncio.Event()
        self.at_rest = asyncio.Event()
        self.at_rest.set()
        self._writing = 0
        self._plans: dict[str, _Standing] = {}
        self._open: dict[str, dict[str, dict[str, _Reading]]] = {}
        self._in_order: list[str] | None = None
        self._totals = ReadinessTotals(today)
        self._services: dict[str, tuple[int, Service]] = {}
        self._regions: dict[str, tuple[int, str]] = {}
        self._last_read: tuple[list[Milestone], dict[str, _Reading]] = ([], {})

    # -- keeping it current --------------------------------------------------------------------------------------------

    def put(self, key: str, version: int, plan: Plan) -> None:
        """A plan as it stands at a version; an older one than is known changes nothing."""
        held = self._plans.get(key)
        if held is not None:
            if held.version >= version:
                return
            self._take_out(held)
        reading = self._read(plan)
        standing = _Standing(version, intern(plan["EventId"]), intern(plan["ServiceId"]), plan["FleetId"], reading)
        self._plans[key] = standing
        if held is None:
            self._in_order = None
        self._totals.put(key, reading.contribution if reading else None)
        if reading is not None:
            services = self._open.setdefault(standing.event_id, {})
            services.setdefault(standing.service_id, {})[standing.fleet_id] = reading

    @contextmanager
    def writing(self) -> Iterator[None]:
        """While this process writes many plans that it will put here itself."""
        self._writing += 1
        self.at_rest.clear()
        try:
            yield
        finally:
            self._writing -= 1
            if not self._writing:
                self.at_rest.set()

    def put_service(self, service: Service, version: int) -> None:
        if self.service_version(service.service_id) < version:
            self._services[service.service_id] = (version, service)

    def put_fleet(self, fleet: Fleet, version: int) -> None:
        if self.fleet_version(fleet.fleet_id) < version:
            self._regions[fleet.fleet_id] = (version, _shared(fleet.region))

    def plan_version(self, key: str) -> int:
        """The version a plan is known at; 0 for one that is not."""
        held = self._plans.get(key)
        return held.version if held else 0

    def service_version(self, service_id: str) -> int:
        return self._services[service_id][0] if service_id in self._services else 0

    def fleet_version(self, fleet_id: str) -> int:
        return self._regions[fleet_id][0] if fleet_id in self._regions else 0

    def __contains__(self, key: str) -> bool:
        """Whether the plan is known to be there; one that is not may be all the same."""
        return key in self._plans

    def __len__(self) -> int:
        return len(self._plans)

    # -- asking it -----------------------------------------------------------------------------------------------------

    def matching(
        self, *, event_id: str | None, service_id: str | None, fleet_id: str | None, after: str | None, limit: int
    ) -> list[str]:
        """The ids of at most `limit` plans that match, closed ones too, in order, from `after` on."""
        if self._in_order is None:
            self._in_order = sorted(self._plans)
        keys, prefix = self._in_order, f"{event_id}#" if event_id is not None else ""
        start = max(bisect_left(keys, prefix), bisect_right(keys, after) if after is not None else 0)
        found: list[str] = []
        for key in islice(keys, start, None):
            if len(found) == limit or not key.startswith(prefix):
                break
            standing = self._plans[key]
            if service_id in (None, standing.service_id) and fleet_id in (None, standing.fleet_id):
                found.append(key)
        return found

    def turning(self, today: str) -> list[str]:
        """The open plans whose stored colours no longer hold on `today`."""
        return [key for key in self._plans if self.turns(key, today)]

    def turns(self, key: str, today: str) -> bool:
        """Whether that plan is one of them."""
        reading = self._plans[key].reading
        return reading is not None and reading.turns_after is not None and reading.turns_after < today

    def totals(self, event_id: str, service_ids: Iterable[str] | None, today: str) -> dict[str, Any]:
        """{Fleets, ByColour, ByMilestone} of the whole event, or of some services of it."""
        if service_ids is None:
            return self._totals.of_event(event_id, today)
        return self._totals.of_services(event_id, service_ids, today)

    def page(self, event_id: str, filters: Filters, *, after: str | None, limit: int, today: str) -> Page:
        """At most `limit` services that have rows of the kind asked for, by id, from `after` on."""
        found: list[dict[str, Any]] = []
        for entry in self._entries(event_id, filters, after, today):
            if len(found) == limit:
                return Page(found, found[-1]["ServiceId"])
            found.append(entry)
        return Page(found, None)

    def _entries(self, event_id: str, filters: Filters, after: str | None, today: str) -> Iterator[dict[str, Any]]:
        services = self._open.get(event_id, {})
        wanted: Iterable[str] = services if filters.service_ids is None else filters.service_ids & services.keys()
        for service_id in sorted(name for name in wanted if after is None or name > after):
            plans = services[service_id]
            service = self._service(service_id)
            if not plans or not filters.want_service(service):
                continue
            colours = {fleet_id: reading.contribution.colour(today) for fleet_id, reading in plans.items()}
            rows = [
                fleet_row(
                    fleet_id, region=region, colour=colours[fleet_id], awaited=plans[fleet_id].awaited,
                    owner=service.owner,
                )
                for fleet_id in sorted(plans)
                if filters.region in (None, region := self._region(fleet_id))
                and filters.colour in (None, colours[fleet_id])
            ]  # fmt: skip
            if rows:
                yield service_entry(service, colours.values(), rows)

    def _service(self, service_id: str) -> Service:
        """One that has plans but has not been heard of yet stands under its own name for that moment."""
        held = self._services.get(service_id)
        return held[1] if held else Service(service_id, service_id, None, registered=True, deleted=False)

    def _region(self, fleet_id: str) -> str | None:
        held = self._regions.get(fleet_id)
        return held[1] if held else None

    def _read(self, plan: Plan) -> _Reading | None:
        """New plans of one event share their milestones: those of a service are then read once."""
        milestones, service_id = plan["EventMilestone"], plan["ServiceId"]
        if self._last_read[0] is not milestones:
            self._last_read = (milestones, {})
        known = self._last_read[1]
        reading = known.get(service_id)
        if reading is None or "Closed" in plan:
            contribution = Contribution.of(plan)
            if contribution is None:
                return None
            reading = _Reading(contribution, _shared(Awaited.of(plan)), _shared(next_turn(plan)))
            known[service_id] = reading
        return reading

    def _take_out(self, standing: _Standing) -> None:
        if standing.reading is not None:
            del self._open[standing.event_id][standing.service_id][standing.fleet_id]
