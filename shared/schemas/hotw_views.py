"""What hotw_svc answers: runs, executions with their ASGs, overrides and orders, the dashboard, and the known inputs.

The rows are those of the tables, without the numbers that stand for ids (7.17.17). What a row lacks is null.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from pydantic import Field

from shared.schemas.base import Count, Flag, Id, Instant, Name, PositiveCount, WireDate, WireModel
from shared.schemas.hotw_svc import ExecutionStatus, FulfillmentStatus, OrderType, Purpose, RunStatus


class RunView(WireModel):
    """A run and its progress: of how many fleets the execution is there, by status, and how fast it goes (7.13.6).

    ``OrderedHosts`` of a dry run are those that a run would have ordered.
    """

    run_id: PositiveCount
    event_id: Id
    run_status: RunStatus
    order_type: OrderType | None
    purpose: Purpose
    user: Name
    fleets: Count
    executions: Count
    by_status: dict[ExecutionStatus, Count]
    ordered_hosts: Count
    progress: float = Field(description="The share of its fleets that have their execution, from 0 to 1.")
    fleets_per_second: float | None = Field(
        description="Of the last minute, or of the whole run once it has ended; null while nothing can be said."
    )
    remaining_seconds: Count | None = Field(description="At this pace; null while there is none.")
    engine: Name
    dry_run: Flag
    created_at: Instant
    ended_at: Instant | None


class AsgView(WireModel):
    """An ASG as the latest execution saw it, or as that of a run did."""

    fleet_id: Id
    auto_scaling_group_name: Name
    asg_tag: Name | None = Field(alias="AsgTag")
    host_type: Name | None
    auto_scaling_group_region: Name | None
    eap_onboarding_status: Flag
    eap_enable_status: Flag
    asg_capacity_lower_bound: Count | None = Field(alias="AsgCapacityLowerBound")
    auto_scaling_group_arn: Name | None
    run_id: PositiveCount | None = Field(default=None, description="The run, where the ASG is shown as a run saw it.")
    recommended_override_value: Count | None = Field(default=None, description="The hosts the run wants in the ASG.")


class OverrideView(WireModel):
    """What raises an ASG's capacity for an event, from its start to its end."""

    run_id: PositiveCount
    fleet_id: Id
    event_id: Id
    auto_scaling_group_name: Name
    capacity_override_name: str
    override_status: Name
    override_type: OrderType
    purpose: Purpose
    start_time: Instant
    end_time: Instant
    peak_end: Instant
    duration: Name
    override_value: Count
    override_expiry_value: Count
    base_capacity: Count
    override_tag: Name | None
    start_offset: Count
    end_offset: Count
    place_order_if_required: Flag
    justification: str
    engine: Name


class DeliveryView(WireModel):
    """Hosts of an order that arrived together."""

    hosts: Count
    delivered_at: Instant


class OrderView(WireModel):
    """An order of hosts for one ASG, with its decision and its deliveries."""

    fulfillment_id: Name
    run_id: PositiveCount
    execution_id: PositiveCount
    fleet_id: Id
    event_id: Id
    purpose: Purpose
    auto_scaling_group_name: Name
    availability_zone: Name | None
    fulfillment_type: OrderType
    is_emergent: Flag
    fulfillment_status: FulfillmentStatus
    fulfillment_value: Count
    fulfillment_date: WireDate
    fulfillment_link: str | None
    fulfilled_hosts: Count
    deliveries: list[DeliveryView]
    placed_at: Instant
    status_since: Instant | None
    approved_at: Instant | None
    decided_by: Name | None
    reason: str | None
    approval_rule: Id | None
    orders_version_id: PositiveCount = Field(description="The number of the last fact about a change of this order.")


class ExecutionView(WireModel):
    """What one run worked out for one fleet; a number that it did not come to is null."""

    execution_id: PositiveCount
    run_id: PositiveCount
    event_id: Id
    fleet_id: Id
    service_id: Id
    purpose: Purpose
    order_type: OrderType
    status: ExecutionStatus
    fail_code: Name | None
    reasoning: str
    peak_tpm: Count | None
    bau_tpm: Count | None
    ct_peak_factor: float | None
    buffer_factor: float | None
    host_through_put_tpm: Count | None
    needed: Count | None
    required_hosts: Count | None
    cap_reason: str | None
    hosts_present_in_apollo: int | None
    pending_epicfmc_host_order: Count | None = Field(alias="PendingEPICFMCHostOrder")
    capacity_override_sum: Count | None
    ordered_hosts: Count
    shortfall: Count
    desired_capacity: Count | None
    child_desired_capacity: Count | None
    host_distribution: dict[str, Count] | None
    preferred_host_type: Name | None
    homogeneous: Flag | None
    fleet_version_id: PositiveCount | None
    fleet_line: Name | None
    input_versions: dict[str, Any] | None = Field(description="Each input, with the version that it came from.")
    dry_run: Flag
    engine: Name
    user: Name
    created_at: Instant
    capacity_override_details: list[OverrideView]
    fulfillment_details: list[OrderView]
    asg_details: list[AsgView]


class LatestExecution(WireModel):
    """The numbers of a fleet's latest execution, as the dashboard shows them."""

    execution_id: PositiveCount
    run_id: PositiveCount
    order_type: OrderType
    status: ExecutionStatus
    reasoning: str
    needed: Count | None
    required_hosts: Count | None
    hosts_present_in_apollo: int | None
    pending_epicfmc_host_order: Count | None = Field(alias="PendingEPICFMCHostOrder")
    capacity_override_sum: Count | None
    ordered_hosts: Count
    shortfall: Count
    created_at: Instant


class FleetRow(WireModel):
    """A fleet's row of the HOTW dashboard (7.17.7 to 7.17.12)."""

    fleet_id: Id
    region: Name | None
    capacity_override_sum: Count
    ordered_hosts: Count
    approved_hosts: Count
    fulfilled_hosts: Count
    gap: Count
    status_reasoning: str | None
    action_pending_on: Name | None
    latest_execution: LatestExecution | None


class ServiceRows(WireModel):
    """A service of the HOTW dashboard with its fleets."""

    service_id: Id
    owner: Name | None
    leader_alias: Name | None
    fleets: list[FleetRow]


class HotwDashboard(WireModel):
    """The HOTW dashboard of an event: a page of services."""

    event_id: Id
    purpose: Purpose
    services: list[ServiceRows]
    next_cursor: str | None


class GapView(WireModel):
    """Hosts that a fleet lacks for an event since an input changed, and since when any are lacking (4.223)."""

    service_id: Id
    fleet_id: Id
    gap: PositiveCount
    since: Instant


class DayOfFleet(WireModel):
    """A fleet's numbers for an event just before a day's 24:00 UTC, in hosts; today's are those of now (4.224).

    ``Needed`` is null while no execution has worked it out. ``Ordered`` is of live orders, ``Approved`` of those of
    them that were approved.
    """

    date: WireDate
    needed: Count | None
    ordered: Count
    approved: Count
    delivered: Count
    gap: Count


class KnownFleets(WireModel):
    """How many fleets of the event HOTW knows, of how many services, and of how many the projection and inventory."""

    event_id: Id
    fleets: Count
    services: Count
    projections: Count
    inventories: Count


class KnownVersion(WireModel):
    version_id: PositiveCount


class Line(StrEnum):
    EVENT = "event"
    BASE = "base"


class KnownLine(KnownVersion):
    line: Line


class KnownInventory(WireModel):
    as_of: Instant
    hosts_present: Count


class KnownCustomInput(KnownVersion):
    """A custom input of the fleet, or one for all fleets of the event."""

    custom_input_id: Id


class KnownInputs(WireModel):
    """Which version of each input of a fleet HOTW knows; null where it has none."""

    event_id: Id
    fleet_id: Id
    event: KnownVersion | None
    service: KnownVersion | None
    philosophy: KnownVersion | None
    fleet: KnownLine | None
    exception: KnownVersion | None
    projection: KnownVersion | None
    inventory: KnownInventory | None
    bau_tpm: KnownVersion | None
    custom_formula: KnownVersion | None
    custom_inputs: list[KnownCustomInput]
