"""What the facts come to for the four descale milestones (7.12.17 to 7.12.20); none of them colours a plan."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from services.eventplan_svc.domain.facts import Execution, Facts
from services.eventplan_svc.domain.inputs import Fleet
from services.eventplan_svc.domain.plan import AutomationState, Derivation, nothing_derived
from shared.schemas.eventplan_svc import MilestoneId, MilestoneStatus
from shared.schemas.hotw_svc import ExecutionStatus

DESCALING_BY_HOTW: Final = frozenset({MilestoneId.PLACE_DESCALE_ORDER, MilestoneId.DESCALE_FULFILLMENT})
"""The descale milestones that go by the Descaling executions of HOTW."""


def descale_milestones(
    facts: Facts, fleet: Fleet, state: AutomationState
) -> Iterator[tuple[MilestoneId, Derivation, str]]:
    """Each with what it comes to, and the instant since when; none where there is no fact about it."""
    bau, descale, applied = facts.bau, facts.descale, facts.applied
    if bau is not None or descale is not None:
        at = max("" if bau is None else bau.at, "" if descale is None else descale.at)
        yield MilestoneId.GATHER_DESCALE_PROJECTIONS, _gathered(facts), at
    if descale is not None:
        yield MilestoneId.PLACE_DESCALE_ORDER, _placed(descale.execution), descale.at
        at = max(descale.at, fleet.changed_at)
        yield MilestoneId.DESCALE_FULFILLMENT, _fulfilled(descale.execution, fleet.desired_capacity), at
    if applied is not None:
        restored = nothing_derived(MilestoneId.RESTORE_THROTTLING)
        if applied.at[:10] > state.peak_end:  # the peak's last day is over
            message = f"Version {applied.applied_version} of the throttling is applied after the peak"
            restored = Derivation(MilestoneStatus.COMPLETED, message)
        yield MilestoneId.RESTORE_THROTTLING, restored, max(applied.at, state.peak_moved_at)


def _gathered(facts: Facts) -> Derivation:
    """GatherDescaleProjections: known by the fleet's traffic, or by what its execution worked from (7.12.17)."""
    execution = None if facts.descale is None else facts.descale.execution
    if (facts.bau is not None and facts.bau.known) or (execution is not None and execution.bau_tpm is not None):
        return Derivation(MilestoneStatus.COMPLETED, "BAUTPM is known")
    if execution is None:
        return nothing_derived(MilestoneId.GATHER_DESCALE_PROJECTIONS)
    return Derivation(MilestoneStatus.PENDING_ON_SERVICE_OWNER, "BAUTPM is not known")


def _placed(execution: Execution | None) -> Derivation:
    """PlaceDescaleOrder: Completed with a Success (7.12.18)."""
    if execution is None:
        return nothing_derived(MilestoneId.PLACE_DESCALE_ORDER)
    if execution.status is not ExecutionStatus.SUCCESS:
        return Derivation(MilestoneStatus.BLOCKED, execution.reasoning)
    surplus = execution.capacity_override_sum
    message = f"{_hosts(surplus)} to descale via HOTW" if surplus else "Nothing to descale"
    return Derivation(MilestoneStatus.COMPLETED, message)


def _fulfilled(execution: Execution | None, capacity: int) -> Derivation:
    """DescaleFulfillment: Completed when the reported capacity is down to the target (7.12.19)."""
    if execution is None or execution.status is not ExecutionStatus.SUCCESS or execution.required_hosts is None:
        return nothing_derived(MilestoneId.DESCALE_FULFILLMENT)
    target = execution.required_hosts
    status = MilestoneStatus.COMPLETED if capacity <= target else MilestoneStatus.IN_PROGRESS
    return Derivation(status, f"{_hosts(capacity)} reported, {target} is the target")


def _hosts(count: int) -> str:
    return "1 host" if count == 1 else f"{count} hosts"
