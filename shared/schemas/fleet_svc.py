"""Owns the contracts of fleet_svc: Service, Fleet and Projection, what they publish and what may be asked of them."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Self

from pydantic import Field, model_validator

from shared.schemas.base import (
    CommandBody,
    Count,
    DecimalNumber,
    Flag,
    Id,
    Instant,
    JoinedKey,
    MergePatch,
    Name,
    PositiveCount,
    Snapshot,
    WireModel,
)

__all__ = [
    "ASGProperty",
    "CapacityStrategy",
    "ChildApolloEnv",
    "CreateFleet",
    "CreateProjection",
    "CreateService",
    "DeleteFleet",
    "DeleteProjection",
    "DeleteService",
    "Fleet",
    "FleetConfiguration",
    "FleetProjection",
    "FleetSnapshot",
    "HostInventory",
    "HostOrderStatus",
    "Inventory",
    "InventoryReported",
    "Philosophy",
    "Projection",
    "ProjectionSnapshot",
    "RegionFleets",
    "ReportInventory",
    "Service",
    "ServiceSnapshot",
    "ServiceType",
    "TotalInputTPMProperties",
    "UpdateFleet",
    "UpdateProjection",
    "UpdateService",
    "UpstreamProjection",
]


class ServiceType(StrEnum):
    REGISTERED = "Registered"
    ONBOARDING = "Onboarding"


class CapacityStrategy(StrEnum):
    PERFORMANCE_BASED = "PerformanceBased"
    COST_BASED = "CostBased"
    FIXED = "Fixed"


class Philosophy(WireModel):
    """A service's bounds per fleet, and how its need is worked out."""

    max_hosts: Count | None = None
    min_hosts: Count | None = None
    capacity_strategy: CapacityStrategy | None = None
    headroom_percentage: Annotated[DecimalNumber, Field(ge=0)] | None = None

    @model_validator(mode="after")
    def _bounds(self) -> Self:
        if self.max_hosts is not None and self.min_hosts is not None and self.min_hosts > self.max_hosts:
            raise ValueError("MinHosts must not exceed MaxHosts")
        return self


class RegionFleets(WireModel):
    """The owner's own list of a region's fleets; the region is a label here."""

    region: Name
    fleets: list[Id] = Field(default_factory=list)


class Service(WireModel):
    """A piece of software with an owner; planned for when ``Registered``."""

    service_id: Id
    service_type: ServiceType
    owner: Name
    leader_alias: Name | None = None
    fleet: list[RegionFleets] | None = None
    philosophy: Philosophy | None = None
    onboarding_status: Name | None = None
    service_tier: Name | None = None


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
    buffer_percentage: Annotated[DecimalNumber, Field(ge=0)] | None = None
    ct_factor: Annotated[DecimalNumber, Field(ge=0)] | None = None
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
                raise ValueError(f"AutoScalingGroupName {asg.auto_scaling_group_name} is given twice; give it once")
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


class UpstreamProjection(WireModel):
    upstream_service_id: Id
    upstream_tpm: Count | None = None
    is_verified: Flag | None = None


class Projection(WireModel):
    """How much traffic a fleet will get during an event. At least one TPM must be given."""

    fleet_id: Id
    event_id: Id
    projection_type: Id = "Peak"
    total_input_tpm: Count | None = None
    is_verified_by_owner: Flag | None = None
    cloud_tune_projection: Count | None = None
    manual_override: Count | None = None
    projection_source: Name | None = None
    upstream_projections: list[UpstreamProjection] | None = None

    @model_validator(mode="after")
    def _one_tpm(self) -> Self:
        if self.total_input_tpm is None and self.cloud_tune_projection is None and self.manual_override is None:
            raise ValueError("give at least one of TotalInputTPM, CloudTuneProjection and ManualOverride")
        return self


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


# -- events ------------------------------------------------------------------------------------------------------------


class ServiceSnapshot(Service, Snapshot):
    """``service.{created,updated,deleted}``."""


class FleetSnapshot(Fleet, Snapshot):
    """``fleet.{created,updated,deleted}``: the base line, or an event's line when ``EventId`` is there.

    ``CapacityAsOf``: when ASGProperties last changed in value. ``OpenedFor``, on a base: the event whose line the
    request that made the base asked for as well.
    """

    base_version_id: PositiveCount | None = None
    capacity_as_of: Instant | None = None
    opened_for: Id | None = None


class ProjectionSnapshot(Projection, Snapshot):
    """``projection.{created,updated,deleted}``."""

    projection_id: JoinedKey


class InventoryReported(WireModel):
    """``fleet.inventory.reported``, ordered by ``AsOf``."""

    fleet_id: Id
    hosts_present: Count
    as_of: Instant
    source: Name | None = None


# -- commands ----------------------------------------------------------------------------------------------------------


class CreateService(Service, CommandBody):
    pass


class UpdateService(MergePatch):
    """A merge patch of a Service (RFC 7396): its members, any of them, null to clear."""

    service_id: Id


class DeleteService(CommandBody):
    service_id: Id


class CreateFleet(Fleet, CommandBody):
    pass


class UpdateFleet(MergePatch):
    """A merge patch of a Fleet; with ``EventId`` of its line for that event."""

    fleet_id: Id
    event_id: Id | None = None


class DeleteFleet(CommandBody):
    fleet_id: Id


class ReportInventory(Inventory, CommandBody):
    fleet_id: Id


class CreateProjection(Projection, CommandBody):
    projection_id: JoinedKey | None = None


class UpdateProjection(MergePatch):
    """A merge patch of a Projection."""

    fleet_id: Id
    event_id: Id
    projection_type: Id = "Peak"
    projection_id: JoinedKey | None = None


class DeleteProjection(CommandBody):
    fleet_id: Id
    event_id: Id
    projection_type: Id = "Peak"
    projection_id: JoinedKey | None = None
