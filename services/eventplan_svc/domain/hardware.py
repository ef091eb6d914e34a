"""What the newest hardware fact and the event's dates come to for the four hardware milestones."""

from __future__ import annotations

from typing import Final

from services.eventplan_svc.domain.facts import Hardware
from services.eventplan_svc.domain.plan import Derivation
from shared.schemas.eventplan_svc import MilestoneId, MilestoneStatus
from shared.schemas.hotw_svc import ExecutionStatus

HARDWARE_IDS: Final = frozenset(
    {
        MilestoneId.HARDWARE_ORDER,
        MilestoneId.PLACE_HARDWARE_ORDER,
        MilestoneId.HARDWARE_ORDER_APPROVAL,
        MilestoneId.HARDWARE_FULFILLMENT,
    }
)
_NO_HOSTS_NEEDED: Final = "No hosts needed"
_NOTHING_NEEDED: Final = Derivation(MilestoneStatus.COMPLETED, _NO_HOSTS_NEEDED)
_NOT_STARTED: Final = Derivation(MilestoneStatus.NOT_STARTED)


def hardware_milestones(hardware: Hardware, peak_start: str) -> dict[MilestoneId, Derivation]:
    """HardwareOrder (its message alone: its status follows its subs), its two subs and HardwareFulfillment."""
    return {
        MilestoneId.HARDWARE_ORDER: Derivation(None, _order_message(hardware)),
        MilestoneId.PLACE_HARDWARE_ORDER: _placed(hardware),
        MilestoneId.HARDWARE_ORDER_APPROVAL: _approved(hardware),
        MilestoneId.HARDWARE_FULFILLMENT: _fulfilled(hardware, peak_start),
    }


def _needs_nothing(hardware: Hardware) -> bool:
    """Whether there is nothing to order, nothing on order, and nothing lost that has to be ordered anew (6.4.19)."""
    execution = hardware.execution
    if execution is None or execution.status is not ExecutionStatus.SUCCESS or execution.capacity_override_sum:
        return False
    return not hardware.gap and not any(order.is_live or order.is_lost for order in hardware.orders)


def _missing(hardware: Hardware) -> int:
    """The hosts that nobody brings: undelivered ones of lost orders and the shortfall, else the gap (6.4.19a, b)."""
    undelivered = sum(order.fulfillment_value - order.fulfilled_hosts for order in hardware.orders if order.is_lost)
    shortfall = hardware.execution.shortfall if hardware.execution else 0
    return undelivered + shortfall or hardware.gap


def hosts_missing(hardware: Hardware | None) -> int:
    """HostsMissing (6.6.10): what live orders have still to deliver, and the gap if one is open, else the shortfall."""
    if hardware is None:
        return 0
    undelivered = sum(order.fulfillment_value - order.fulfilled_hosts for order in hardware.orders if order.is_live)
    return undelivered + (hardware.gap or (hardware.execution.shortfall if hardware.execution else 0))


def _order_message(hardware: Hardware) -> str | None:
    """6.4.31 to 6.4.33; None before there is an order."""
    if _needs_nothing(hardware):
        return _NO_HOSTS_NEEDED
    if not hardware.orders:
        return None
    newest, execution = max(order.execution_id for order in hardware.orders), hardware.execution
    message = f"[Automated] Hardware order placed: SPCO-{newest}"
    if execution is not None and execution.cap_reason:
        message += f" ({execution.needed} needed, {execution.required_hosts} is {execution.cap_reason})"
    return message


def _placed(hardware: Hardware) -> Derivation:
    """PlaceHardwareOrder: the first rule that fits (6.4.20 to 6.4.25b)."""
    execution = hardware.execution
    if execution is not None and execution.status is ExecutionStatus.FAIL:
        return Derivation(MilestoneStatus.BLOCKED, execution.reasoning)
    if execution is not None and execution.status is ExecutionStatus.PARTIAL_SUCCESS:
        wanted = _hosts(execution.capacity_override_sum)
        message = f"{execution.ordered_hosts} of {wanted} ordered, {execution.shortfall} found no room"
        return Derivation(MilestoneStatus.BLOCKED, message)
    if hardware.gap:
        return Derivation(MilestoneStatus.PENDING_ON_EPIC, f"gap of {_hosts(hardware.gap)}")
    live = [order for order in hardware.orders if order.is_live]
    if live:
        ordered = sum(order.fulfillment_value for order in live)
        return Derivation(MilestoneStatus.COMPLETED, f"{_hosts(ordered)} ordered via HOTW")
    if any(order.is_lost for order in hardware.orders):
        return Derivation(MilestoneStatus.PENDING_ON_EPIC, f"{_hosts(_missing(hardware))} to be ordered anew")
    if _needs_nothing(hardware):
        return _NOTHING_NEEDED
    if execution is not None:  # a Success with a need: an outside engine has not ordered yet
        wanted = _hosts(execution.capacity_override_sum)
        return Derivation(MilestoneStatus.PENDING_ON_EPIC, f"{wanted} to be ordered")
    return _NOT_STARTED


def _approved(hardware: Hardware) -> Derivation:
    """HardwareOrderApproval: the first rule that fits (6.4.26 to 6.4.30)."""
    lost = [order for order in hardware.orders if order.is_lost]
    if lost:
        newest = max(lost, key=lambda order: (order.execution_id, order.fulfillment_id))
        reason = newest.reason or f"order {newest.fulfillment_id} was {newest.fulfillment_status.lower()}"
        return Derivation(MilestoneStatus.BLOCKED, reason)
    live = [order for order in hardware.orders if order.is_live]
    if live:
        approved = sum(order.is_approved for order in live)
        if approved == len(live):
            return Derivation(MilestoneStatus.COMPLETED, "Order approved by AWS")
        return Derivation(MilestoneStatus.PENDING_ON_EPIC, f"{approved} of {len(live)} approved")
    return _NOTHING_NEEDED if _needs_nothing(hardware) else _NOT_STARTED


def _fulfilled(hardware: Hardware, peak_start: str) -> Derivation:
    """HardwareFulfillment: the first rule that fits (6.4.34 to 6.4.40).

    A delivery on the peak's first day comes after its start.
    """
    waiting = [order for order in hardware.orders if order.is_open]
    if any(order.fulfillment_date >= peak_start for order in waiting):
        return Derivation(MilestoneStatus.BLOCKED, "arrives after the peak")
    live, missing = sum(order.is_live for order in hardware.orders), _missing(hardware)
    if waiting:
        return Derivation(MilestoneStatus.IN_PROGRESS, f"{len(waiting)} of {live} orders pending")
    if live:
        delivered = f"{live} of {live} orders delivered"
        if not missing:
            return Derivation(MilestoneStatus.COMPLETED, delivered)
        return Derivation(MilestoneStatus.PENDING_ON_EPIC, f"{delivered}, {_hosts(missing)} still missing")
    lost = [order for order in hardware.orders if order.is_lost]
    came = sum(order.fulfilled_hosts for order in lost)
    if came:
        wanted = _hosts(sum(order.fulfillment_value for order in lost))
        return Derivation(MilestoneStatus.PENDING_ON_EPIC, f"{came} of {wanted} came, {missing} still missing")
    return _NOTHING_NEEDED if _needs_nothing(hardware) else _NOT_STARTED


def _hosts(count: int) -> str:
    return "1 host" if count == 1 else f"{count} hosts"
