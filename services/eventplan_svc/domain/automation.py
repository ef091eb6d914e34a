"""What the facts come to for each milestone, and when automation may write it over what a plan holds.

Automation writes a milestone only when the newest facts come to something else than they did last, and those facts are
newer than the last change a person made to the milestone. What the facts came to is remembered either way. So a fact
that arrives late leaves the plan as it would be had it come in time, and a fact that repeats what was known undoes no
person's change.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Final

from services.eventplan_svc.domain.descaling import DESCALING_BY_HOTW, descale_milestones
from services.eventplan_svc.domain.facts import Facts, Projection
from services.eventplan_svc.domain.hardware import HARDWARE_IDS, hardware_milestones
from services.eventplan_svc.domain.inputs import Fleet
from services.eventplan_svc.domain.milestones import ALL_UPSCALE_IDS, DESCALE_IDS, KEEP, Edit, Source
from services.eventplan_svc.domain.plan import AutomationState, Derivation, Plan, nothing_derived
from services.eventplan_svc.domain.tpm import PEAK_TPM_IDS, communicated_tpm, peak_tpm_milestone, tpm_request
from shared.cause import AUTOMATION
from shared.schemas.eventplan_svc import MilestoneId, MilestoneStatus

_HOTW_USER: Final = "HOTWAutomation"


@dataclass(frozen=True, slots=True)
class Automated:
    """A plan with what automation wrote in it, and the milestones that it wrote, in order."""

    plan: Plan
    written: tuple[MilestoneId, ...]

    @property
    def user(self) -> str:
        """Who wrote it: HOTWAutomation where milestones of HOTW were written, else EPICAutomation."""
        by_hotw = HARDWARE_IDS | DESCALING_BY_HOTW
        return _HOTW_USER if by_hotw.intersection(self.written) else AUTOMATION


def automated(plan: Plan, facts: Facts, fleet: Fleet, *, at: str) -> Automated:
    """The plan with what ``facts`` and its fleet come to. Idempotent.

    Its ETAs must follow the event's present dates already.
    """
    first = _writing(plan, _derivations(facts, fleet, plan.automation), at=at)
    # These go by what the plan holds for the projections, which is also a person's word.
    gathered, state = first.plan.is_gathered, first.plan.automation
    tpm = [(name, *peak_tpm_milestone(name, facts, state, gathered=gathered)) for name in PEAK_TPM_IDS]
    second = _writing(first.plan, tpm, at=at)
    after, state = second.plan, second.plan.automation
    request, communicated = tpm_request(after, facts), communicated_tpm(facts, state)
    if (request, communicated) != (state.tpm_request, state.communicated):
        after = replace(after, automation=replace(state, tpm_request=request, communicated=communicated))
    return Automated(after, (*first.written, *second.written))


def _writing(plan: Plan, derivations: Iterable[tuple[MilestoneId, Derivation, str]], *, at: str) -> Automated:
    """The plan with those derivations, each with the instant since when, that differ from what it remembers."""
    state = plan.automation
    changed: dict[MilestoneId, Derivation] = {}
    edits: dict[MilestoneId, Edit] = {}
    for name, derivation, since in derivations:
        if derivation == state.derivation(name):
            continue
        changed[name] = derivation
        if since > state.person_at.get(name, ""):
            edits[name] = Edit(KEEP if derivation.status is None else derivation.status, derivation.message)
    if not changed:
        return Automated(plan, ())
    after = replace(plan.edited(edits, source=Source.AUTOMATED, at=at), automation=state.deriving(changed))
    return Automated(after, tuple(name for name in (*ALL_UPSCALE_IDS, *DESCALE_IDS) if name in edits))


def _derivations(facts: Facts, fleet: Fleet, state: AutomationState) -> Iterator[tuple[MilestoneId, Derivation, str]]:
    """What projection, hardware and descaling come to for each milestone, and the instant since when."""
    if facts.projection is not None:
        yield MilestoneId.GATHER_PROJECTION, _gathered(facts.projection), facts.projection.at
    if facts.hardware is not None:
        at = max(facts.hardware.at, state.peak_moved_at)
        for name, derivation in hardware_milestones(facts.hardware, state.peak_start).items():
            yield name, derivation, at
    yield from descale_milestones(facts, fleet, state)


def _gathered(projection: Projection) -> Derivation:
    """GatherProjectionFromUpstream: not started again once the projection is deleted."""
    if projection.deleted:
        return nothing_derived(MilestoneId.GATHER_PROJECTION)
    if projection.unverified:
        message = f"Not verified yet by {', '.join(projection.unverified)}"
        return Derivation(MilestoneStatus.PENDING_ON_SERVICE_OWNER, message)
    return Derivation(MilestoneStatus.COMPLETED, "All upstream projections verified")
