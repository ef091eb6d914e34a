"""Reads the inputs of an execution from resources as their read models hold them.

A resource was validated when it was consumed: numbers are numbers, and a member without a value is absent. A required
member is not checked again (KeyError).
"""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from services.hotw_svc.domain.custom_formula import FormulaFacts
from services.hotw_svc.domain.custom_inputs import CustomInputFacts, CustomValues
from services.hotw_svc.domain.inputs import (
    AsgFacts,
    BAUTrafficFacts,
    EventFacts,
    ExceptionFacts,
    FleetFacts,
    InventoryFacts,
    Line,
    OrderDates,
    Philosophy,
    PhilosophyFacts,
    ProjectionFacts,
    ServiceFacts,
)
from services.hotw_svc.domain.instants import EARLIEST
from services.hotw_svc.domain.orders.approval import ApprovalRule
from services.hotw_svc.domain.runs.distribution import AzFactors
from shared.capacity import exact
from shared.clock import parse_instant
from shared.schemas.event_svc.event import EMERGENT_DAYS_BEFORE_PEAK, OVERRIDE_OFFSET
from shared.schemas.fleet_svc.exception import ExceptionStatus
from shared.schemas.fleet_svc.service import CapacityStrategy, ServiceType

State = Mapping[str, Any]


def event_facts(state: State) -> EventFacts:
    """An Event. IsActive is true; the offsets and the emergent days are the contract's own unless given."""
    return EventFacts(
        event_id=state["EventId"],
        version_id=state["VersionId"],
        peak_start_date=date.fromisoformat(state["PeakStartDate"]),
        peak_end_date=date.fromisoformat(state["PeakEndDate"]),
        region_list=tuple(state["RegionList"]),
        is_active=state.get("IsActive", True),
        order_dates={
            region: OrderDates(_date(dates.get("SPCOStartDate")), _date(dates.get("SPCOEndDate")))
            for region, dates in state.get("SPCOEventDatesByRegion", {}).items()
        },
        emergent_scale_start_date=_date(state.get("EmergentScaleStartDate")),
        emergent_days_before_peak=state.get("EmergentDaysBeforePeak", EMERGENT_DAYS_BEFORE_PEAK),
        start_offset=state.get("StartOffset", OVERRIDE_OFFSET),
        end_offset=state.get("EndOffset", OVERRIDE_OFFSET),
        default_buffer_percentage=exact(state.get("DefaultBufferPercentage", 0)),
    )


def service_facts(state: State) -> ServiceFacts:
    """A Service with its own Philosophy."""
    return ServiceFacts(
        service_id=state["ServiceId"],
        version_id=state["VersionId"],
        service_type=ServiceType(state["ServiceType"]),
        is_deleted=state.get("Deleted") is True,
        philosophy=_philosophy(state.get("Philosophy", {})),
        tier=state.get("ServiceTier"),
    )


def philosophy_facts(state: State) -> PhilosophyFacts:
    """The resource Philosophy of a service."""
    return PhilosophyFacts(state["VersionId"], _philosophy(state))


def approval_rule(state: State) -> ApprovalRule:
    """An ApprovalRule; an absent criterion does not bind."""
    tiers, regions, percentage = state.get("ServiceTiers"), state.get("Regions"), state.get("MaxPercentage")
    return ApprovalRule(
        rule_id=state["RuleId"],
        version_id=state["VersionId"],
        service_tiers=None if tiers is None else frozenset(tiers),
        regions=None if regions is None else frozenset(regions),
        max_hosts=state.get("MaxHosts"),
        max_percentage=None if percentage is None else exact(percentage),
    )


def exception_facts(state: State) -> ExceptionFacts:
    """An exception of a fleet for an event."""
    return ExceptionFacts(
        version_id=state["VersionId"],
        exception_type=state["ExceptionType"],
        status=ExceptionStatus(state["Status"]),
        requested_value=exact(state["RequestedValue"]),
        expires_on=_date(state.get("ExpiresOn")),
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
    buffer, ct_factor = configuration.get("BufferPercentage"), configuration.get("CTFactor")
    as_of = _capacity_as_of(asgs_from)
    return FleetFacts(
        fleet_id=read["FleetId"],
        service_id=identity["ServiceId"],
        region=identity["FleetConfiguration"]["Region"],
        line=line,
        version_id=read["VersionId"],
        asgs=tuple(_asg(asg) for asg in asgs_from["FleetConfiguration"].get("ASGProperties", ())),
        asgs_line=asgs_line,
        asgs_version_id=asgs_from["VersionId"],
        capacity_as_of=None if as_of is EARLIEST else as_of,
        host_throughput_tpm=configuration.get("HostThroughPutTPM"),
        buffer_percentage=None if buffer is None else exact(buffer),
        ct_factor=None if ct_factor is None else exact(ct_factor),
        max_host_count=configuration.get("MaxHostCount"),
        host_type=configuration.get("HostType"),
        homogeneous=configuration.get("Homogeneous"),
        eap_enrolled=configuration.get("EAPEnrolledStatus", True),
        child_desired_capacity=sum(
            child.get("SumDesiredCapacity", 0) for child in configuration.get("ChildApolloEnvs", ())
        ),
        own_tpm=own_tpm,
        own_tpm_verified=own_verified,
        is_deleted=identity.get("Deleted") is True,
    )


def projection_facts(state: State) -> ProjectionFacts:
    """A Projection; a verification that is not given has not been made."""
    return ProjectionFacts(
        version_id=state["VersionId"],
        manual_override=state.get("ManualOverride"),
        cloud_tune=state.get("CloudTuneProjection"),
        total_input=state.get("TotalInputTPM"),
        verified_by_owner=state.get("IsVerifiedByOwner", False),
        unverified_upstreams=tuple(
            upstream["UpstreamServiceId"]
            for upstream in state.get("UpstreamProjections", ())
            if not upstream.get("IsVerified", False)
        ),
    )


def inventory_facts(report: State) -> InventoryFacts:
    """A `fleet.inventory.reported`, or a HostInventory."""
    return InventoryFacts(report["HostsPresent"], parse_instant(report["AsOf"]))


def bau_traffic_facts(state: State) -> BAUTrafficFacts:
    """A `traffic.bau.changed`; without a BAUTPM there are too few minutes."""
    return BAUTrafficFacts(state["VersionId"], state.get("BAUTPM"))


def custom_input_facts(state: State) -> CustomInputFacts:
    """A CustomInput; without a FleetId it is for all fleets of its event."""
    given: State = state["Input"]
    written_at = state["AuditMetadata"].get("Timestamp")
    ct_factor, buffer = given.get("CTFactor"), given.get("BufferFactor")
    return CustomInputFacts(
        custom_input_id=state["CustomInputId"],
        version_id=state["VersionId"],
        written_at=EARLIEST if written_at is None else parse_instant(written_at),
        of_all_fleets="FleetId" not in state,
        values=CustomValues(
            peak_tpm=given.get("PeakTPM"),
            bau_tpm=given.get("BAUTPM"),
            ct_factor=None if ct_factor is None else exact(ct_factor),
            buffer_factor=None if buffer is None else exact(buffer),
            host_throughput_tpm=given.get("HostThroughPutTPM"),
            hosts_present=given.get("HostsPresentInApollo"),
            max_host_count=given.get("MaxHostCount"),
        ),
        expires_on=_date(state.get("ExpiresOn")),
    )


def formula_facts(state: State) -> FormulaFacts:
    """The CustomFormula of a service."""
    return FormulaFacts(state["VersionId"], state["Expression"])


def az_factors(factors: Mapping[str, Any]) -> AzFactors:
    """`EPIC_AZ_FACTOR_MAP`: zone → factor; a negative one, or no number, is a ValueError."""
    return AzFactors.of({zone: exact(factor) for zone, factor in factors.items()})


def _philosophy(given: State) -> Philosophy:
    strategy = given.get("CapacityStrategy")
    return Philosophy(
        max_hosts=given.get("MaxHosts"),
        min_hosts=given.get("MinHosts"),
        strategy=None if strategy is None else CapacityStrategy(strategy),
        headroom_percentage=exact(given.get("HeadroomPercentage", 0)),
        zone_failures=given.get("ZoneFailures", 0),
    )


def _asg(given: State) -> AsgFacts:
    name = given["AutoScalingGroupName"]
    return AsgFacts(
        name=name,
        zone=given["AvailabilityZone"],
        host_type=given.get("HostType"),
        desired_capacity=given.get("DesiredCapacity", 0),
        max_override_capacity=given.get("MaxOverrideCapacity"),
        eap_onboarding_status=given.get("EAPOnboardingStatus", True),
        capacity_lower_bound=given.get("AsgCapacityLowerBound"),
        min_instance=given.get("MinInstance"),
        tag=given.get("AsgTag") or name.rpartition("/")[2],
        arn=given.get("AutoScalingGroupARN"),
        max_instance=given.get("MaxInstance"),
    )


def _own_tpm(fleet: State) -> tuple[int | None, bool]:
    for projection in fleet.get("FleetProjection", ()):
        properties = projection.get("TotalInputTPMProperties", {})
        if "TotalInputTPM" in properties:
            return properties["TotalInputTPM"], properties.get("TotalInputTPMLinkVerifiedByCustomer", False)
    return None, False


def _capacity_as_of(fleet: State) -> datetime:
    given = fleet.get("CapacityAsOf")
    return EARLIEST if given is None else parse_instant(given)


def _date(given: str | None) -> date | None:
    return None if given is None else date.fromisoformat(given)
