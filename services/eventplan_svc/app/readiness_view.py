"""The readiness view: every plan's standing in memory, so that dashboards are answered without a scan (ADR 0007).

Each process has its own. It gets this process's writes at once and those of other processes by their events, each
under its version, so that neither order nor repetition matters. Colours follow the day that is asked for. A plan takes
0.4 to 0.7 kB of memory, a fleet 0.2 kB, a service 0.5 kB.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from sys import intern
from typing import Any

from services.eventplan_svc.domain.dashboard import ReadinessTotals, Standing, fleet_row, service_entry, standing_of
from services.eventplan_svc.domain.inputs import Fleet, Service
from services.eventplan_svc.domain.milestones import Milestone
from services.eventplan_svc.domain.plan import Plan
from shared.schemas.eventplan_svc import DashboardQuery


@dataclass(frozen=True, slots=True)
class _Plan:
    """A plan as the view keeps it. ``standing`` is None while the plan is closed."""

    version: int
    event_id: str
    service_id: str
    fleet_id: str
    standing: Standing | None


class ReadinessView:
    """Not safe to share between threads.

    ``complete`` is set once all stored plans are in. ``at_rest`` is not set while this process creates many plans:
    nearly all events that are published meanwhile are of plans that it puts here itself a moment later. ``is_known``:
    whether a plan is known to be there; another process may just have created one that is not known yet.
    """

    def __init__(self) -> None:
        self.complete = asyncio.Event()
        self.at_rest = asyncio.Event()
        self.at_rest.set()
        self._creating = 0
        self._plans: dict[str, _Plan] = {}
        self.is_known = self._plans.__contains__
        self._open: dict[str, dict[str, dict[str, Standing]]] = {}
        self._sorted: list[str] | None = None
        self._totals = ReadinessTotals()
        self._services: dict[str, Service] = {}
        self._regions: dict[str, tuple[int, str]] = {}
        self._last: tuple[tuple[Milestone, ...], Standing | None] = ((), None)

    # -- keeping it current --------------------------------------------------------------------------------------------

    def put(self, version: int, plan: Plan) -> None:
        """A plan at a version; an older version than the view has changes nothing."""
        key = plan.id
        held = self._plans.get(key)
        if held is not None:
            if held.version >= version:
                return
            if held.standing is not None:
                self._totals.remove(held.event_id, held.service_id, held.standing)
                del self._open[held.event_id][held.service_id][held.fleet_id]
        else:
            self._sorted = None
        if plan.closed is None and self._last[0] is not plan.milestones:  # the new plans of one event share theirs
            self._last = (plan.milestones, standing_of(plan))
        standing = self._last[1] if plan.closed is None else None
        new = _Plan(version, intern(plan.event_id), intern(plan.service_id), plan.fleet_id, standing)
        self._plans[key] = new
        if standing is not None:
            self._totals.add(new.event_id, new.service_id, standing)
            self._open.setdefault(new.event_id, {}).setdefault(new.service_id, {})[new.fleet_id] = standing

    def put_service(self, service: Service) -> None:
        held = self._services.get(service.service_id)
        if held is None or held.version < service.version:
            self._services[service.service_id] = service

    def put_fleet(self, fleet: Fleet) -> None:
        held = self._regions.get(fleet.fleet_id)
        if held is None or held[0] < fleet.version:
            self._regions[fleet.fleet_id] = (fleet.version, intern(fleet.region))

    @contextmanager
    def creating(self) -> Iterator[None]:
        """While this process creates many plans that it will put here itself."""
        self._creating += 1
        self.at_rest.clear()
        try:
            yield
        finally:
            self._creating -= 1
            if not self._creating:
                self.at_rest.set()

    # -- what it knows -------------------------------------------------------------------------------------------------

    def version_of(self, topic: str, key: str) -> int:
        """The version that the view has of a topic's plan, service or fleet; 0: none."""
        match topic.partition(".")[0]:
            case "eventplan":
                return self._plans[key].version if key in self._plans else 0
            case "service":
                return self._services[key].version if key in self._services else 0
            case _:
                return self._regions[key][0] if key in self._regions else 0

    def plan_ids(self) -> list[str]:
        """Every plan's id, closed ones too, in order."""
        if self._sorted is None:
            self._sorted = sorted(self._plans)
        return self._sorted

    def matching(self, where: Mapping[str, str], *, after: str | None, limit: int) -> list[str]:
        """The ids of at most ``limit`` plans, closed ones too, in order, from ``after`` on.

        ``where``: the EventId, ServiceId and FleetId that they must have, where given.
        """
        keys, prefix = self.plan_ids(), f"{where['EventId']}#" if "EventId" in where else ""
        service_id, fleet_id = where.get("ServiceId"), where.get("FleetId")
        start = max(bisect_left(keys, prefix), bisect_right(keys, after) if after is not None else 0)
        found: list[str] = []
        for key in islice(keys, start, None):
            if len(found) == limit or not key.startswith(prefix):
                break
            plan = self._plans[key]
            if service_id in (None, plan.service_id) and fleet_id in (None, plan.fleet_id):
                found.append(key)
        return found

    def turning(self, today: str) -> list[str]:
        """The open plans whose stored colours no longer hold on ``today``."""
        return [key for key in self._plans if self.turns(key, today)]

    def turns(self, key: str, today: str) -> bool:
        """Whether that plan is one of them."""
        standing = self._plans[key].standing
        return standing is not None and standing.turns_after is not None and standing.turns_after < today

    # -- the dashboard -------------------------------------------------------------------------------------------------

    def totals(self, event_id: str, service_ids: Iterable[str] | None, today: str) -> dict[str, Any]:
        """{Fleets, ByColour, ByMilestone} of the whole event, or of some services of it."""
        if service_ids is None:
            return self._totals.of_event(event_id, today)
        return self._totals.of_services(event_id, service_ids, today)

    def services(
        self, event_id: str, query: DashboardQuery, *, after: str | None, today: str
    ) -> Iterator[dict[str, Any]]:
        """The services that have rows of the kind asked for, by id, from ``after`` on, each with these rows."""
        services = self._open.get(event_id, {})
        wanted: Iterable[str] = services if query.service_ids is None else services.keys() & query.service_ids
        for service_id in sorted(name for name in wanted if after is None or name > after):
            plans, service = services[service_id], self._service(service_id)
            if not plans or query.owner not in (None, service.owner):
                continue
            if query.leader_alias not in (None, service.leader_alias):
                continue
            colours = {fleet_id: standing.colour(today) for fleet_id, standing in plans.items()}
            rows = []
            for fleet_id in sorted(plans):
                region, colour = self._region(fleet_id), colours[fleet_id]
                if query.region in (None, region) and query.colour in (None, colour):
                    awaited = plans[fleet_id].awaited
                    rows.append(fleet_row(fleet_id, region=region, owner=service.owner, colour=colour, awaited=awaited))
            if rows:
                yield service_entry(service, colours.values(), rows)

    def _service(self, service_id: str) -> Service:
        """A service that has plans but is not known yet is named by its id for that moment."""
        unknown = Service(service_id, 0, owner=service_id, leader_alias=None, registered=True, deleted=False)
        return self._services.get(service_id, unknown)

    def _region(self, fleet_id: str) -> str | None:
        return self._regions[fleet_id][1] if fleet_id in self._regions else None
