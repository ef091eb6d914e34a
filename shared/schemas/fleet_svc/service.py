"""The contract of Service: a piece of software with an owner."""

from __future__ import annotations

from enum import StrEnum
from typing import Final, Self

from pydantic import Field, model_validator

from shared.schemas.base import Count, DecimalNumber, Id, Name, Snapshot, WireModel, broken_rule
from shared.schemas.resource_contract import ResourceContract


class ServiceType(StrEnum):
    REGISTERED = "Registered"
    ONBOARDING = "Onboarding"


class CapacityStrategy(StrEnum):
    PERFORMANCE_BASED = "PerformanceBased"
    COST_BASED = "CostBased"
    FIXED = "Fixed"


def check_philosophy(strategy: CapacityStrategy | None, *, min_hosts: int | None, max_hosts: int | None) -> None:
    """Raises the error of bounds that cross, and of a Fixed need without MinHosts (4.490a, 4.493, 4.493a)."""
    if max_hosts is not None and min_hosts is not None and min_hosts > max_hosts:
        raise broken_rule("MinHosts", "MinHosts must not exceed MaxHosts")
    if strategy is CapacityStrategy.FIXED and min_hosts is None:
        raise broken_rule("MinHosts", "required with the CapacityStrategy Fixed, which needs exactly so many hosts")


class ServicePhilosophy(WireModel):
    """A service's bounds per fleet, and how its need is worked out. The resource Philosophy wins over it (4.491)."""

    max_hosts: Count | None = None
    min_hosts: Count | None = None
    capacity_strategy: CapacityStrategy | None = None
    headroom_percentage: DecimalNumber | None = None

    @model_validator(mode="after")
    def _bounds(self) -> Self:
        check_philosophy(self.capacity_strategy, min_hosts=self.min_hosts, max_hosts=self.max_hosts)
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
    philosophy: ServicePhilosophy | None = None
    onboarding_status: Name | None = None
    service_tier: Name | None = None


class ServiceSnapshot(Service, Snapshot):
    """``service.{created,updated,deleted}``."""


SERVICE: Final = ResourceContract(
    model=Service,
    owner="fleet_svc",
    key=("ServiceId",),
    given_snapshot=ServiceSnapshot,
    consumers=("eventplan_svc", "hotw_svc", "notify_svc"),
)
