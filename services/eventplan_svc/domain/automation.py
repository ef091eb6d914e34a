"""What automation derives from the facts, and when it may write it over what stands in a plan.

A milestone is written only when what the newest facts come to differs from what they came to last, and those facts are
newer than the last change a person made to it. What they came to is remembered either way: so a fact that arrives late
leaves the plan as it would be had it come in time, and a fact that says the same again undoes no person's change.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from services.eventplan_svc.domain.editing import UNSAID, Edit, edited
from services.eventplan_svc.domain.facts import FactSheet
from services.eventplan_svc.domain.hardware import hardware_milestones
from services.eventplan_svc.domain.memory import Derivation, Memory, none_yet, remembering
from services.eventplan_svc.domain.milestones import (
    ALL_UPSCALE_IDS,
    AUTOMATED,
    COMMUNICATE_TPM,
    COMPLETED,
    GATHER_PROJECTION,
    HARDWARE_IDS,
    PENDING_ON_OWNER,
    UPDATE_THROTTLING,
    Plan,
)

HOTW_USER: Final = "HOTWAutomation"
EPIC_USER: Final = "EPICAutomation"
PEAK_TPM_MILESTONES: Final = (COMMUNICATE_TPM, UPDATE_THROTTLING)


@dataclass(frozen=True, slots=True)
class Automated:
    """A plan with what automation wrote in it, and the ids of the milestones it wrote, in order."""

    plan: Plan
    written: tuple[str, ...]

    @property
    def user(self) -> str:
        """Who AuditMetadata names: HOTWAutomation where hardware milestones were written, EPICAutomation else."""
        return HOTW_USER if HARDWARE_IDS.intersection(self.written) else EPIC_USER


def automated(plan: Plan, facts: FactSheet, *, at: str) -> Automated:
    """The plan with what `facts` come to; its ETAs must stand for the event's present dates already.

    Idempotent: a second time, `plan` is the very same object and nothing is written.
    """
    memory = Memory.of(plan)
    derived = dict(memory.derived)
    edits: dict[str, Edit] = {}
    for name, said, said_at in _derivations(facts, memory):
        if said == memory.derived.get(name, none_yet(name)):
            continue
        derived[name] = said
        if said_at > memory.human_at.get(name, ""):
            edits[name] = Edit(UNSAID if said.status is None else said.status, said.message)
    if derived == memory.derived:
        return Automated(plan, ())
    after = edited(plan, edits, source=AUTOMATED, at=at) if edits else plan
    written = tuple(name for name in ALL_UPSCALE_IDS if name in edits)
    return Automated(remembering(after, replace(memory, derived=derived)), written)


def _derivations(facts: FactSheet, memory: Memory) -> Iterator[tuple[str, Derivation, str]]:
    """Per milestone what the facts come to, and the instant that became true."""
    if facts.projection is not None:
        yield GATHER_PROJECTION, projection_milestone(facts), facts.projection.at
    if facts.hardware is not None:
        at = max(facts.hardware.at, memory.peak_moved_at)
        for name, said in hardware_milestones(facts.hardware.body, memory.peak_start).items():
            yield name, said, at
    for name in PEAK_TPM_MILESTONES:
        yield name, *peak_tpm_milestone(name, facts, memory)


def projection_milestone(facts: FactSheet) -> Derivation:
    """GatherProjectionFromUpstream: NotStarted without a projection, and again once it is deleted."""
    fact = facts.projection
    if fact is None or fact.deleted:
        return none_yet(GATHER_PROJECTION)
    missing = [] if fact.body.get("IsVerifiedByOwner") else ["the owner"]
    missing += [
        upstream["UpstreamServiceId"]
        for upstream in fact.body.get("UpstreamProjections") or ()
        if not upstream.get("IsVerified")
    ]
    if missing:
        return Derivation(PENDING_ON_OWNER, f"Not verified yet by {', '.join(missing)}")
    return Derivation(COMPLETED, "All upstream projections verified")


@dataclass(frozen=True, slots=True)
class _Done:
    """That a milestone was done, for which PeakTPM (None: for any), when, and in which words."""

    peak_tpm: int | None
    at: str
    message: str | None


def peak_tpm_milestone(name: str, facts: FactSheet, memory: Memory) -> tuple[Derivation, str]:
    """CommunicateTPM and UpdateThrottling: done for one PeakTPM, by a fact or by hand; back when that changes."""
    mark = memory.done_for.get(name)
    candidates = [_Done(mark.peak_tpm, mark.at, mark.message)] if mark else []
    if name == COMMUNICATE_TPM and facts.tpm_sent:
        body = facts.tpm_sent.body
        candidates.append(_Done(body["PeakTPM"], facts.tpm_sent.at, _sent_to(len(body["Downstreams"]))))
    if name == UPDATE_THROTTLING and facts.throttling:
        body = facts.throttling.body
        said = f"Throttling version {body['AppliedVersionId']} applied"
        candidates.append(_Done(body["PeakTPM"], facts.throttling.at, said))
    projection = facts.projection
    if not candidates:
        return none_yet(name), projection.at if projection else ""
    done = max(candidates, key=lambda candidate: candidate.at)
    if projection is None:
        return Derivation(COMPLETED, done.message), done.at
    at = max(done.at, projection.at)
    if done.peak_tpm is None or done.peak_tpm == facts.peak_tpm:
        return Derivation(COMPLETED, done.message), at
    now = "the projection is deleted" if facts.peak_tpm is None else f"PeakTPM is {facts.peak_tpm} now"
    return Derivation(PENDING_ON_OWNER, f"{now}, this was done for {done.peak_tpm}"), at


def _sent_to(downstreams: int) -> str:
    if not downstreams:
        return "No downstream services"
    return f"TPM sent to {downstreams} downstream service" + ("s" if downstreams > 1 else "")
