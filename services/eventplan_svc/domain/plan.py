"""What a plan is: the milestones of one fleet for one event, and what its automation remembers.

A plan is a value. No function changes one in place, and plans of one event share their parts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from services.eventplan_svc.domain.milestones import SUB_IDS, Edit, Milestone, OwnDays, Source, edit_milestone
from shared.schemas.eventplan_svc import MilestoneId, MilestoneStatus, PeakReadyStatus


@dataclass(frozen=True, slots=True)
class Derivation:
    """What the facts come to for a milestone. A parent has no status of its own (None)."""

    status: MilestoneStatus | None
    message: str | None = None


_NOTHING: Final = {
    name: Derivation(None if name in SUB_IDS else MilestoneStatus.NOT_STARTED, None) for name in MilestoneId
}


def nothing_derived(milestone_id: MilestoneId) -> Derivation:
    """What no fact at all comes to."""
    return _NOTHING[milestone_id]


@dataclass(frozen=True, slots=True)
class DoneFor:
    """A person's completion of a milestone, which holds for one PeakTPM only; None: there was none (6.4.55)."""

    peak_tpm: int | None
    at: str
    message: str | None


@dataclass(frozen=True, slots=True)
class TPMRequest:
    """What was asked to be communicated last: the PeakTPM of a service, to these services downstream of it."""

    service_id: str
    peak_tpm: int
    services: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AutomationState:
    """What a plan remembers for its automation. It is stored with the plan's version, and never shown to readers.

    ``peak_start``, ``peak_end``, ``own_days``: what the automatic ETAs were last computed from; ``peak_moved_at``: when
    the dates last moved, empty until they do. ``derived``: what the facts last came to, written or not; a milestone is
    absent where that is what no fact comes to. ``person_at``: when a person last changed a milestone's status or
    message. ``hand_etas``: the milestones whose ETA a person set. ``done_for``: the PeakTPM that a person completed a
    milestone for. ``tpm_request``: the last `eventplan.tpm.requested`, None while the projections are not verified.
    ``communicated``: the PeakTPM that all downstream services have last been sent.
    """

    peak_start: str
    peak_end: str
    peak_moved_at: str = ""
    derived: Mapping[MilestoneId, Derivation] = field(default_factory=dict)
    person_at: Mapping[MilestoneId, str] = field(default_factory=dict)
    hand_etas: frozenset[MilestoneId] = frozenset()
    done_for: Mapping[MilestoneId, DoneFor] = field(default_factory=dict)
    tpm_request: TPMRequest | None = None
    communicated: int | None = None
    own_days: OwnDays = ()

    def derivation(self, milestone_id: MilestoneId) -> Derivation:
        return self.derived.get(milestone_id, _NOTHING[milestone_id])

    def deriving(self, derivations: Mapping[MilestoneId, Derivation]) -> AutomationState:
        """The state that remembers these derivations as well."""
        derived = {**self.derived, **derivations}
        return replace(self, derived={name: one for name, one in derived.items() if one != _NOTHING[name]})


@dataclass(frozen=True, slots=True)
class Closed:
    """Why a plan is closed, and the instant since when."""

    reason: str
    since: str


@dataclass(frozen=True, slots=True)
class Plan:
    """One fleet's plan for one event. ``colour`` is the one of its last write, ``hosts_missing`` that of 6.6.10."""

    event_id: str
    fleet_id: str
    service_id: str
    milestones: tuple[Milestone, ...]
    descale_milestones: tuple[Milestone, ...]
    colour: PeakReadyStatus
    automation: AutomationState
    closed: Closed | None = None
    hosts_missing: int = 0

    @property
    def id(self) -> str:
        return plan_id(self.event_id, self.fleet_id)

    @property
    def is_gathered(self) -> bool:
        """Whether GatherProjectionFromUpstream is Completed, which is the first milestone."""
        return self.milestones[0].is_completed()

    def all_milestones(self) -> Iterator[Milestone]:
        """Every milestone, subs and descale milestones included."""
        for milestone in (*self.milestones, *self.descale_milestones):
            yield milestone
            yield from milestone.subs

    def milestone(self, milestone_id: MilestoneId) -> Milestone:
        return next(one for one in self.all_milestones() if one.id is milestone_id)

    def edited(self, edits: Mapping[MilestoneId, Edit], *, source: Source, at: str) -> Plan:
        """The plan after the edits, as ``edit_milestone`` makes them. Colours stay as they are."""
        if not edits:
            return self
        return replace(
            self,
            milestones=tuple(edit_milestone(one, edits, source=source, at=at) for one in self.milestones),
            descale_milestones=tuple(
                edit_milestone(one, edits, source=source, at=at) for one in self.descale_milestones
            ),
        )


def plan_id(event_id: str, fleet_id: str) -> str:
    """EventPlanId, the key that a plan is stored and published under."""
    return f"{event_id}#{fleet_id}"
