"""Reads the inputs of an execution from resources as their owners publish them; optional members may be absent.

A resource was validated by its owner and when it was consumed, so a required member is not checked again (KeyError).
"""

from collections.abc import Mapping
from datetime import date, datetime
from fractions import Fraction
from typing import Any, TypeVar

from services.hotw_svc.domain.arithmetic import exact
from services.hotw_svc.domain.inputs import (
    NO_PHILOSOPHY,
    AsgFacts,
    EventFacts,
    FleetFacts,
    InventoryFacts,
    Line,
    OrderDates,
    Philosophy,
    ProjectionFacts,
    ServiceFacts,
)
from services.hotw_svc.domain.instants import EARLIEST
from services.hotw_svc.domain.runs.distribution import AzFactors
from shared.clock import parse_instant
from shared.schemas.fleet_svc.service import CapacityStrategy, ServiceType

State = Mapping[str, Any]
T = TypeVar("T")
ZERO = Fraction(0)


def event_facts(state: State) -> EventFacts:
    """An Event. IsActive is true, the offsets are 1 unless given."""
    return EventFacts(
        event_id=state["EventId"],
        version_id=int(state["VersionId"]),
        peak_start_date=date.fromisoformat(state["PeakStartDate"]),
        peak_end_date=date.fromisoformat(state["PeakEndDate"]),
        region_list=tuple(state["RegionList"]),
        is_active=_or(state.get("IsActive"), True),
        order_dates={
            region: OrderDates(_date(dates.get("SPCOStartDate")), _date(dates.get("SPCOEndDate")))
            for region, dates in (state.get("SPCOEventDatesByRegion") or {}).items()
        },
        emergent_scale_start_date=_date(state.get("EmergentScaleStartDate")),
        start_offset=_or(_count(state.get("StartOffset")), 1),
        end_offset=_or(_count(state.get("EndOffset")), 1),
    )


def service_facts(state: State) -> ServiceFacts:
    """A Service with its own Philosophy."""
    return ServiceFacts(
        service_id=state["ServiceId"],
        version_id=int(state["VersionId"]),
        service_type=ServiceType(state["ServiceType"]),
        owner=state["Owner"],
        leader_alias=state.get("LeaderAlias"),
        philosophy=_philosophy(state.get("Philosophy")),
    )


def fleet_facts(*, base: State | None, event_line: State | None = None) -> FleetFacts:
    """A Fleet from its two lines, of which at least one is given (ValueError).

    Its service and region come from the base. Its ASGs come from the line with the newer CapacityAsOf, or the event's
    where they are equal. All else comes from the event's line if there is one.
    """
    read, line = (event_line, Line.EVENT) if event_line is not None else (base, Line.BASE)
    if read is None:
        raise ValueError("a fleet needs one of its lines")
    identity = read if base is None else base
    asgs_from, asgs_line = (read, line)
    if base is not None and _capacity_as_of(base) > _capacity_as_of(read):
        asgs_from, asgs_line = base, Line.BASE
    configuration: State = read["FleetConfiguration"]
    own_tpm, own_verified = _own_tpm(read)
    ct_factor = configuration.get("CTFactor")
    as_of = _capacity_as_of(asgs_from)
    return FleetFacts(
        fleet_id=read["FleetId"],
        service_id=identity["ServiceId"],
        region=identity["FleetConfiguration"]["Region"],
        line=line,
        version_id=int(read["VersionId"]),
        asgs=tuple(_asg(asg) for asg in asgs_from["FleetConfiguration"].get("ASGProperties") or ()),
        asgs_line=asgs_line,
        asgs_version_id=int(asgs_from["VersionId"]),
        capacity_as_of=None if as_of is EARLIEST else as_of,
        host_throughput_tpm=_count(configuration.get("HostThroughPutTPM")),
        buffer_percentage=_exact_or_zero(configuration.get("BufferPercentage")),
        ct_factor=None if ct_factor is None else exact(ct_factor),
        max_host_count=_count(configuration.get("MaxHostCount")),
        host_type=configuration.get("HostType"),
        homogeneous=configuration.get("Homogeneous"),
        eap_enrolled=_or(configuration.get("EAPEnrolledStatus"), True),
        child_desired_capacity=sum(
            _count(child.get("SumDesiredCapacity")) or 0 for child in configuration.get("ChildApolloEnvs") or ()
        ),
        own_tpm=own_tpm,
        own_tpm_verified=own_verified,
    )


def projection_facts(state: State) -> ProjectionFacts:
    """A Projection; a verification that is not given has not been made."""
    return ProjectionFacts(
        version_id=int(state["VersionId"]),
        manual_override=_count(state.get("ManualOverride")),
        cloud_tune=_count(state.get("CloudTuneProjection")),
        total_input=_count(state.get("TotalInputTPM")),
        verified_by_owner=state.get("IsVerifiedByOwner") is True,
        unverified_upstreams=tuple(
            upstream["UpstreamServiceId"]
            for upstream in state.get("UpstreamProjections") or ()
            if upstream.get("IsVerified") is not True
        ),
    )


def inventory_facts(report: State) -> InventoryFacts:
    """A `fleet.inventory.reported`, or a HostInventory."""
    return InventoryFacts(int(report["HostsPresent"]), parse_instant(report["AsOf"]), report.get("Source"))


def az_factors(factors: Mapping[str, Any]) -> AzFactors:
    """`EPIC_AZ_FACTOR_MAP`: zone → factor; a negative one, or no number, is a ValueError."""
    return AzFactors.of({zone: exact(factor) for zone, factor in factors.items()})


def _philosophy(given: State | None) -> Philosophy:
    if not given:
        return NO_PHILOSOPHY
    strategy = given.get("CapacityStrategy")
    return Philosophy(
        max_hosts=_count(given.get("MaxHosts")),
        min_hosts=_count(given.get("MinHosts")),
        strategy=None if strategy is None else CapacityStrategy(strategy),
        headroom_percentage=_exact_or_zero(given.get("HeadroomPercentage")),
    )


def _asg(given: State) -> AsgFacts:
    name = given["AutoScalingGroupName"]
    return AsgFacts(
        name=name,
        zone=given["AvailabilityZone"],
        host_type=given.get("HostType"),
        min_instance=_count(given.get("MinInstance")),
        max_instance=_count(given.get("MaxInstance")),
        desired_capacity=_count(given.get("DesiredCapacity")) or 0,
        max_override_capacity=_count(given.get("MaxOverrideCapacity")),
        eap_onboarding_status=_or(given.get("EAPOnboardingStatus"), True),
        capacity_lower_bound=_count(given.get("AsgCapacityLowerBound")),
        tag=given.get("AsgTag") or name.rpartition("/")[2],
        arn=given.get("AutoScalingGroupARN"),
    )


def _own_tpm(fleet: State) -> tuple[int | None, bool]:
    for projection in fleet.get("FleetProjection") or ():
        properties = projection.get("TotalInputTPMProperties") or {}
        tpm = _count(properties.get("TotalInputTPM"))
        if tpm is not None:
            return tpm, properties.get("TotalInputTPMLinkVerifiedByCustomer") is True
    return None, False


def _capacity_as_of(fleet: State) -> datetime:
    given = fleet.get("CapacityAsOf")
    return EARLIEST if given is None else parse_instant(given)


def _date(given: str | None) -> date | None:
    return None if given is None else date.fromisoformat(given)


def _count(given: Any) -> int | None:
    return None if given is None else int(given)


def _exact_or_zero(given: Any) -> Fraction:
    return ZERO if given is None else exact(given)


def _or(given: T | None, default: T) -> T:
    return default if given is None else given
