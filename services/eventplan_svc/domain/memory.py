"""What a plan remembers for its automation: the member `_Automation` of its stored state, never shown to readers.

It lives inside the versioned state, so it is written in the same atomic write as the milestones it explains, survives
every person's PUT and restart, and comes back with a restored version. On the wire:

    PeakStartDate  the start of the peak the automatic ETAs were last reckoned from
    PeakEndDate    its end
    PeakMovedAt    when those dates last moved; absent until they do
    Derived        {milestone id: [status or null, message or null]}: what the facts last came to, written or not;
                   absent where that is what no fact at all comes to
    HumanAt        {milestone id: instant}: when a person last changed its status or message
    HandETA        the ids whose ETA a person set, in the order of the milestones
    DoneFor        {milestone id: {PeakTPM, At, Message}}: the PeakTPM a person completed it for
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Self

from services.eventplan_svc.domain.milestones import ALL_IDS, NOT_STARTED, SUB_IDS, Plan

MEMORY: Final = "_Automation"


@dataclass(frozen=True, slots=True)
class Derivation:
    """What facts come to for a milestone; a parent has no status of its own (None)."""

    status: str | None
    message: str | None


_NOTHING: Final = {name: Derivation(None if name in SUB_IDS else NOT_STARTED, None) for name in ALL_IDS}


def none_yet(milestone_id: str) -> Derivation:
    """What no fact at all comes to."""
    return _NOTHING[milestone_id]


@dataclass(frozen=True, slots=True)
class DoneFor:
    """A person's completion of a milestone that holds for one PeakTPM only."""

    peak_tpm: int
    at: str
    message: str | None


@dataclass(frozen=True, slots=True)
class Memory:
    """The parsed form of a plan's `_Automation` member."""

    peak_start: str
    peak_end: str
    peak_moved_at: str = ""
    derived: Mapping[str, Derivation] = field(default_factory=dict)
    human_at: Mapping[str, str] = field(default_factory=dict)
    hand_etas: frozenset[str] = frozenset()
    done_for: Mapping[str, DoneFor] = field(default_factory=dict)

    @classmethod
    def of(cls, plan: Plan) -> Self:
        wire = plan[MEMORY]
        return cls(
            peak_start=wire["PeakStartDate"],
            peak_end=wire["PeakEndDate"],
            peak_moved_at=wire.get("PeakMovedAt", ""),
            derived={name: Derivation(*said) for name, said in wire.get("Derived", {}).items()},
            human_at=wire.get("HumanAt", {}),
            hand_etas=frozenset(wire.get("HandETA", ())),
            done_for={
                name: DoneFor(mark["PeakTPM"], mark["At"], mark["Message"])
                for name, mark in wire.get("DoneFor", {}).items()
            },
        )

    def wire(self) -> dict[str, Any]:
        members: dict[str, Any] = {"PeakStartDate": self.peak_start, "PeakEndDate": self.peak_end}
        optional: dict[str, Any] = {
            "PeakMovedAt": self.peak_moved_at,
            "Derived": {
                name: [said.status, said.message]
                for name in ALL_IDS
                if (said := self.derived.get(name)) is not None and said != _NOTHING[name]
            },
            "HumanAt": {name: self.human_at[name] for name in ALL_IDS if name in self.human_at},
            "HandETA": [name for name in ALL_IDS if name in self.hand_etas],
            "DoneFor": {
                name: {"PeakTPM": mark.peak_tpm, "At": mark.at, "Message": mark.message}
                for name, mark in self.done_for.items()
            },
        }
        members.update((member, value) for member, value in optional.items() if value)
        return members


def remembering(plan: Plan, memory: Memory) -> Plan:
    """The plan with `memory` in it; the very same object where it holds just that already."""
    wire = memory.wire()
    return plan if plan[MEMORY] == wire else {**plan, MEMORY: wire}
