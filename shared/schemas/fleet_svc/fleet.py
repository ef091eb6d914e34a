"""The contract of Fleet: the hosts of a service in one region, with a line for each event."""

from __future__ import annotations

from typing import Final, Self

from pydantic import Field, model_validator

from shared.schemas.base import (
    CommandBody,
    Count,
    DecimalNumber,
    Flag,
    Id,
    Instant,
    Name,
    PositiveCount,
    RestoreVersion,
    Snapshot,
    WireModel,
    broken_rule,
)
from shared.schemas.merge_patch import MergePatch
from shared.schemas.resource_contract import ResourceContract


class ASGProperty(WireModel):
    """One Auto Scaling Group of a fleet, in one availability zone."""

    auto_scaling_group_name: Name
    availability_zone: Name
    max_instance: Count | None = None
    min_instance: Count | None = None
    desired_capacity: Count | None = None
    host_type: Name | None = None
    eap_onboarding_status: Flag | None = None
    asg_capacity_lower_bound: Count | None = Field(default=None, alias="AsgCapacityLowerBound")
    max_override_capacity: Count | None = None
    asg_tag: Name | None = Field(default=None, alias="AsgTag")
    auto_scaling_group_arn: Name | None = None


class ChildApolloEnv(WireModel):
    apollo_name: Name
    sum_desired_capacity: Count | None = None


class FleetConfiguration(WireModel):
    """What HOTW works from: the region, what one host can take, and the ASGs."""

    apollo_name: Name | None = None
    region: Name
    host_through_put_tpm: PositiveCount
    buffer_percentage: DecimalNumber | None = None
    ct_factor: DecimalNumber | None = None
    max_host_count: Count | None = None
    host_type: Name | None = None
    asg_properties: list[ASGProperty] | None = None
    child_apollo_envs: list[ChildApolloEnv] | None = None
    eap_enrolled_status: Flag | None = None
    homogeneous: Flag | None = None

    @model_validator(mode="after")
    def _each_asg_once(self) -> Self:
        seen: set[str] = set()
        for asg in self.asg_properties or ():
            if asg.auto_scaling_group_name in seen:
                name = asg.auto_scaling_group_name
                raise broken_rule("ASGProperties", f"AutoScalingGroupName {name} is given twice; give it once")
            seen.add(asg.auto_scaling_group_name)
        return self


class TotalInputTPMProperties(WireModel):
    total_input_tpm: Count | None = None
    total_input_tpm_link_verified_by_customer: Flag | None = None


class FleetProjection(WireModel):
    """A projection the fleet itself carries; the last resort when no Projection was given."""

    total_input_tpm_properties: TotalInputTPMProperties | None = None
    projection_type: Name | None = None


class Fleet(WireModel):
    """A service's hosts in one region. With ``EventId`` it is the fleet's line for that event."""

    fleet_id: Id
    service_id: Id
    fleet_configuration: FleetConfiguration
    event_id: Id | None = None
    fleet_projection: list[FleetProjection] | None = None


class Inventory(WireModel):
    """The hosts a fleet has, as somebody counted them at ``AsOf`` (now unless given)."""

    hosts_present: Count
    as_of: Instant | None = None
    source: Name | None = None


class HostInventory(WireModel):
    """The last inventory of a fleet, shown in its reads."""

    hosts_present: Count
    as_of: Instant
    source: Name | None = None


class HostOrderStatus(WireModel):
    """One event's ordered hosts by zone: undecided, approved and not delivered, delivered."""

    event_id: Id
    hosts_pending_approval: dict[str, Count] = Field(default_factory=dict)
    hosts_approved: dict[str, Count] = Field(default_factory=dict)
    hosts_fulfilled: dict[str, Count] = Field(default_factory=dict)


class FleetSnapshot(Fleet, Snapshot):
    """``fleet.{created,updated,deleted}``: the base line, or an event's line when ``EventId`` is there.

    ``CapacityAsOf``: when ASGProperties last changed in value. ``OpenedFor``, on a base: the event whose line the
    request that made the base asked for as well.
    """

    base_version_id: PositiveCount | None = None
    capacity_as_of: Instant | None = None
    opened_for: Id | None = None


class FleetRead(FleetSnapshot):
    """A line of a fleet as it is read."""

    host_inventory: HostInventory | None = None
    host_order_statuses: list[HostOrderStatus] | None = None


class InventoryReported(WireModel):
    """``fleet.inventory.reported``, ordered by ``AsOf``."""

    fleet_id: Id
    hosts_present: Count
    as_of: Instant
    source: Name | None = None


class CreateFleet(Fleet, CommandBody):
    """Makes a fleet, and its line for ``EventId`` where one is given."""


class UpdateFleet(MergePatch):
    """A merge patch of a Fleet; with ``EventId`` of its line for that event."""

    fleet_id: Id
    event_id: Id | None = None


class DeleteFleet(CommandBody):
    """Deletes a fleet with all of its lines; their histories stay."""

    fleet_id: Id


class RestoreFleet(RestoreVersion):
    """Makes a fleet's own line, or with EventId its line for that event, what a former version is."""

    fleet_id: Id
    event_id: Id | None = None


class ReportInventory(Inventory, CommandBody):
    """Reports the hosts that a fleet has."""

    fleet_id: Id


FLEET: Final = ResourceContract(
    model=Fleet,
    owner="fleet_svc",
    key=("FleetId",),
    key_text="FleetId, or {FleetId}#{EventId} of an event's line",
    given_snapshot=FleetSnapshot,
    given_read=FleetRead,
    given_commands=(CreateFleet, UpdateFleet, DeleteFleet, RestoreFleet),
    actions=(ReportInventory,),
    consumers=("eventplan_svc", "hotw_svc"),
    partitions=12,
)
