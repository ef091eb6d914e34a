"""The rows of the readiness and descale dashboards: how a plan stands, a service's rows, their order and pages."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from heapq import nsmallest
from typing import Any, Final, Self

from services.eventplan_svc.domain.inputs import Service
from services.eventplan_svc.domain.plan import Plan
from services.eventplan_svc.domain.readiness import COLOUR_OF, worst
from shared.schemas.eventplan_svc import (
    DashboardSort,
    MilestoneId,
    MilestoneStatus,
    PeakReadyStatus,
    action_pending_on,
)
from shared.schemas.hotw_svc import Purpose

# By name, because it is asked for each row, and an attribute of an enum costs three times as much.
_RED: Final = PeakReadyStatus.RED
_COMPLETED: Final = MilestoneStatus.COMPLETED
RANK: Final = {PeakReadyStatus.RED: 0, PeakReadyStatus.YELLOW: 1, PeakReadyStatus.GREEN: 2}
"""The worst colour first."""
NO_ETA: Final = "~"
"""Comes after every day."""
_DIGEST: Final = 8  # bytes of a service in a cursor; two of 30,000 services have the same with a chance of 1 to 10^10

Counted = tuple[tuple[MilestoneStatus, ...], PeakReadyStatus, str | None]
"""The statuses of the milestones and subs, the colour while no ETA has passed, and the first open ETA."""


@dataclass(frozen=True, slots=True)
class Awaited:
    """The first open milestone of a plan (a sub rather than its parent), when it is due and why it is open."""

    milestone_id: MilestoneId
    status: MilestoneStatus
    eta: str | None
    message: str | None


@dataclass(frozen=True, slots=True)
class Standing:
    """What a dashboard shows of one open plan; equal for all plans in the same state.

    ``turns_after``: the day after which a colour of the last write no longer holds. ``hosts_missing`` is None where
    the dashboard does not show it.
    """

    counted: Counted
    awaited: Awaited | None
    turns_after: str | None
    hosts_missing: int | None

    def colour(self, today: str) -> PeakReadyStatus:
        """The plan's colour on ``today``."""
        _, undated_colour, first_open_eta = self.counted
        return colour_on(today, undated_colour, first_open_eta)


def colour_on(today: str, undated_colour: PeakReadyStatus, first_open_eta: str | None) -> PeakReadyStatus:
    """Red once an ETA has passed."""
    return _RED if first_open_eta is not None and first_open_eta < today else undated_colour


@dataclass(frozen=True, slots=True, eq=False)
class Standings:
    """What each dashboard shows of one open plan: one object for all plans in the same state.

    It equals itself alone, because totals count them by the thousand and comparing all that is in one costs the most.
    """

    upscaling: Standing
    descaling: Standing

    def of(self, purpose: Purpose) -> Standing:
        return self.upscaling if purpose is Purpose.UPSCALING else self.descaling


def standings_of(plan: Plan) -> Standings | None:
    """None for a closed plan, which is outside dashboards and totals.

    Descale milestones have colours of their own on their dashboard, and never colour the plan (6.2.10).
    """
    if plan.closed:
        return None
    made: list[Standing] = []
    for tops, hosts_missing in ((plan.milestones, plan.hosts_missing), (plan.descale_milestones, None)):
        statuses = tuple(one.status for top in tops for one in (top, *top.subs))
        colour = worst(COLOUR_OF[top.status] for top in tops)
        dated = [top for top in tops if top.eta and top.status is not _COMPLETED]
        first_open_eta = min((top.eta for top in dated if top.eta), default=None)
        turns_after = min((top.eta for top in dated if top.eta and top.colour is not _RED), default=None)
        awaited = next(
            (
                Awaited(leaf.id, leaf.status, top.eta, leaf.message)
                for top in tops
                for leaf in top.subs or (top,)
                if leaf.status is not _COMPLETED
            ),
            None,
        )
        made.append(Standing((statuses, colour, first_open_eta), awaited, turns_after, hosts_missing))
    upscaling, descaling = made
    return _shared(upscaling, descaling)


@lru_cache(maxsize=16_384)  # far more than the states that the plans of a few events are in at once
def _shared(upscaling: Standing, descaling: Standing) -> Standings:
    """One object for all equal ones, which saves memory: most plans of an event are in the same state."""
    return Standings(upscaling, descaling)


@dataclass(frozen=True, slots=True)
class FleetRow:
    """A fleet's row: its colour, and what it waits for, by when, why and from whom; null where it waits for nothing."""

    fleet_id: str
    region: str | None
    owner: str
    colour: PeakReadyStatus
    awaited: Awaited | None
    hosts_missing: int | None

    @property
    def eta(self) -> str:
        """By when the fleet's first open milestone is due; ``NO_ETA`` where there is none."""
        return NO_ETA if self.awaited is None or self.awaited.eta is None else self.awaited.eta

    @property
    def pending_on(self) -> str | None:
        """Who has to act (6.6.13 to 6.6.18)."""
        if self.awaited is None:
            return None
        return action_pending_on(self.awaited.milestone_id, self.awaited.status, self.owner)

    def shown(self) -> dict[str, Any]:
        awaited = self.awaited
        return {
            "FleetId": self.fleet_id,
            "Region": self.region,
            "PeakReadyStatus": self.colour,
            "EventMilestone": awaited and awaited.milestone_id,
            "ETA": awaited and awaited.eta,
            "StatusReasoning": awaited and awaited.message,
            "ActionPendingOn": self.pending_on,
            "HostsMissing": self.hosts_missing,
        }


@dataclass(frozen=True, slots=True)
class ServiceRows:
    """A service with the rows asked for. Its own colour is the worst of all its open plans, asked for or not."""

    service: Service
    colour: PeakReadyStatus
    rows: Sequence[FleetRow]
    order_by_date: str | None = None
    """The day by which Standard orders are to be placed (7.15.8); None where nothing is to be ordered."""

    def shown(self) -> dict[str, Any]:
        service = self.service
        return {
            "ServiceId": service.service_id,
            "Owner": service.owner,
            "LeaderAlias": service.leader_alias,
            "PeakReadyStatus": self.colour,
            "Fleets": [{**row.shown(), "OrderByDate": self.order_by_date} for row in self.rows],
        }

    def place(self, sort: DashboardSort) -> tuple[int | str, str]:
        """Where it is sorted: by its worst row, then by its id (6.6.11a to 6.6.11d)."""
        worst_row: int | str
        match sort:
            case DashboardSort.COLOUR:
                worst_row = min(RANK[row.colour] for row in self.rows)
            case DashboardSort.ETA:
                worst_row = min(row.eta for row in self.rows)
            case DashboardSort.HOSTS_MISSING:
                worst_row = -max(row.hosts_missing or 0 for row in self.rows)
        return worst_row, self.service.service_id


@dataclass(frozen=True, slots=True)
class Shown:
    """The services that the pages of a sorted dashboard have shown so far: what its cursor holds.

    Plans change between two pages, and with them the order. A cursor that named a place in it would leave out a
    service that got worse meanwhile, and show one again that got better. This one leads to every service once.
    ``question`` stands for all that was asked for: the answer to another question would lack what was shown.
    """

    sort: DashboardSort
    question: str
    digests: frozenset[bytes] = frozenset()

    @classmethod
    def of(cls, sort: DashboardSort, question: str, place: Sequence[Any] | None) -> Self:
        """What ``place`` holds; None: nothing was shown. ValueError where it is no place of such a dashboard."""
        if place is None:
            return cls(sort, question)
        match place:
            case [str(given), str(text)] if given == question:
                try:
                    digests = b64decode(text, validate=True)
                except ValueError as error:
                    raise ValueError("not base64") from error
            case _:
                raise ValueError(f"not a place of the dashboard {question}")
        if len(digests) % _DIGEST:
            raise ValueError("not whole digests")
        return cls(sort, question, frozenset(digests[at : at + _DIGEST] for at in range(0, len(digests), _DIGEST)))

    def page(self, services: Iterable[ServiceRows], limit: int) -> tuple[list[ServiceRows], list[str] | None]:
        """The worst of those that were not shown, and the place to go on from; None: there is no more."""
        new = (one for one in services if _digest(one) not in self.digests)
        page = nsmallest(limit + 1, new, key=lambda one: one.place(self.sort))
        if len(page) <= limit:
            return page, None
        shown = self.digests.union(map(_digest, page[:limit]))
        return page[:limit], [self.question, b64encode(b"".join(sorted(shown))).decode()]


def _digest(rows: ServiceRows) -> bytes:
    return blake2b(rows.service.service_id.encode(), digest_size=_DIGEST).digest()
