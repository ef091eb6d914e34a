"""What the facts come to for each milestone, and when automation may write it over what a plan holds.

Automation writes a milestone only when the newest facts come to something else than they did last, and those facts are
newer than the last change a person made to the milestone. What the facts came to is remembered either way. So a fact
that arrives late leaves the plan as it would be had it come in time, and a fact that repeats what was known undoes no
person's change.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from services.eventplan_svc.domain.facts import Facts, Projection
from services.eventplan_svc.domain.hardware import HARDWARE_IDS, hardware_milestones
from services.eventplan_svc.domain.milestones import ALL_UPSCALE_IDS, KEEP, Edit, Source
from services.eventplan_svc.domain.plan import AutomationState, Derivation, Plan, nothing_derived
from shared.cause import AUTOMATION
from shared.schemas.eventplan_svc import MilestoneId, MilestoneStatus

PEAK_TPM_IDS: Final = (MilestoneId.COMMUNICATE_TPM, MilestoneId.UPDATE_THROTTLING)
"""The milestones that are done for one PeakTPM."""
_HOTW_USER: Final = "HOTWAutomation"


@dataclass(frozen=True, slots=True)
class Automated:
    """A plan with what automation wrote in it, and the milestones that it wrote, in order."""

    plan: Plan
    written: tuple[MilestoneId, ...]

    @property
    def user(self) -> str:
        """Who wrote it: HOTWAutomation where hardware milestones were written, else EPICAutomation."""
        return _HOTW_USER if HARDWARE_IDS.intersection(self.written) else AUTOMATION


def automated(plan: Plan, facts: Facts, *, at: str) -> Automated:
    """The plan with what ``facts`` come to. Its ETAs must follow the event's present dates already. Idempotent."""
    state = plan.automation
    changed: dict[MilestoneId, Derivation] = {}
    edits: dict[MilestoneId, Edit] = {}
    for name, derivation, since in _derivations(facts, state):
        if derivation == state.derivation(name):
            continue
        changed[name] = derivation
        if since > state.person_at.get(name, ""):
            edits[name] = Edit(KEEP if derivation.status is None else derivation.status, derivation.message)
    if not changed:
        return Automated(plan, ())
    after = replace(plan.edited(edits, source=Source.AUTOMATED, at=at), automation=state.deriving(changed))
    return Automated(after, tuple(name for name in ALL_UPSCALE_IDS if name in edits))


def _derivations(facts: Facts, state: AutomationState) -> Iterator[tuple[MilestoneId, Derivation, str]]:
    """What the facts come to for each milestone, and the instant since when."""
    if facts.projection is not None:
        yield MilestoneId.GATHER_PROJECTION, _gathered(facts.projection), facts.projection.at
    if facts.hardware is not None:
        at = max(facts.hardware.at, state.peak_moved_at)
        for name, derivation in hardware_milestones(facts.hardware, state.peak_start).items():
            yield name, derivation, at
    for name in PEAK_TPM_IDS:
        yield name, *peak_tpm_milestone(name, facts, state)


def _gathered(projection: Projection) -> Derivation:
    """GatherProjectionFromUpstream: not started again once the projection is deleted."""
    if projection.deleted:
        return nothing_derived(MilestoneId.GATHER_PROJECTION)
    if projection.unverified:
        message = f"Not verified yet by {', '.join(projection.unverified)}"
        return Derivation(MilestoneStatus.PENDING_ON_SERVICE_OWNER, message)
    return Derivation(MilestoneStatus.COMPLETED, "All upstream projections verified")


def peak_tpm_milestone(name: MilestoneId, facts: Facts, state: AutomationState) -> tuple[Derivation, str]:
    """A milestone that a person completed for one PeakTPM, and falls back when that changes; and since when.

    A milestone that was done before there was a PeakTPM falls back when there is one (6.4.53 to 6.4.55).
    """
    done, projection_at = state.done_for.get(name), facts.projection.at if facts.projection else ""
    if done is None:
        return nothing_derived(name), projection_at
    at = max(done.at, projection_at)
    if facts.projection is None or done.peak_tpm == facts.peak_tpm:
        return Derivation(MilestoneStatus.COMPLETED, done.message), at
    now = "the projection is deleted" if facts.peak_tpm is None else f"PeakTPM is {facts.peak_tpm} now"
    then = "before there was one" if done.peak_tpm is None else f"for {done.peak_tpm}"
    return Derivation(MilestoneStatus.PENDING_ON_SERVICE_OWNER, f"{now}, this was done {then}"), at
