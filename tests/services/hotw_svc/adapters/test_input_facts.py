"""The replica's snapshots as inputs: the reference's documents, absent members, two lines of a fleet."""

from __future__ import annotations

import copy
from datetime import UTC, date, datetime
from fractions import Fraction
from typing import Any

import pytest

from services.hotw_svc.adapters.inputs.facts import (
    az_factors,
    event_facts,
    exception_facts,
    fleet_facts,
    inventory_facts,
    philosophy_facts,
    projection_facts,
    service_facts,
)
from services.hotw_svc.domain.inputs import Line, OrderDates, Philosophy, PhilosophyFacts
from shared.schemas.event_svc.event import EventSnapshot
from shared.schemas.fleet_svc.exception import ExceptionStatus
from shared.schemas.fleet_svc.fleet import FleetSnapshot
from shared.schemas.fleet_svc.projection import ProjectionSnapshot
from shared.schemas.fleet_svc.service import CapacityStrategy, ServiceSnapshot
from tests.support.goldens import golden
from tests.support.hotw_inputs import EVENT, FLEET, PROJECTION, SERVICE, asg_name

TEN = Fraction(10)
AUDIT = {"AuditMetadata": {"User": "jsmith"}}


def fleet(**changes: Any) -> dict[str, Any]:
    """The reference's fleet with members of its configuration replaced (CapacityAsOf, VersionId: of itself)."""
    document = copy.deepcopy(FLEET)
    for name in ("CapacityAsOf", "VersionId", "ServiceId", "EventId", "FleetProjection"):
        if name in changes:
            document[name] = changes.pop(name)
    document["FleetConfiguration"].update(changes)
    return document


def test_the_samples_are_what_the_contracts_publish() -> None:
    for model, sample in (
        (FleetSnapshot, FLEET),
        (EventSnapshot, EVENT | AUDIT),
        (ServiceSnapshot, SERVICE | AUDIT),
        (ProjectionSnapshot, PROJECTION | AUDIT),
    ):
        model.model_validate(sample)


def test_the_references_fleet_is_read_whole() -> None:
    facts = fleet_facts(base=FLEET)
    assert (facts.fleet_id, facts.service_id, facts.region) == ("FORTRESSService-NA-X0", "FORTRESSService", "us-east-1")
    assert (facts.line, facts.version_id, facts.asgs_line, facts.asgs_version_id) == (Line.BASE, 5, Line.BASE, 5)
    assert (facts.host_throughput_tpm, facts.buffer_percentage, facts.ct_factor) == (250, TEN, Fraction(3, 2))
    assert (facts.max_host_count, facts.host_type, facts.homogeneous, facts.eap_enrolled) == (
        200,
        "c5.2xlarge",
        True,
        True,
    )
    assert (facts.child_desired_capacity, facts.own_tpm, facts.own_tpm_verified) == (10, 50_000, True)
    assert (facts.desired_capacity, facts.capacity_as_of) == (150, datetime(2024, 6, 1, 10, tzinfo=UTC))
    first = facts.asgs[0]
    assert (first.name, first.zone, first.tag) == (asg_name("a"), "us-east-1a", "1a")
    assert first.eap_onboarding_status
    assert first.max_override_capacity is None


def test_the_least_a_fleet_may_say_is_enough() -> None:
    facts = fleet_facts(
        base={
            "FleetId": "F",
            "VersionId": 1,
            "ServiceId": "S",
            "FleetConfiguration": {
                "Region": "us-east-1",
                "HostThroughPutTPM": 1,
                "ASGProperties": [{"AutoScalingGroupName": "A", "AvailabilityZone": "z"}],
                "ChildApolloEnvs": [{"ApolloName": "C"}],
            },
        }
    )
    assert (facts.buffer_percentage, facts.desired_capacity, facts.child_desired_capacity) == (None, 0, 0)
    assert (facts.max_host_count, facts.ct_factor, facts.own_tpm, facts.capacity_as_of) == (None, None, None, None)
    assert facts.eap_enrolled
    assert facts.asgs[0].tag == "A"


def test_null_members_are_absent_ones() -> None:
    given = fleet(
        BufferPercentage=None,
        ASGProperties=None,
        ChildApolloEnvs=None,
        EAPEnrolledStatus=None,
        FleetProjection=None,
    )
    facts = fleet_facts(base=FleetSnapshot.model_validate(given).wire())
    assert (facts.buffer_percentage, facts.asgs, facts.child_desired_capacity, facts.eap_enrolled) == (
        None,
        (),
        0,
        True,
    )


def test_decimals_are_taken_as_they_are_written() -> None:
    assert fleet_facts(base=fleet(BufferPercentage=10.1)).buffer_percentage == Fraction(101, 10)


def test_the_first_fleet_projection_with_a_tpm_counts() -> None:
    projections = [
        {"ProjectionType": "Other"},
        {"TotalInputTPMProperties": {"TotalInputTPM": 0}},
        {"TotalInputTPMProperties": {"TotalInputTPM": 9, "TotalInputTPMLinkVerifiedByCustomer": True}},
    ]
    facts = fleet_facts(base=fleet(FleetProjection=projections))
    assert (facts.own_tpm, facts.own_tpm_verified) == (0, False)


BASE_ASGS = [{"AutoScalingGroupName": "base", "AvailabilityZone": "z", "DesiredCapacity": 1}]
LINE_ASGS = [{"AutoScalingGroupName": "line", "AvailabilityZone": "z", "DesiredCapacity": 2}]
EARLIER, LATER = "2024-06-01T10:00:00.000Z", "2024-06-02T10:00:00.000Z"


@pytest.mark.parametrize(
    ("base_as_of", "line_as_of", "name", "line", "version"),
    [
        (EARLIER, LATER, "line", Line.EVENT, 2),
        (LATER, EARLIER, "base", Line.BASE, 9),
        (EARLIER, EARLIER, "line", Line.EVENT, 2),
    ],
)
def test_the_events_line_is_read_but_asgs_come_from_whichever_changed_them_last(
    base_as_of: str, line_as_of: str, name: str, line: Line, version: int
) -> None:
    facts = fleet_facts(
        base=fleet(VersionId=9, CapacityAsOf=base_as_of, ASGProperties=BASE_ASGS, MaxHostCount=200),
        event_line=fleet(
            VersionId=2, CapacityAsOf=line_as_of, ASGProperties=LINE_ASGS, MaxHostCount=300, EventId="PD2024"
        ),
    )
    assert (facts.line, facts.version_id, facts.max_host_count) == (Line.EVENT, 2, 300)
    assert (facts.asgs[0].name, facts.asgs_line, facts.asgs_version_id) == (name, line, version)
    assert facts.capacity_as_of == datetime.fromisoformat(max(base_as_of, line_as_of))


def test_whose_a_fleet_is_and_where_the_base_says_if_it_is_there() -> None:
    base, line = fleet(ServiceId="NewOwner"), fleet(Region="old-region", EventId="PD2024")
    both = fleet_facts(base=base, event_line=line)
    assert (both.service_id, both.region) == ("NewOwner", "us-east-1")
    assert fleet_facts(base=None, event_line=line).region == "old-region"
    with pytest.raises(ValueError, match="one of its lines"):
        fleet_facts(base=None)


def test_the_references_event_is_read_whole() -> None:
    facts = event_facts(EVENT)
    assert (facts.event_id, facts.version_id, facts.is_active) == ("PD2024", 2, True)
    assert facts.order_dates["us-east-1"] == OrderDates(date(2024, 5, 15), date(2024, 7, 20))
    assert (facts.peak_start, facts.peak_end) == (datetime(2024, 7, 16, tzinfo=UTC), datetime(2024, 7, 18, tzinfo=UTC))
    assert (facts.start_offset, facts.end_offset) == (1, 1)


def test_an_events_profile_members_are_read_where_it_has_them() -> None:
    """4.462 to 4.464."""
    own = {"EmergentDaysBeforePeak": 10, "DefaultBufferPercentage": 12.5, "StartOffset": 2, "EndOffset": 3}
    bare = {name: value for name, value in EVENT.items() if name != "EmergentScaleStartDate"}
    facts = event_facts(bare | own)
    assert (facts.emergent_from, facts.default_buffer_percentage) == (datetime(2024, 7, 6, tzinfo=UTC), Fraction(25, 2))
    assert (facts.override_window.start, facts.override_window.end) == (
        datetime(2024, 7, 14, tzinfo=UTC),
        datetime(2024, 7, 21, tzinfo=UTC),
    )
    assert event_facts(EVENT | own).emergent_from == datetime(2024, 7, 9, tzinfo=UTC), "a day that is given stays"
    assert event_facts(bare).emergent_from == datetime(2024, 7, 9, tzinfo=UTC)


def test_an_event_far_off_the_calendar_is_still_read() -> None:
    facts = event_facts(EVENT | {"PeakEndDate": "9999-12-31", "StartOffset": 2_147_483_647, "EndOffset": 0})
    assert facts.peak_end.year == 9999
    assert facts.override_window.start.year == 1


def test_spco_dates_may_be_open_on_either_side() -> None:
    def at(number: int) -> datetime:
        return datetime(2024, 6, number, 23, 59, tzinfo=UTC)

    whole = OrderDates(date(2024, 6, 2), date(2024, 6, 3))
    assert [whole.hold(at(number)) for number in (1, 2, 3, 4)] == [False, True, True, False]
    assert OrderDates(None, date(2024, 6, 3)).hold(at(1))
    assert OrderDates(date(2024, 6, 2), None).hold(at(30))
    assert OrderDates(None, None).hold(at(1))


def test_the_references_service_is_read_with_its_philosophy() -> None:
    facts = service_facts(SERVICE)
    assert facts.is_registered
    assert (facts.philosophy.max_hosts, facts.philosophy.min_hosts) == (500, 10)
    assert facts.philosophy.strategy is CapacityStrategy.PERFORMANCE_BASED
    assert facts.philosophy.headroom == 1


def test_headroom_is_exact() -> None:
    philosophy = {"CapacityStrategy": "PerformanceBased", "HeadroomPercentage": 12.5}
    assert service_facts(SERVICE | {"Philosophy": philosophy}).philosophy.headroom == Fraction(9, 8)


def test_the_references_projection_is_verified_and_a_silent_one_is_not() -> None:
    facts = projection_facts(PROJECTION)
    assert (facts.manual_override, facts.cloud_tune, facts.total_input) == (50_000, 48_000, 50_000)
    assert (facts.verified_by_owner, facts.unverified_upstreams) == (True, ())
    silent = {"VersionId": 1, "TotalInputTPM": 1, "UpstreamProjections": [{"UpstreamServiceId": "OrderService"}]}
    assert projection_facts(silent).verified_by_owner is False
    assert projection_facts(silent).unverified_upstreams == ("OrderService",)


def test_an_inventory_is_read_with_its_instant() -> None:
    facts = inventory_facts({"FleetId": "F", "HostsPresent": 150, "AsOf": "2024-06-14T12:00:00Z"})
    assert (facts.hosts_present, facts.as_of) == (150, datetime(2024, 6, 14, 12, tzinfo=UTC))


def test_az_factors_may_be_decimals_in_any_form() -> None:
    factors = az_factors({"a": 2, "b": "0.5", "c": 1.25})
    assert [Fraction(factors.weight(zone), factors.weight("other")) for zone in "abc"] == [
        2,
        Fraction(1, 2),
        Fraction(5, 4),
    ]


def test_a_philosophy_is_read_as_it_is_published() -> None:
    facts = philosophy_facts(golden("philosophy.updated", "philosophy.updated").body())
    assert facts == PhilosophyFacts(
        2,
        Philosophy(
            max_hosts=450,
            min_hosts=10,
            strategy=CapacityStrategy.PERFORMANCE_BASED,
            headroom_percentage=Fraction(15, 2),
            zone_failures=1,
        ),
    )


def test_an_exception_is_read_as_it_is_published() -> None:
    facts = exception_facts(golden("exception.reviewed", "exception.reviewed").body())
    assert (facts.version_id, facts.status, facts.requested_value) == (2, ExceptionStatus.APPROVED, Fraction(13, 10))
    assert (facts.exception_type, facts.expires_on) == ("BufferFactor", date(2024, 7, 31))
