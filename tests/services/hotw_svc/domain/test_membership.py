"""Whether a fleet takes part in an event: what a run takes, and what withdraws a fleet with orders."""

from __future__ import annotations

from dataclasses import replace

import pytest

from services.hotw_svc.adapters.inputs.facts import event_facts, fleet_facts, service_facts
from services.hotw_svc.domain.inputs import EventFacts, FleetFacts, ServiceFacts
from services.hotw_svc.domain.membership import why_outside, why_withdrawn
from shared.schemas.fleet_svc.service import ServiceType
from tests.support.hotw_inputs import EVENT, FLEET, SERVICE

PD2024: EventFacts = event_facts(EVENT)
FORTRESS: ServiceFacts = service_facts(SERVICE)
X0: FleetFacts = fleet_facts(base=FLEET)
OFF = replace(PD2024, is_active=False)
ELSEWHERE = replace(PD2024, region_list=("eu-west-1",))
ONBOARDING = replace(FORTRESS, service_type=ServiceType.ONBOARDING)
DELETED = replace(ONBOARDING, is_deleted=True)
GONE: FleetFacts = fleet_facts(base=FLEET | {"Deleted": True})


def test_a_run_takes_the_fleets_of_registered_services_in_the_events_regions() -> None:
    """7.0.14"""
    assert not why_outside(PD2024, service_id="FORTRESSService", region="us-east-1", service=FORTRESS)
    assert why_outside(PD2024, service_id="FORTRESSService", region="us-east-1", service=ONBOARDING)
    assert why_outside(PD2024, service_id="FORTRESSService", region="ap-south-1", service=FORTRESS)
    assert why_outside(PD2024, service_id="FORTRESSService", region="us-east-1", service=None)


def test_a_fleet_outside_learns_every_reason() -> None:
    """7.0.16"""
    assert why_outside(PD2024, service_id="FORTRESSService", region="ap-south-1", service=None) == (
        "Its service FORTRESSService is not known.",
        "Its region ap-south-1 is not in the RegionList of PD2024 (us-east-1, eu-west-1, us-west-2).",
    )


def test_a_long_region_list_is_cut_to_a_readable_sentence() -> None:
    wide = replace(PD2024, region_list=tuple(f"r{number}" for number in range(30)))
    (reason,) = why_outside(wide, service_id="FORTRESSService", region="us-east-1", service=FORTRESS)
    assert reason.endswith("(r0, r1, r2, r3, r4, r5, r6, r7 and 22 more).")


@pytest.mark.parametrize(
    ("event", "fleet", "service", "reason"),
    [
        (PD2024, X0, FORTRESS, None),
        (PD2024, X0, None, None),
        (ELSEWHERE, X0, None, "Its region us-east-1 is not in the RegionList of PD2024 (eu-west-1)."),
        (OFF, GONE, DELETED, "PD2024 is not active."),
        (ELSEWHERE, GONE, DELETED, "Fleet FORTRESSService-NA-X0 was deleted."),
        (ELSEWHERE, X0, DELETED, "Its service FORTRESSService was deleted."),
        (ELSEWHERE, X0, ONBOARDING, "Its service FORTRESSService is Onboarding, not Registered."),
        (ELSEWHERE, X0, FORTRESS, "Its region us-east-1 is not in the RegionList of PD2024 (eu-west-1)."),
    ],
)
def test_the_first_cause_that_withdraws_a_fleet_is_its_reason(
    event: EventFacts, fleet: FleetFacts, service: ServiceFacts | None, reason: str | None
) -> None:
    """7.9.17 to 7.9.22; a deleted event is read as one that is not active."""
    assert why_withdrawn(event, fleet, service) == reason
