"""The totals of a dashboard, kept up to date: of an event, of some services, and by region, leader and organization."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Any, Final

from services.eventplan_svc.domain.dashboard import Standings
from services.eventplan_svc.domain.milestones import ALL_UPSCALE_IDS, DESCALE_IDS
from shared.schemas.eventplan_svc import MilestoneStatus, PeakReadyStatus
from shared.schemas.hotw_svc import Purpose


class GroupKind(StrEnum):
    """What plans are counted by. The value is the member of the answer."""

    REGION = "ByRegion"
    LEADER = "ByLeader"
    ORGANIZATION = "ByOrganization"


Group = tuple[GroupKind, str]
"""A region, a leader or an organization, by its name."""
Counts = Counter[Standings]
_Region = str | None
_NO_GROUPS: Final[frozenset[Group]] = frozenset()
_IDS: Final = {Purpose.UPSCALING: ALL_UPSCALE_IDS, Purpose.DESCALING: DESCALE_IDS}


class Totals:
    """Totals per event, in memory. A plan is counted in constant time; no read looks at plans.

    Plans are counted by how they stand: the statuses, the colour and the first open ETA in it decide the colour of any
    day. So nothing has to be counted again when the day changes. The smallest unit is an event's plans of one service
    in one region. When the leader or the organizations of a service change, its units are moved from the groups that it
    was in to those that it is in. Which groups these are is remembered, so a change that is repeated moves nothing.
    Not safe to share between threads.
    """

    def __init__(self) -> None:
        self._events: defaultdict[str, Counts] = defaultdict(Counter)
        self._services: defaultdict[str, defaultdict[str, dict[_Region, Counts]]] = defaultdict(
            lambda: defaultdict(dict)
        )
        self._groups: defaultdict[str, defaultdict[Group, Counts]] = defaultdict(lambda: defaultdict(Counter))
        self._groups_of: dict[str, frozenset[Group]] = {}
        self._counted_in: defaultdict[str, defaultdict[str, dict[_Region, Sequence[Counts]]]] = defaultdict(
            lambda: defaultdict(dict)
        )
        self._shown: dict[str, dict[Purpose, tuple[str, dict[str, Any]]]] = {}

    def count(self, event_id: str, service_id: str, region: _Region, standings: Standings, plans: int = 1) -> None:
        """Counts one more open plan; with ``plans=-1`` one that was counted with the same words no longer."""
        self._shown.pop(event_id, None)
        known = self._counted_in[event_id][service_id]
        if region not in known:
            groups = self._groups[event_id]
            of_service = [groups[group] for group in self._groups_of.get(service_id, _NO_GROUPS)]
            of_region = [] if region is None else [groups[GroupKind.REGION, region]]
            unit = self._services[event_id][service_id].setdefault(region, Counter())
            known[region] = (*of_service, *of_region, unit, self._events[event_id])
        for counts in known[region]:
            now = counts.get(standings, 0) + plans
            if now:
                counts[standings] = now
            else:
                del counts[standings]

    def regroup(self, service_id: str, *, leader: str | None, organizations: Iterable[str]) -> None:
        """Says which leader and organizations a service has now. Idempotent."""
        now = {(GroupKind.ORGANIZATION, name) for name in organizations}
        if leader is not None:
            now.add((GroupKind.LEADER, leader))
        before, after = self._groups_of.get(service_id, _NO_GROUPS), frozenset(now)
        if before == after:
            return
        self._groups_of[service_id] = after
        for event_id, services in self._services.items():
            if service_id not in services:
                continue
            self._shown.pop(event_id, None)
            self._counted_in[event_id].pop(service_id, None)
            groups = self._groups[event_id]
            for counts in services[service_id].values():
                for group in before - after:
                    groups[group] -= counts  # which keeps what is positive
                for group in after - before:
                    groups[group] += counts

    def of_event(self, event_id: str, today: str, purpose: Purpose = Purpose.UPSCALING) -> dict[str, Any]:
        """{Fleets, ByColour, ByMilestone, ByRegion, ByLeader, ByOrganization} of the event's open plans.

        ByColour names all three colours, ByMilestone for each milestone and sub the statuses that occur, the others
        what has plans: an organization with those of its whole subtree. The answer is kept for the next page, so nobody
        may change it.
        """
        if event_id not in self._events:
            return _shown(Counter(), {}, today, purpose)
        kept = self._shown.setdefault(event_id, {})
        day, shown = kept.get(purpose, ("", {}))
        if day != today:
            shown = _shown(self._events[event_id], self._groups[event_id], today, purpose)
            kept[purpose] = today, shown
        return shown

    def of_services(
        self, event_id: str, service_ids: Iterable[str], today: str, purpose: Purpose = Purpose.UPSCALING
    ) -> dict[str, Any]:
        """The same of some services only, in the time it takes to add those up."""
        services: Mapping[str, Mapping[_Region, Counts]] = self._services.get(event_id, {})
        every: Counts = Counter()
        groups: defaultdict[Group, Counts] = defaultdict(Counter)
        for service_id in dict.fromkeys(service_ids):
            for region, counts in services.get(service_id, {}).items():
                every += counts
                for group in self._groups_of.get(service_id, _NO_GROUPS):
                    groups[group] += counts
                if region is not None:
                    groups[GroupKind.REGION, region] += counts
        return _shown(every, groups, today, purpose)


def _shown(every: Counts, groups: Mapping[Group, Counts], today: str, purpose: Purpose) -> dict[str, Any]:
    ids = _IDS[purpose]
    by_milestone: list[Counter[MilestoneStatus]] = [Counter() for _ in ids]
    for standings, plans in every.items():
        statuses, _, _ = standings.of(purpose).counted
        for counter, status in zip(by_milestone, statuses, strict=True):
            counter[status] += plans
    grouped: dict[GroupKind, dict[str, Any]] = {kind: {} for kind in GroupKind}
    for (kind, name), counts in sorted(groups.items()):
        if counts:
            grouped[kind][name] = _coloured(counts, today, purpose)
    return {
        **_coloured(every, today, purpose),
        "ByMilestone": {
            name.value: {status.value: counter[status] for status in MilestoneStatus if counter[status]}
            for name, counter in zip(ids, by_milestone, strict=True)
        },
        **{kind.value: one for kind, one in grouped.items()},
    }


def _coloured(counts: Counts, today: str, purpose: Purpose) -> dict[str, Any]:
    by_colour: Counter[PeakReadyStatus] = Counter()
    for standings, plans in counts.items():
        by_colour[standings.of(purpose).colour(today)] += plans
    return {
        "Fleets": by_colour.total(),
        "ByColour": {colour.value: by_colour[colour] for colour in PeakReadyStatus},
    }
