"""Executions that order nothing, or not all: no room, an obstacle to ordering, a need that cannot be known."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import pytest

from services.hotw_svc.adapters.inputs.facts import az_factors, fleet_facts
from services.hotw_svc.domain.inputs import InventoryFacts, OrderDates
from services.hotw_svc.domain.orders.order import Delivery
from services.hotw_svc.domain.runs.execution import execute, fleet_gone, lock_held
from services.hotw_svc.domain.runs.placement import place
from shared.schemas.base import MAX_COUNT
from shared.schemas.hotw_svc import FulfillmentStatus
from tests.support.hotw_inputs import FAIL, FLEET, NOW, PARTIAL, SUCCESS, asgs, fortress, order, run


def test_a_shortfall_is_a_partial_success_that_says_where_room_is_missing() -> None:
    done = run(fleet={"asgs": asgs(10, 12, 8)})
    assert (done.status, done.need, done.ordered_hosts, done.shortfall) == (PARTIAL, 50, 30, 20)
    assert done.reasoning.startswith(
        "30 of 50 hosts ordered (us-east-1a 10, us-east-1b 12, us-east-1c 8), expected by 2024-06-29; "
        "20 found no room: us-east-1a, us-east-1b, us-east-1c are full (MaxOverrideCapacity)."
    )


def test_no_room_at_all_is_a_fail() -> None:
    done = run(fleet={"asgs": asgs(0, 0, 0, desired=50)})
    assert (done.status, done.need, done.ordered_hosts, done.shortfall, done.orders) == (FAIL, 50, 0, 50, ())
    assert done.reasoning.startswith(
        "50 hosts are needed, none could be ordered: us-east-1a, us-east-1b, us-east-1c are full (MaxOverrideCapacity)."
    )


def test_room_is_what_the_base_and_this_events_orders_leave_of_max_override_capacity() -> None:
    capped = asgs(30, 30, 30, desired=50)
    others = (
        order("a", value=12),
        order("a", value=9, event_id="SUMMER"),
        order("b", value=7, status=FulfillmentStatus.REJECTED),
    )
    done = run(fleet={"asgs": capped, "max_host_count": 1_000}, orders=others, projection={"manual_override": 500_000})
    assert [o.recommended for o in done.asgs] == [18, 30, 30]


def test_hosts_a_lost_order_delivered_still_take_room_7_5_17() -> None:
    dead = order("a", status=FulfillmentStatus.CANCELLED, deliveries=(Delivery(4, NOW),))
    done = run(fleet={"asgs": asgs(10, desired=50)}, orders=(dead,))
    assert done.ordered_hosts == 6


def test_max_instance_does_not_bound() -> None:
    given = {"AutoScalingGroupName": "A", "AvailabilityZone": "us-east-1a", "DesiredCapacity": 50, "MaxInstance": 50}
    configuration = FLEET["FleetConfiguration"] | {"ASGProperties": [given]}
    fleet = fleet_facts(base=FLEET | {"FleetConfiguration": configuration})
    assert run(fleet={"asgs": fleet.asgs}).ordered_hosts == 50


def test_only_asgs_open_to_eap_take_hosts() -> None:
    open_one, *closed = asgs(None, None, None)
    fleet = {"asgs": (open_one, *(replace(asg, eap_onboarding_status=False) for asg in closed))}
    assert [o.recommended for o in run(fleet=fleet).asgs] == [50, 0, 0]


OBSTACLES: list[tuple[dict[str, Any], str]] = [
    ({"fleet": {"eap_enrolled": False}}, "the fleet is not enrolled in EAP (EAPEnrolledStatus is false)"),
    ({"fleet": {"asgs": ()}}, "the fleet has no ASG"),
    (
        {"fleet": {"asgs": asgs(None, None, eap_onboarding_status=False)}},
        "none of its 2 ASGs may take an automatic override (EAPOnboardingStatus is false)",
    ),
    (
        {"az_factors": az_factors({"us-east-1a": 0, "us-east-1b": 0, "us-east-1c": 0})},
        "every zone it could order in is excluded by an AZ factor of 0 (us-east-1a, us-east-1b, us-east-1c)",
    ),
    (
        {"event": {"order_dates": {"us-east-1": OrderDates(date(2024, 5, 1), date(2024, 6, 14))}}},
        "hardware for PD2024 in us-east-1 may be ordered only from 2024-05-01 until 2024-06-14 (its SPCO dates)",
    ),
    (
        {"event": {"order_dates": {"us-east-1": OrderDates(date(2024, 6, 16), None)}}},
        "hardware for PD2024 in us-east-1 may be ordered only from 2024-06-16 (its SPCO dates)",
    ),
    (
        {"event": {"peak_end_date": date(2040, 1, 1)}},
        "an override until 2040-01-03 cannot be recorded (2038-01-19 is the last day)",
    ),
]


@pytest.mark.parametrize(("changes", "sentence"), OBSTACLES)
def test_what_keeps_needed_hosts_from_being_ordered_is_a_fail_with_the_need(
    changes: dict[str, Any], sentence: str
) -> None:
    done = run(**changes)
    assert (done.status, done.need, done.ordered_hosts, done.shortfall, done.orders) == (FAIL, 50, 0, 50, ())
    assert done.reasoning.startswith(f"50 hosts are needed, none could be ordered: {sentence}. 50,000 TPM")


@pytest.mark.parametrize(("changes", "sentence"), OBSTACLES)
def test_none_of_that_matters_when_no_host_is_needed(changes: dict[str, Any], sentence: str) -> None:
    done = run(**changes, inventory=InventoryFacts(200, NOW))
    assert (done.status, done.need) == (SUCCESS, 0)
    assert sentence not in done.reasoning


@pytest.mark.parametrize("changes", [changes for changes, _ in OBSTACLES])
def test_where_hosts_could_go_is_not_even_asked_when_none_is_needed(changes: dict[str, Any]) -> None:
    placement = place(fortress(**changes), 0, NOW)
    assert (placement.obstacles, placement.distribution.ordered, placement.distribution.shortfall) == ((), 0, 0)


def test_the_first_row_of_the_status_table_that_holds_decides() -> None:
    """7.6.1 to 7.6.5, first fit: each change makes an earlier row hold as well."""
    no_tpm = {
        "projection": {"manual_override": None, "cloud_tune": None, "total_input": None},
        "fleet": {"eap_enrolled": False, "own_tpm": None},
    }
    closed = {"order_dates": {"us-east-1": OrderDates(date(2024, 6, 16), None)}}
    rows: list[tuple[dict[str, Any], dict[str, Any], str]] = [
        ({"fleet": {"eap_enrolled": False}}, {}, "the fleet is not enrolled in EAP (EAPEnrolledStatus is false)."),
        ({}, closed, "may be ordered only from 2024-06-16 (its SPCO dates)."),
        ({"inventory": InventoryFacts(200, NOW)}, {}, "No hosts to order."),
        ({}, {"region_list": ("eu-west-1",)}, "Its region us-east-1 is not in the RegionList of PD2024 (eu-west-1)."),
        (
            no_tpm,
            {},
            "No PeakTPM: neither a projection for PD2024 nor FleetProjection gives a TPM, and BAUTPM is not known.",
        ),
    ]
    changes: dict[str, Any] = {}
    event: dict[str, Any] = {}
    for change, of_event, reason in rows:
        changes, event = changes | change, event | of_event
        done = run(**changes, event=event)
        assert min(rows, key=lambda row: f"{done.reasoning}{row[2]}".index(row[2]))[2] == reason


def test_all_reasons_of_one_row_are_named_at_once() -> None:
    done = run(fleet={"eap_enrolled": False, "asgs": ()})
    assert "is not enrolled in EAP (EAPEnrolledStatus is false); the fleet has no ASG." in done.reasoning


def test_a_region_without_spco_dates_has_no_such_limit() -> None:
    assert run(event={"order_dates": {}}).status is SUCCESS


BARRED: list[tuple[dict[str, Any], str]] = [
    ({"event": {"is_active": False}}, "PD2024 is not active."),
    (
        {"event": {"region_list": ("eu-west-1",)}},
        "Its region us-east-1 is not in the RegionList of PD2024 (eu-west-1).",
    ),
    ({"service": {"service_type": "Onboarding"}}, "Its service FORTRESSService is Onboarding, not Registered."),
    ({"fleet": {"host_throughput_tpm": None}}, "No HostThroughPutTPM: what one host can take is not known."),
    (
        {"fleet": {"host_throughput_tpm": 1, "max_host_count": None}, "projection": {"manual_override": MAX_COUNT}},
        "2,362,232,012 hosts needed cannot be right: 2,147,483,647 is the most EPIC can plan.",
    ),
]


@pytest.mark.parametrize(("changes", "sentence"), BARRED)
def test_what_keeps_the_need_from_being_known_is_a_fail_without_one(changes: dict[str, Any], sentence: str) -> None:
    done = run(**changes)
    assert (done.status, done.reasoning) == (FAIL, sentence)
    assert (done.required_hosts, done.need, done.ordered_hosts, done.orders) == (None, None, 0, ())
    assert [o.recommended for o in done.asgs] == [0, 0, 0]
    assert done.counts


def test_a_fleet_of_an_unknown_service_fails() -> None:
    assert execute(replace(fortress(), service=None), now=NOW).reasoning == "Its service FORTRESSService is not known."


def test_upscaling_after_the_peak_fails() -> None:
    done = run(now=datetime(2024, 7, 18, tzinfo=UTC))
    assert (done.status, done.reasoning) == (FAIL, "The peak of PD2024 ended on 2024-07-17: upscaling is over.")


def test_a_fleet_without_any_tpm_fails_and_one_with_its_own_does_not() -> None:
    bare = {"manual_override": None, "cloud_tune": None, "total_input": None}
    assert run(projection=bare, fleet={"own_tpm": None}).reasoning == (
        "No PeakTPM: neither a projection for PD2024 nor FleetProjection gives a TPM, and BAUTPM is not known."
    )
    assert execute(replace(fortress(), projection=None), now=NOW).need == 50


def test_a_held_lock_is_a_fail_that_does_not_count() -> None:
    done = lock_held(fortress(), locked_by="HOTW-Run-4", now=NOW)
    assert (done.status, done.code, done.counts) == (FAIL, "LockHeld", False)
    assert done.reasoning == "HOTW-Run-4 is working on this fleet and did not finish in time; run it again."
    assert (done.orders, done.asgs) == ((), ())


def test_a_fleet_deleted_since_the_run_began_is_a_fail_that_counts() -> None:
    done = fleet_gone(fortress(orders=(order(),)), now=NOW)
    assert (done.status, done.reasoning, done.counts) == (
        FAIL,
        "Fleet FORTRESSService-NA-X0 was deleted after the run began.",
        True,
    )
