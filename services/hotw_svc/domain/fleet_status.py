"""What the HOTW dashboard says of a fleet in one sentence, and who has to act next (7.17.13 to 7.17.16)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, NamedTuple

from services.hotw_svc.domain.orders.order_book import OrderTotals
from shared.schemas.eventplan_svc import MilestoneId, MilestoneStatus, action_pending_on
from shared.schemas.hotw_svc import ExecutionStatus

HARDWARE_MILESTONES: Final = (
    MilestoneId.PLACE_HARDWARE_ORDER,
    MilestoneId.HARDWARE_ORDER_APPROVAL,
    MilestoneId.HARDWARE_FULFILLMENT,
)
_EPIC, _AWS, _FMC = "EPIC", "AWS", "FMC"


@dataclass(frozen=True, slots=True)
class HardwareMilestone:
    """One of ``HARDWARE_MILESTONES`` as a fleet's plan has it."""

    id: MilestoneId
    status: MilestoneStatus
    message: str | None = None


class FleetStatus(NamedTuple):
    """StatusReasoning and ActionPendingOn of a dashboard row; None: there is nothing to say, nobody has to act."""

    reasoning: str | None
    pending_on: str | None


def planned_status(milestones: Iterable[HardwareMilestone], owner: str | None) -> FleetStatus:
    """The status of a fleet that has a plan: that of the first open one of the plan's hardware milestones, in order.

    ``owner`` is the service's. What a person wrote on the milestone is therefore shown as it stands.
    """
    for milestone in milestones:
        if milestone.status is not MilestoneStatus.COMPLETED:
            return FleetStatus(milestone.message, action_pending_on(milestone.id, milestone.status, owner))
    return FleetStatus(None, None)


def unplanned_status(totals: OrderTotals, status: str | None, reasoning: str | None) -> FleetStatus:
    """The status of a fleet without a plan: what failed or was lost first, then approval, then delivery.

    ``status`` and ``reasoning`` are those of the latest execution, None where there is none.
    """
    if status == ExecutionStatus.FAIL:
        return FleetStatus(reasoning, _EPIC)
    if totals.lost_orders:
        orders = "1 order" if totals.lost_orders == 1 else f"{totals.lost_orders} orders"
        return FleetStatus(f"{orders} lost: hosts to be ordered anew", _EPIC)
    if status == ExecutionStatus.PARTIAL_SUCCESS:
        return FleetStatus(reasoning, _EPIC)
    if totals.granted_orders < totals.live_orders:
        return FleetStatus(f"{totals.granted_orders} of {totals.live_orders} orders approved", _AWS)
    if totals.open_orders:
        return FleetStatus(f"{totals.open_orders} of {totals.live_orders} orders pending", _FMC)
    if totals.live_orders:
        return FleetStatus(f"{totals.fulfilled_hosts:,} hosts delivered", None)
    if status is None:
        return FleetStatus("HOTW has not run for this fleet yet", _EPIC)
    return FleetStatus("No hosts needed", None)


def descaling_status(status: str | None, reasoning: str | None, surplus: int | None) -> FleetStatus:
    """The status of a fleet on the dashboard of descaling, by its latest Descaling execution."""
    if status is None:
        return FleetStatus("HOTW has not run the descaling of this fleet yet", _EPIC)
    if status == ExecutionStatus.FAIL:
        return FleetStatus(reasoning, _EPIC)
    if not surplus:
        return FleetStatus("Nothing to descale", None)
    return FleetStatus(f"{surplus:,} {'host' if surplus == 1 else 'hosts'} to descale", None)
