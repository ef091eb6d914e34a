"""The readiness dashboard: a plan's standing, its row, a service's entry, and totals."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from services.eventplan_svc.domain.inputs import Service
from services.eventplan_svc.domain.milestones import ALL_UPSCALE_IDS
from services.eventplan_svc.domain.plan import Plan
from services.eventplan_svc.domain.readiness import COLOUR_OF, worst
from shared.schemas.eventplan_svc import MilestoneId, MilestoneStatus, PeakReadyStatus, action_pending_on

# By name, because it is asked for each row, and an attribute of an enum costs three times as much.
_RED: Final = PeakReadyStatus.RED
_Counted = tuple[tuple[MilestoneStatus, ...], PeakReadyStatus, str | None]


@dataclass(frozen=True, slots=True)
class Awaited:
    """The first open milestone of a plan (a sub rather than its parent), when it is due and why it is open."""

    milestone_id: MilestoneId
    status: MilestoneStatus
    eta: str | None
    message: str | None


@dataclass(frozen=True, slots=True)
class Standing:
    """What the dashboard shows of one open plan; equal for all plans in the same state.

    ``counted``: the statuses of ``ALL_UPSCALE_IDS``, the colour while no ETA has passed, and the first open ETA.
    ``turns_after``: the day after which a colour of the last write no longer holds.
    """

    counted: _Counted
    awaited: Awaited | None
    turns_after: str | None

    def colour(self, today: str) -> PeakReadyStatus:
        """The plan's colour on ``today``."""
        _, undated_colour, first_open_eta = self.counted
        return _RED if first_open_eta is not None and first_open_eta < today else undated_colour


def standing_of(plan: Plan) -> Standing | None:
    """None for a closed plan, which is outside dashboard and totals."""
    if plan.closed:
        return None
    tops = plan.milestones
    statuses = tuple(one.status for top in tops for one in (top, *top.subs))
    colour = worst(COLOUR_OF[top.status] for top in tops)
    dated = [top for top in tops if top.eta and not top.is_completed()]
    first_open_eta = min((top.eta for top in dated if top.eta), default=None)
    turns_after = min((top.eta for top in dated if top.eta and top.colour is not _RED), default=None)
    awaited = next(
        (
            Awaited(leaf.id, leaf.status, top.eta, leaf.message)
            for top in tops
            for leaf in top.subs or (top,)
            if not leaf.is_completed()
        ),
        None,
    )
    return _shared(Standing((statuses, colour, first_open_eta), awaited, turns_after))


@lru_cache(maxsize=16_384)  # far more than the states that the plans of a few events are in at once
def _shared(standing: Standing) -> Standing:
    """One object for all equal ones, which saves memory: most plans of an event are in the same state."""
    return standing


def fleet_row(
    fleet_id: str, *, region: str | None, owner: str, colour: PeakReadyStatus, awaited: Awaited | None
) -> dict[str, Any]:
    """A fleet's row: its colour, and what it waits for, by when, why and from whom; null where it waits for nothing."""
    return {
        "FleetId": fleet_id,
        "Region": region,
        "PeakReadyStatus": colour,
        "EventMilestone": awaited and awaited.milestone_id,
        "ETA": awaited and awaited.eta,
        "StatusReasoning": awaited and awaited.message,
        "ActionPendingOn": awaited and action_pending_on(awaited.milestone_id, awaited.status, owner),
    }


def service_entry(
    service: Service, colours: Iterable[PeakReadyStatus], rows: Sequence[dict[str, Any]]
) -> dict[str, Any]:
    """A service with the rows asked for. Its own colour is the worst of all its open plans, asked for or not."""
    return {
        "ServiceId": service.service_id,
        "Owner": service.owner,
        "LeaderAlias": service.leader_alias,
        "PeakReadyStatus": worst(colours),
        "Fleets": list(rows),
    }


class ReadinessTotals:
    """Totals per event and per service of it, in memory. A plan is counted in constant time.

    Plans are counted by their statuses, colour and first open ETA, which decide the colour of any day. So nothing has
    to be counted again when the day changes. Not safe to share between threads.
    """

    def __init__(self) -> None:
        self._events: dict[str, Counter[_Counted]] = defaultdict(Counter)
        self._services: dict[str, dict[str, Counter[_Counted]]] = defaultdict(lambda: defaultdict(Counter))

    def add(self, event_id: str, service_id: str, standing: Standing) -> None:
        """Counts one more open plan."""
        for counts in (self._events[event_id], self._services[event_id][service_id]):
            counts[standing.counted] += 1

    def remove(self, event_id: str, service_id: str, standing: Standing) -> None:
        """Counts a plan no longer that was added with the same standing."""
        for counts in (self._events[event_id], self._services[event_id][service_id]):
            counts[standing.counted] -= 1
            if not counts[standing.counted]:
                del counts[standing.counted]

    def of_event(self, event_id: str, today: str) -> dict[str, Any]:
        """{Fleets, ByColour, ByMilestone} of the event's open plans.

        ByColour names all three colours, ByMilestone for each milestone and sub the statuses that occur.
        """
        return _sum([self._events[event_id]] if event_id in self._events else [], today)

    def of_services(self, event_id: str, service_ids: Iterable[str], today: str) -> dict[str, Any]:
        """The same of some services only, in the time it takes to add those up."""
        services = self._services.get(event_id, {})
        return _sum([services[name] for name in dict.fromkeys(service_ids) if name in services], today)


def _sum(many: Sequence[Counter[_Counted]], today: str) -> dict[str, Any]:
    by_colour: Counter[PeakReadyStatus] = Counter()
    by_milestone: list[Counter[MilestoneStatus]] = [Counter() for _ in ALL_UPSCALE_IDS]
    for counts in many:
        for (statuses, undated_colour, first_open_eta), plans in counts.items():
            by_colour[_RED if first_open_eta and first_open_eta < today else undated_colour] += plans
            for counter, status in zip(by_milestone, statuses, strict=True):
                counter[status] += plans
    return {
        "Fleets": by_colour.total(),
        "ByColour": {colour.value: by_colour[colour] for colour in PeakReadyStatus},
        "ByMilestone": {
            name.value: {status.value: counter[status] for status in MilestoneStatus if counter[status]}
            for name, counter in zip(ALL_UPSCALE_IDS, by_milestone, strict=True)
        },
    }
