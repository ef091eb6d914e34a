"""The contracts of hotw_svc: runs, executions, orders, and the facts it publishes about a fleet's hardware."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from pydantic import Field

from shared.schemas.base import (
    CommandBody,
    Count,
    Flag,
    Id,
    Instant,
    Link,
    Name,
    PositiveCount,
    Text,
    WireDate,
    WireModel,
)


class OrderType(StrEnum):
    STANDARD = "Standard"
    EMERGENT = "Emergent"


class Purpose(StrEnum):
    UPSCALING = "Upscaling"
    DESCALING = "Descaling"


class RunStatus(StrEnum):
    RUNNING = "Running"
    COMPLETED = "Completed"
    CANCELLED = "Cancelled"


class Engine(StrEnum):
    """Who worked a run out: EPIC, or an outside engine whose results EPIC only records (7.0.21)."""

    EPIC = "EPIC"
    EXTERNAL = "External"


class ExecutionStatus(StrEnum):
    SUCCESS = "Success"
    PARTIAL_SUCCESS = "PartialSuccess"
    FAIL = "Fail"


STANDARD_LEAD_DAYS: Final = 14
"""Days from a Standard order to its FulfillmentDate (7.8.43)."""


class FulfillmentStatus(StrEnum):
    PENDING = "Pending"
    APPROVED = "Approved"
    REJECTED = "Rejected"
    CANCELLED = "Cancelled"
    DELAYED = "Delayed"
    FULFILLED = "Fulfilled"
    EXPIRED = "Expired"


class Decision(StrEnum):
    APPROVE = "Approve"
    REJECT = "Reject"
    CANCEL = "Cancel"
    DELAY = "Delay"


# -- commands: the body of HTTP plus the path's ids --------------------------------------------------------------------


class StartRun(CommandBody):
    """``POST /hotw/run``: a run of the event's fleets, or of the fleets and of the services' fleets that are named.

    A named fleet that does not belong to the event gets a Fail, which says why. A dry run works everything out and
    orders nothing: it takes no locks, publishes nothing, and no dashboard shows its executions. Descaling gives up what
    the fleets have over the hosts that their BAUTPM needs; until the peak has ended it has only dry runs.
    """

    event_id: Id
    fleet_ids: list[Id] | None = Field(default=None, min_length=1)
    service_ids: list[Id] | None = Field(default=None, min_length=1)
    order_type: OrderType | None = None
    purpose: Purpose = Purpose.UPSCALING
    dry_run: Flag = False


class CancelRun(CommandBody):
    """``PUT /hotw/run/{RunId}/cancel``."""

    run_id: PositiveCount


class ExecuteFleet(CommandBody):
    """``POST /hotw/atomic/{FleetId}/{EventId}``: the atomic trigger, a run of one fleet."""

    event_id: Id
    fleet_id: Id
    order_type: OrderType | None = None
    purpose: Purpose = Purpose.UPSCALING
    dry_run: Flag = False


class ReviewOrder(CommandBody):
    """``PUT /hotw/order/{FulfillmentId}``."""

    fulfillment_id: Name
    decision: Decision
    reason: Text | None = None
    fulfillment_date: WireDate | None = None
    fulfillment_link: Link | None = None


class ReportDelivery(CommandBody):
    """``PUT /hotw/order/{FulfillmentId}/delivery``: the total delivered so far."""

    fulfillment_id: Name
    fulfilled_hosts: Count
    delivered_at: Instant | None = None


# -- events ------------------------------------------------------------------------------------------------------------


class ExecutionFact(WireModel):
    """The latest execution of a fleet that counts."""

    execution_id: PositiveCount
    run_id: PositiveCount
    order_type: OrderType
    status: ExecutionStatus
    reasoning: Text
    needed: Count | None = None
    required_hosts: Count | None = None
    hosts_present_in_apollo: int | None = None
    pending_epicfmc_host_order: Count | None = Field(default=None, alias="PendingEPICFMCHostOrder")
    capacity_override_sum: Count | None = None
    ordered_hosts: Count = 0
    shortfall: Count = 0
    cap_reason: Text | None = None
    bau_tpm: Count | None = Field(default=None, description="What a Descaling execution took for the PeakTPM.")
    created_at: Instant


class OrderFact(WireModel):
    """One order of a fleet, event and purpose. ``ApprovalRule`` is the RuleId of the rule that approved it.

    ``Late``: it is open, and its FulfillmentDate is not before the peak (7.8.46).
    """

    fulfillment_id: Name
    execution_id: PositiveCount
    run_id: PositiveCount
    auto_scaling_group_name: Name
    availability_zone: Name | None = None
    fulfillment_type: OrderType
    fulfillment_status: FulfillmentStatus
    ever_approved: bool = False
    fulfillment_value: Count
    fulfilled_hosts: Count = 0
    fulfillment_date: WireDate
    reason: Text | None = None
    superseded: bool = False
    approval_rule: Id | None = None
    late: bool = False
    fulfillment_link: str | None = None

    @property
    def zone(self) -> str:
        """The zone to count its hosts in; Unknown where the fleet does not have its ASG."""
        return self.availability_zone or UNKNOWN_ZONE


UNKNOWN_ZONE: Final = "Unknown"


class HardwareFact(WireModel):
    """Every ``hotw.*`` fact about a fleet: its latest execution that counts and all its orders.

    ``Gap`` is how many hosts the fleet lacks since an input changed; ``Since``, in ``hotw.gap.*``, is when it opened.
    Facts of one fleet, event and purpose are ordered by ``OrdersVersionId``, whatever their topic.
    ``FulfillmentIds`` names the orders this fact is about. ``WithdrawalReason`` is why the fleet takes no part any more
    in the event (7.9.17 to 7.9.22). It is there in the one ``hotw.order.reviewed`` that names the approved orders that
    are left open, each time the fleet is withdrawn. ``DriftReason`` is there in
    ``hotw.override.drifted``: how an ASG differs from what its provider was asked for.
    """

    event_id: Id
    fleet_id: Id
    service_id: Id
    purpose: Purpose
    orders_version_id: PositiveCount
    occurred_at: Instant
    user: Name | None = None
    run_id: PositiveCount | None = None
    fulfillment_ids: list[Name] = Field(default_factory=list)
    execution: ExecutionFact | None = None
    orders: list[OrderFact] = Field(default_factory=list)
    gap: Count = 0
    since: Instant | None = None
    withdrawal_reason: Text | None = None
    drift_reason: Text | None = None


class ServiceOrders(WireModel):
    """How many executions of a run ordered hosts for a service, and how many hosts."""

    service_id: Id
    ordering_executions: Count
    ordered_hosts: Count


class RunFact(WireModel):
    """``hotw.run.{started,completed,cancelled}``; an outside engine's run may have no OrderType."""

    run_id: PositiveCount
    event_id: Id
    purpose: Purpose
    order_type: OrderType | None = None
    run_status: RunStatus
    user: Name
    fleets: Count
    executions: Count = 0
    by_status: dict[str, Count] = Field(default_factory=dict)
    ordered_hosts: Count = 0
    services: list[ServiceOrders] = Field(default_factory=list)
    created_at: Instant
    ended_at: Instant | None = None
