"""Rules 1 and 13: whether a run may start, its order type, the fleets it takes, and when it is over."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from services.hotw_svc.adapters.inputs.facts import event_facts, service_facts
from services.hotw_svc.domain.inputs import ServiceFacts
from services.hotw_svc.domain.runs.scope import cancelled, check_upscaling, order_type, why_outside
from shared.errors import Conflict
from shared.schemas.fleet_svc.service import ServiceType
from shared.schemas.hotw_svc import OrderType, RunStatus
from tests.support.hotw_inputs import EVENT, NOW, SERVICE

PD2024 = event_facts(EVENT)
FORTRESS: ServiceFacts = service_facts(SERVICE)
EMERGENT_FROM = datetime(2024, 7, 9, tzinfo=UTC)


def test_orders_are_emergent_from_the_first_instant_of_emergent_scale_start() -> None:
    assert order_type(PD2024, EMERGENT_FROM - timedelta(milliseconds=1)) is OrderType.STANDARD
    assert order_type(PD2024, EMERGENT_FROM) is OrderType.EMERGENT


def test_emergent_scale_start_is_seven_days_before_the_peak_unless_given() -> None:
    later = replace(PD2024, emergent_scale_start_date=None, peak_start_date=date(2024, 7, 17))
    assert later.emergent_from == datetime(2024, 7, 10, tzinfo=UTC)


def test_a_run_takes_the_type_that_is_asked_for() -> None:
    assert order_type(PD2024, NOW, OrderType.EMERGENT) is OrderType.EMERGENT
    assert order_type(PD2024, EMERGENT_FROM, OrderType.STANDARD) is OrderType.STANDARD


def test_a_run_of_an_inactive_event_is_refused() -> None:
    with pytest.raises(Conflict, match="PD2024 is not active") as refusal:
        check_upscaling(replace(PD2024, is_active=False), NOW)
    assert refusal.value.slug == "event-inactive"


def test_upscaling_is_refused_from_the_instant_the_peak_is_over() -> None:
    end = datetime(2024, 7, 18, tzinfo=UTC)
    check_upscaling(PD2024, end - timedelta(milliseconds=1))
    with pytest.raises(Conflict, match="ended on 2024-07-17") as refusal:
        check_upscaling(PD2024, end)
    assert refusal.value.slug == "peak-over"


def test_a_run_takes_the_fleets_of_registered_services_in_the_events_regions() -> None:
    onboarding = replace(FORTRESS, service_type=ServiceType.ONBOARDING)
    assert not why_outside(PD2024, service_id="FORTRESSService", region="us-east-1", service=FORTRESS)
    assert why_outside(PD2024, service_id="FORTRESSService", region="us-east-1", service=onboarding)
    assert why_outside(PD2024, service_id="FORTRESSService", region="ap-south-1", service=FORTRESS)
    assert why_outside(PD2024, service_id="FORTRESSService", region="us-east-1", service=None)


def test_a_fleet_outside_learns_every_reason() -> None:
    assert why_outside(PD2024, service_id="FORTRESSService", region="ap-south-1", service=None) == (
        "Its service FORTRESSService is not known.",
        "Its region ap-south-1 is not in the RegionList of PD2024 (us-east-1, eu-west-1, us-west-2).",
    )


def test_a_long_region_list_is_cut_to_a_readable_sentence() -> None:
    wide = replace(PD2024, region_list=tuple(f"r{number}" for number in range(30)))
    (reason,) = why_outside(wide, service_id="FORTRESSService", region="us-east-1", service=FORTRESS)
    assert reason.endswith("(r0, r1, r2, r3, r4, r5, r6, r7 and 22 more).")


def test_a_run_is_cancelled_once_or_again_but_not_when_it_is_complete() -> None:
    assert cancelled(RunStatus.RUNNING, 5) is RunStatus.CANCELLED
    assert cancelled(RunStatus.CANCELLED, 5) is RunStatus.CANCELLED
    with pytest.raises(Conflict, match="Run 5 is Completed") as refusal:
        cancelled(RunStatus.COMPLETED, 5)
    assert refusal.value.slug == "run-completed"
