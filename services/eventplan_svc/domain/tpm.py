"""The two milestones that are done for one PeakTPM: communicating it to the downstream services, and throttling.

A person may complete both by hand; that holds for the PeakTPM of that moment (6.4.53 to 6.4.55).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from services.eventplan_svc.domain.facts import Downstream, Facts
from services.eventplan_svc.domain.plan import AutomationState, Derivation, DoneFor, Plan, TPMRequest, nothing_derived
from shared.schemas.eventplan_svc import MilestoneId, MilestoneStatus

PEAK_TPM_IDS: Final = (MilestoneId.COMMUNICATE_TPM, MilestoneId.UPDATE_THROTTLING)
"""The milestones that are done for one PeakTPM."""

NO_DOWNSTREAM: Final = Derivation(MilestoneStatus.COMPLETED, "No downstream services")


def peak_tpm_milestone(
    name: MilestoneId, facts: Facts, state: AutomationState, *, gathered: bool
) -> tuple[Derivation, str]:
    """What the facts come to for one of the two, and since when. ``gathered``: the projections are all verified."""
    if name is MilestoneId.UPDATE_THROTTLING:
        return _throttled(facts, state)
    return _communicated(facts, state, gathered=gathered), _communicated_at(facts, state)


def tpm_request(plan: Plan, facts: Facts) -> TPMRequest | None:
    """What is to be communicated now: each time the projections become verified, and at each change of the PeakTPM or
    of the downstream services while they are (6.4.43, 6.4.43a, 6.4.49). A closed plan asks for no mail.
    """
    peak_tpm, downstream = facts.peak_tpm, facts.downstream
    if plan.closed or peak_tpm is None or not downstream or not plan.is_gathered:
        return None
    services = tuple(one.service_id for one in downstream)
    last = plan.automation.tpm_request
    if (
        last is None
        or (last.service_id, last.peak_tpm) != (plan.service_id, peak_tpm)
        or set(services) - set(last.services)
    ):
        return TPMRequest(plan.service_id, peak_tpm, services)
    return last


def communicated_tpm(facts: Facts, state: AutomationState) -> int | None:
    """The PeakTPM that all downstream services have last been sent."""
    is_sent = facts.downstream and all(one.is_sent for one in facts.downstream)
    return facts.peak_tpm if is_sent else state.communicated


def _communicated(facts: Facts, state: AutomationState, *, gathered: bool) -> Derivation:
    """CommunicateTPMToDownstream (6.4.46 to 6.4.49, 6.4.53, 6.4.53a)."""
    name, peak_tpm, downstream = MilestoneId.COMMUNICATE_TPM, facts.peak_tpm, facts.downstream
    done, last = state.done_for.get(name), state.derivation(name)
    if done is not None and (facts.projection is None or done.peak_tpm == peak_tpm):
        late = [one for one in downstream if not one.is_sent and one.changed_at > done.at]
        return _waiting(late) if late else Derivation(MilestoneStatus.COMPLETED, done.message)
    if not downstream:
        if done is not None:
            return Derivation(MilestoneStatus.COMPLETED, done.message)
        return NO_DOWNSTREAM if gathered or last == NO_DOWNSTREAM else nothing_derived(name)
    failed = [one for one in downstream if one.mail is not None and not one.mail.sent]
    if failed:
        return Derivation(MilestoneStatus.PENDING_ON_EPIC, f"The mail to {_names(failed)} failed")
    waiting = [one for one in downstream if not one.is_sent]
    if not waiting and peak_tpm is not None:
        count = f"{len(downstream)} {'service' if len(downstream) == 1 else 'services'}"
        return Derivation(MilestoneStatus.COMPLETED, f"TPM of {peak_tpm:,} sent to {count}")
    if peak_tpm is not None and state.communicated == peak_tpm:
        return _waiting(waiting)
    if done is not None or state.communicated is not None:
        return _fallen_back(facts, state.communicated if done is None else done.peak_tpm)
    # Before the first mails are sent nothing has happened yet. After that, who is waited for is new.
    return nothing_derived(name) if last == nothing_derived(name) else _waiting(waiting)


def _communicated_at(facts: Facts, state: AutomationState) -> str:
    gathered_at = state.person_at.get(MilestoneId.GATHER_PROJECTION, "")
    done = state.done_for.get(MilestoneId.COMMUNICATE_TPM)
    return _latest(facts, done, gathered_at, *(one.changed_at for one in facts.downstream))


def _throttled(facts: Facts, state: AutomationState) -> tuple[Derivation, str]:
    """UpdateThrottlingInSDC: by a person's word or by the limits, whichever is newer (6.4.50 to 6.4.52, 6.4.54)."""
    name, limits, applied = MilestoneId.UPDATE_THROTTLING, facts.limits, facts.applied
    done = state.done_for.get(name)
    limits_at = max("" if limits is None else limits.at, "" if applied is None else applied.at)
    at = _latest(facts, done, limits_at)
    if done is not None and done.at >= limits_at:
        if facts.projection is None or done.peak_tpm == facts.peak_tpm:
            return Derivation(MilestoneStatus.COMPLETED, done.message), at
        return _fallen_back(facts, done.peak_tpm), at
    pending = MilestoneStatus.PENDING_ON_SERVICE_OWNER
    if limits is not None and limits.deleted and (applied is None or applied.applied_version <= limits.version):
        return Derivation(pending, "The throttling is deleted"), at
    if applied is not None and (limits is None or applied.applied_version >= limits.version):
        if applied.peak_tpm != facts.peak_tpm:
            return _fallen_back(facts, applied.peak_tpm), at
        peak_tpm = "" if applied.peak_tpm is None else f" for {applied.peak_tpm:,} TPM"
        message = f"Version {applied.applied_version} of the throttling is applied{peak_tpm}"
        return Derivation(MilestoneStatus.COMPLETED, message), at
    if limits is not None:
        return Derivation(pending, f"Version {limits.version} of the throttling is not applied yet"), at
    return nothing_derived(name), at


def _fallen_back(facts: Facts, before: int | None) -> Derivation:
    now = "the projection is deleted" if facts.peak_tpm is None else f"PeakTPM is {facts.peak_tpm} now"
    then = "before there was one" if before is None else f"for {before}"
    return Derivation(MilestoneStatus.PENDING_ON_SERVICE_OWNER, f"{now}, this was done {then}")


def _latest(facts: Facts, done: DoneFor | None, *instants: str) -> str:
    return max(facts.projection.at if facts.projection else "", "" if done is None else done.at, *instants)


def _waiting(services: Iterable[Downstream]) -> Derivation:
    return Derivation(MilestoneStatus.PENDING_ON_EPIC, f"Not sent yet to {_names(services)}")


def _names(services: Iterable[Downstream]) -> str:
    return ", ".join(one.service_id for one in services)
