"""What the newest hardware fact and the event's dates come to for the four hardware milestones: one pure function."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

from services.eventplan_svc.domain.memory import Derivation
from services.eventplan_svc.domain.milestones import (
    BLOCKED,
    COMPLETED,
    FULFILLMENT,
    HARDWARE_ORDER,
    IN_PROGRESS,
    NOT_STARTED,
    ORDER_APPROVAL,
    PENDING_ON_EPIC,
    PLACE_ORDER,
)

NO_HOSTS_NEEDED: Final = "No hosts needed"
_NOT_STARTED: Final = Derivation(NOT_STARTED, None)
_DEAD: Final = frozenset(("Rejected", "Cancelled", "Expired"))

Order = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class _Hardware:
    """A hardware fact's body, its orders sorted as HOTW rule 8 tells them apart."""

    execution: Mapping[str, Any]
    orders: Sequence[Order]
    live: Sequence[Order]
    open: Sequence[Order]
    lost: Sequence[Order]
    gap: int

    @classmethod
    def of(cls, body: Mapping[str, Any]) -> Self:
        orders = body.get("Orders") or ()
        live = [order for order in orders if order["FulfillmentStatus"] not in _DEAD]
        return cls(
            execution=body.get("Execution") or {},
            orders=orders,
            live=live,
            open=[order for order in live if order["FulfillmentStatus"] != "Fulfilled"],
            lost=[o for o in orders if o["FulfillmentStatus"] in _DEAD and not o.get("Superseded")],
            gap=body.get("Gap") or 0,
        )

    @property
    def status(self) -> str | None:
        return self.execution.get("Status")

    @property
    def needed(self) -> int:
        """The hosts the latest execution found to be missing."""
        return self.execution.get("CapacityOverrideSum") or 0

    @property
    def shortfall(self) -> int:
        return self.execution.get("Shortfall") or 0

    @property
    def undelivered_of_lost(self) -> int:
        return sum(order["FulfillmentValue"] - (order.get("FulfilledHosts") or 0) for order in self.lost)

    @property
    def needs_nothing(self) -> bool:
        """Nothing to order, nothing on order, nothing lost that has to be ordered anew."""
        return self.status == "Success" and not (self.needed or self.live or self.lost or self.gap)


def hardware_milestones(body: Mapping[str, Any], peak_start: str) -> dict[str, Derivation]:
    """HardwareOrder (its message only: its status follows its subs), its two subs and HardwareFulfillment.

    `body` is {Execution, Orders, Gap}; `peak_start` the day the peak starts, at 00:00 UTC.
    """
    hardware = _Hardware.of(body)
    placed = _placed(hardware)
    return {
        HARDWARE_ORDER: Derivation(None, _own_message(hardware)),
        PLACE_ORDER: placed,
        ORDER_APPROVAL: _approved(hardware),
        FULFILLMENT: _fulfilled(hardware, peak_start),
    }


def _own_message(hardware: _Hardware) -> str | None:
    if hardware.needs_nothing:
        message = NO_HOSTS_NEEDED
    elif hardware.orders:
        newest = max(order["ExecutionId"] for order in hardware.orders)
        message = f"[Automated] Hardware order placed: SPCO-{newest}"
    else:
        return None
    execution = hardware.execution
    if execution.get("CapReason"):
        message += f" ({execution['Needed']} needed, {execution['RequiredHosts']} is {execution['CapReason']})"
    return message


def _placed(hardware: _Hardware) -> Derivation:
    """PlaceHardwareOrder: the first rule that fits."""
    execution = hardware.execution
    if hardware.status == "Fail":
        return Derivation(BLOCKED, execution.get("Reasoning"))
    if hardware.status == "PartialSuccess":
        ordered = execution.get("OrderedHosts") or 0
        said = f"{ordered} of {hosts(hardware.needed)} ordered, {hardware.shortfall} found no room"
        return Derivation(BLOCKED, said)
    if hardware.gap:
        return Derivation(PENDING_ON_EPIC, f"gap of {hosts(hardware.gap)}")
    if hardware.live:
        ordered = sum(order["FulfillmentValue"] for order in hardware.live)
        return Derivation(COMPLETED, f"{hosts(ordered)} ordered via HOTW")
    if hardware.lost:
        return Derivation(PENDING_ON_EPIC, f"{hosts(hardware.undelivered_of_lost)} to be ordered anew")
    if hardware.needs_nothing:
        return Derivation(COMPLETED, NO_HOSTS_NEEDED)
    if hardware.status == "Success":  # an outside engine that found a need and told of no order
        return Derivation(PENDING_ON_EPIC, f"{hosts(hardware.needed)} to be ordered")
    return _NOT_STARTED


def _approved(hardware: _Hardware) -> Derivation:
    """HardwareOrderApproval."""
    if hardware.lost:
        newest = max(hardware.lost, key=lambda order: (order["ExecutionId"], order["FulfillmentId"]))
        reason = newest.get("Reason") or f"order {newest['FulfillmentId']} was {newest['FulfillmentStatus'].lower()}"
        return Derivation(BLOCKED, reason)
    if hardware.live:
        approved = sum(map(_is_approved, hardware.live))
        if approved == len(hardware.live):
            return Derivation(COMPLETED, "Order approved by AWS")
        return Derivation(PENDING_ON_EPIC, f"{approved} of {len(hardware.live)} approved")
    return Derivation(COMPLETED, NO_HOSTS_NEEDED) if hardware.needs_nothing else _NOT_STARTED


def _is_approved(order: Order) -> bool:
    status = order["FulfillmentStatus"]
    return status in ("Approved", "Fulfilled") or (status == "Delayed" and bool(order.get("EverApproved")))


def _fulfilled(hardware: _Hardware, peak_start: str) -> Derivation:
    """HardwareFulfillment: the first rule that fits. A delivery due on the peak's first day comes after its start."""
    if any(order["FulfillmentDate"] >= peak_start for order in hardware.open):
        return Derivation(BLOCKED, "arrives after the peak")
    live = len(hardware.live)
    if hardware.open:
        return Derivation(IN_PROGRESS, f"{len(hardware.open)} of {live} orders pending")
    missing = hardware.undelivered_of_lost + hardware.shortfall or hardware.gap
    if live and not (hardware.lost or missing):
        return Derivation(COMPLETED, f"{live} of {live} orders delivered")
    if live:
        return Derivation(PENDING_ON_EPIC, f"{live} of {live} orders delivered, {hosts(missing)} still missing")
    return Derivation(COMPLETED, NO_HOSTS_NEEDED) if hardware.needs_nothing else _NOT_STARTED


def hosts(count: int) -> str:
    """The number of hosts in words."""
    return "1 host" if count == 1 else f"{count} hosts"
