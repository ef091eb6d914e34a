"""The readiness dashboard: one plan's row, one service's entry, and totals that are kept up to date, not scanned."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from sys import intern
from typing import Any, Final, Self

from services.eventplan_svc.domain.milestones import (
    ALL_UPSCALE_IDS,
    COMPLETED,
    FULFILLMENT,
    ORDER_APPROVAL,
    PENDING_ON_EPIC,
    PENDING_ON_OWNER,
    PLACE_ORDER,
    STATUSES,
    Plan,
    leaves,
)
from services.eventplan_svc.domain.readiness import COLOURS, RED, status_colour, worst
from services.eventplan_svc.domain.surroundings import Service

_AWAITED_FROM: Final = {PLACE_ORDER: "EPIC", ORDER_APPROVAL: "AWS", FULFILLMENT: "FMC"}


@dataclass(frozen=True, slots=True)
class Awaited:
    """What an open plan waits for: its first open milestone (a sub rather than its parent), when it is due and why."""

    milestone_id: str
    status: str
    eta: str
    message: str | None

    @classmethod
    def of(cls, plan: Plan) -> Self | None:
        """None where everything is Completed."""
        for leaf, eta in leaves(plan):
            if leaf["MilestoneCompletionStatus"] != COMPLETED:
                return cls(
                    leaf["EventMilestoneId"], leaf["MilestoneCompletionStatus"], eta, leaf.get("MilestoneMessage")
                )
        return None


def fleet_row(fleet_id: str, *, region: str | None, colour: str, awaited: Awaited | None, owner: str) -> dict[str, Any]:
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


def action_pending_on(milestone_id: str, status: str, owner: str) -> str:
    """Who has to act: the owner where the status says so, else EPIC, AWS (approval), FMC (fulfilment) or the owner."""
    if status == PENDING_ON_OWNER:
        return owner
    otherwise = "EPIC" if status == PENDING_ON_EPIC else owner
    return _AWAITED_FROM.get(milestone_id, otherwise)


def service_entry(service: Service, colours: Iterable[str], rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """A service with the rows asked for; its own colour is the worst of all its open plans', asked for or not."""
    return {
        "ServiceId": service.service_id,
        "Owner": service.owner,
        "LeaderAlias": service.leader_alias,
        "PeakReadyStatus": worst(colours),
        "Fleets": list(rows),
    }


@lru_cache(maxsize=16_384)
def _shared(statuses: tuple[str, ...]) -> tuple[str, ...]:
    """One object for all equal ones: there are far fewer of them than plans."""
    return statuses


@dataclass(frozen=True, slots=True)
class Contribution:
    """What one open plan adds to the totals. Its colour on a day follows from the last two alone."""

    event_id: str
    service_id: str
    statuses: tuple[str, ...]
    undated_colour: str
    first_open_eta: str | None

    @classmethod
    def of(cls, plan: Plan) -> Self | None:
        """None for a closed plan, which stands outside the totals."""
        if "Closed" in plan:
            return None
        statuses: list[str] = []
        colours: list[str] = []
        open_etas: list[str] = []
        for milestone in plan["EventMilestone"]:
            status = milestone["MilestoneCompletionStatus"]
            statuses.append(status)
            colours.append(status_colour(status))
            if status != COMPLETED:
                open_etas.append(milestone["ETA"])
            statuses += [sub["MilestoneCompletionStatus"] for sub in milestone.get("SubMilestones", ())]
        return cls(
            intern(plan["EventId"]),
            intern(plan["ServiceId"]),
            _shared(tuple(statuses)),
            worst(colours),
            intern(min(open_etas)) if open_etas else None,
        )

    def colour(self, today: str) -> str:
        """The plan's colour on `today`."""
        return RED if self.first_open_eta is not None and self.first_open_eta < today else self.undated_colour


class _Tally:
    """Counts of open plans, of one event or of one service for it; plans in the same statuses are counted together."""

    __slots__ = ("by_colour", "by_statuses")

    def __init__(self) -> None:
        self.by_colour: Counter[str] = Counter()
        self.by_statuses: Counter[tuple[str, ...]] = Counter()

    def count(self, contribution: Contribution, colour: str, sign: int) -> None:
        self.by_colour[colour] += sign
        self.by_statuses[contribution.statuses] += sign
        if not self.by_statuses[contribution.statuses]:
            del self.by_statuses[contribution.statuses]


class ReadinessTotals:
    """Totals per event and per service of it, in memory; a plan is put and removed in constant time.

    Colours stand for `today` and move on, never back, as later days are asked for; only the plans whose first open ETA
    passed in between are looked at. Not safe to share between threads.
    """

    def __init__(self, today: str) -> None:
        self._today = today
        self._held: dict[str, Contribution] = {}
        self._services: dict[str, dict[str, _Tally]] = defaultdict(dict)
        self._events: dict[str, _Tally] = {}
        self._due: dict[str, set[str]] = defaultdict(set)

    def put(self, plan_id: str, contribution: Contribution | None) -> None:
        """Count a plan as it now stands, in place of how it stood before; None (closed) counts it no longer."""
        held = self._held.pop(plan_id, None)
        if held is not None:
            self._count(plan_id, held, -1)
        if contribution is not None:
            self._held[plan_id] = contribution
            self._count(plan_id, contribution, 1)

    def remove(self, plan_id: str) -> None:
        """Count a plan no longer; nothing happens where it was not counted."""
        self.put(plan_id, None)

    def of_event(self, event_id: str, today: str) -> dict[str, Any]:
        """{Fleets, ByColour, ByMilestone} of the event's open plans; each milestone and sub lists the statuses it has.

        ByColour names all three colours.
        """
        self.move_to(today)
        tally = self._events.get(event_id)
        return _wire([tally] if tally else [])

    def of_services(self, event_id: str, service_ids: Iterable[str], today: str) -> dict[str, Any]:
        """The same of some services only; in the time it takes to add those up."""
        self.move_to(today)
        tallies = self._services.get(event_id, {})
        return _wire([tallies[name] for name in dict.fromkeys(service_ids) if name in tallies])

    def move_to(self, today: str) -> None:
        """Let the colours stand for `today`; an earlier day than before changes nothing."""
        if today <= self._today:
            return
        for eta in [eta for eta in self._due if self._today <= eta < today]:
            for plan_id in self._due[eta]:
                held = self._held[plan_id]
                before, after = held.colour(self._today), held.colour(today)
                for tally in self._tallies(held):
                    tally.by_colour[before] -= 1
                    tally.by_colour[after] += 1
        self._today = today

    def _count(self, plan_id: str, contribution: Contribution, sign: int) -> None:
        colour = contribution.colour(self._today)
        for tally in self._tallies(contribution):
            tally.count(contribution, colour, sign)
        eta = contribution.first_open_eta
        if eta is None:
            return
        if sign > 0:
            self._due[eta].add(plan_id)
            return
        self._due[eta].discard(plan_id)
        if not self._due[eta]:
            del self._due[eta]

    def _tallies(self, contribution: Contribution) -> tuple[_Tally, _Tally]:
        event_id, service_id = contribution.event_id, contribution.service_id
        services = self._services[event_id]
        if service_id not in services:
            services[service_id] = _Tally()
        if event_id not in self._events:
            self._events[event_id] = _Tally()
        return self._events[event_id], services[service_id]


def _wire(tallies: Sequence[_Tally]) -> dict[str, Any]:
    by_milestone: list[Counter[str]] = [Counter() for _ in ALL_UPSCALE_IDS]
    fleets = 0
    for tally in tallies:
        for statuses, plans in tally.by_statuses.items():
            fleets += plans
            for counter, status in zip(by_milestone, statuses, strict=True):
                counter[status] += plans
    return {
        "Fleets": fleets,
        "ByColour": {colour: sum(tally.by_colour[colour] for tally in tallies) for colour in COLOURS},
        "ByMilestone": {
            name: {status: counter[status] for status in STATUSES if counter[status]}
            for name, counter in zip(ALL_UPSCALE_IDS, by_milestone, strict=True)
        },
    }
