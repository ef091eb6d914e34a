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
from typing import Any, Final

from services.eventplan_svc.domain.dashboard import FleetRow, ServiceRows, Standings, standings_of
from services.eventplan_svc.domain.inputs import Fleet, Organization, Service
from services.eventplan_svc.domain.organizations import OrganizationTree
from services.eventplan_svc.domain.plan import Plan, plan_id
from services.eventplan_svc.domain.readiness import worst
from services.eventplan_svc.domain.totals import Totals
from shared.schemas.eventplan_svc import DashboardQuery
from shared.schemas.hotw_svc import Purpose

_NOWHERE: Final[tuple[int, str | None]] = (0, None)
"""Version and region of a fleet that is not known yet."""


@dataclass(frozen=True, slots=True)
class _Plan:
    """A plan as the view keeps it. ``standings`` is None while the plan is closed."""

    version: int
    event_id: str
    service_id: str
    fleet_id: str
    standings: Standings | None


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
        self._open: dict[str, dict[str, dict[str, Standings]]] = {}
        self._sorted: list[str] | None = None
        self._totals = Totals()
        self._services: dict[str, Service] = {}
        self._regions: dict[str, tuple[int, str | None]] = {}
        self._organizations = OrganizationTree()
        self._last: tuple[Plan | None, Standings | None] = (None, None)

    # -- keeping it current --------------------------------------------------------------------------------------------

    def put(self, version: int, plan: Plan) -> None:
        """A plan at a version; an older version than the view has changes nothing."""
        key, fleet_id = plan.id, plan.fleet_id
        region = self._regions.get(fleet_id, _NOWHERE)[1]
        held = self._plans.get(key)
        if held is not None:
            if held.version >= version:
                return
            if held.standings is not None:
                self._totals.count(held.event_id, held.service_id, region, held.standings, -1)
                del self._open[held.event_id][held.service_id][fleet_id]
        else:
            self._sorted = None
        last, standings = self._last
        if plan.closed is not None:
            standings = None
        elif (
            last is None
            or last.milestones is not plan.milestones
            or last.descale_milestones is not plan.descale_milestones
            or last.hosts_missing != plan.hosts_missing
        ):  # the new plans of one event share their milestones, and so how they stand
            standings = standings_of(plan)
            self._last = plan, standings
        new = _Plan(version, intern(plan.event_id), intern(plan.service_id), fleet_id, standings)
        self._plans[key] = new
        if standings is not None:
            self._totals.count(new.event_id, new.service_id, region, standings)
            self._open.setdefault(new.event_id, {}).setdefault(new.service_id, {})[fleet_id] = standings

    def put_service(self, service: Service) -> None:
        held = self._services.get(service.service_id)
        if held is None or held.version < service.version:
            self._services[service.service_id] = service
            self._regroup(service.service_id)

    def put_fleet(self, fleet: Fleet) -> None:
        version, region = self._regions.get(fleet.fleet_id, _NOWHERE)
        if version >= fleet.version:
            return
        self._regions[fleet.fleet_id] = (fleet.version, intern(fleet.region))
        if region == fleet.region:
            return
        for event_id in self._open:
            plan = self._plans.get(plan_id(event_id, fleet.fleet_id))
            if plan is not None and plan.standings is not None:
                self._totals.count(event_id, plan.service_id, region, plan.standings, -1)
                self._totals.count(event_id, plan.service_id, fleet.region, plan.standings)

    def put_organization(self, organization: Organization) -> None:
        for service_id in self._organizations.put(organization):
            self._regroup(service_id)

    def _regroup(self, service_id: str) -> None:
        """Says in the totals which leader and organizations a service has now."""
        service, above = self._service(service_id), self._organizations.above(service_id)
        self._totals.regroup(service_id, leader=service.leader_alias, organizations=above)

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
        """The version that the view has of a topic's plan, service, organization or fleet; 0: none."""
        match topic.partition(".")[0]:
            case "eventplan":
                return self._plans[key].version if key in self._plans else 0
            case "service":
                return self._services[key].version if key in self._services else 0
            case "organization":
                return self._organizations.version_of(key)
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
        standings = self._plans[key].standings
        if standings is None or standings.upscaling.turns_after is None:
            return False
        return standings.upscaling.turns_after < today

    # -- the dashboards ------------------------------------------------------------------------------------------------

    def totals(
        self, event_id: str, service_ids: Iterable[str] | None, today: str, purpose: Purpose = Purpose.UPSCALING
    ) -> dict[str, Any]:
        """The totals of the whole event, or of some services of it; see ``Totals.of_event``."""
        if service_ids is None:
            return self._totals.of_event(event_id, today, purpose)
        return self._totals.of_services(event_id, service_ids, today, purpose)

    def services(
        self,
        event_id: str,
        query: DashboardQuery,
        *,
        today: str,
        after: str | None = None,
        purpose: Purpose = Purpose.UPSCALING,
        order_by_date: str | None = None,
    ) -> Iterator[ServiceRows]:
        """The services that have rows of the kind asked for, by id, from ``after`` on, each with these rows.

        No plan may be put in while they are looked through.
        """
        services = self._open.get(event_id, {})
        wanted: Iterable[str] = services if query.service_ids is None else services.keys() & query.service_ids
        search = None if query.search is None else query.search.casefold()
        for service_id in sorted(name for name in wanted if after is None or name > after):
            plans, service = services[service_id], self._service(service_id)
            if not plans or query.owner not in (None, service.owner):
                continue
            if query.leader_alias not in (None, service.leader_alias):
                continue
            if query.organization is not None and query.organization not in self._organizations.above(service_id):
                continue
            found = search is None or _is_in(search, service_id, service.owner, service.leader_alias or "")
            standings = {fleet_id: plan.of(purpose) for fleet_id, plan in plans.items()}
            colours = {fleet_id: standing.colour(today) for fleet_id, standing in standings.items()}
            rows = []
            for fleet_id in sorted(plans):
                region, colour, standing = self._region(fleet_id), colours[fleet_id], standings[fleet_id]
                if query.region not in (None, region) or query.colour not in (None, colour):
                    continue
                if found or (search is not None and _is_in(search, fleet_id)):
                    awaited, missing = standing.awaited, standing.hosts_missing
                    rows.append(FleetRow(fleet_id, region, service.owner, colour, awaited, missing))
            if rows:
                yield ServiceRows(service, worst(colours.values()), rows, order_by_date)

    def _service(self, service_id: str) -> Service:
        """A service that has plans but is not known yet is named by its id for that moment."""
        unknown = Service(service_id, 0, owner=service_id, leader_alias=None, registered=True, deleted=False)
        return self._services.get(service_id, unknown)

    def _region(self, fleet_id: str) -> str | None:
        return self._regions.get(fleet_id, _NOWHERE)[1]


def _is_in(search: str, *texts: str) -> bool:
    return any(search in text.casefold() for text in texts)
