"""Rules 3 to 9 together: one execution, its status, its Reasoning, its orders and overrides."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

from services.hotw_svc.adapters.inputs.facts import az_factors
from services.hotw_svc.domain.inputs import InventoryFacts, Philosophy
from services.hotw_svc.domain.orders.order import decide
from services.hotw_svc.domain.orders.override import OverrideStatus
from shared.schemas.fleet_svc.service import CapacityStrategy
from shared.schemas.hotw_svc import Decision, FulfillmentStatus, OrderType
from tests.support.hotw_inputs import NOW, SUCCESS, asg_name, asgs, order, run


def test_the_references_fleet_gets_fifty_hosts_as_twenty_twenty_ten() -> None:
    done = run()
    assert done.status is SUCCESS
    assert (done.needed, done.required_hosts, done.cap) == (220, 200, "MaxHostCount")
    assert done.presence is not None
    assert (done.presence.hosts, done.pending, done.need) == (150, 0, 50)
    assert (done.ordered_hosts, done.shortfall) == (50, 0)
    assert [(o.fulfillment_id, o.asg_name, o.zone, o.value) for o in done.orders] == [
        ("F5-42-1", asg_name("a"), "us-east-1a", 20),
        ("F5-42-2", asg_name("b"), "us-east-1b", 20),
        ("F5-42-3", asg_name("c"), "us-east-1c", 10),
    ]
    assert dict(done.host_distribution) == {"c5.2xlarge": 50}


def test_its_reasoning_gives_the_outcome_first_and_then_every_number() -> None:
    assert run().reasoning == (
        "50 hosts ordered (us-east-1a 20, us-east-1b 20, us-east-1c 10), expected by 2024-06-29. "
        "50,000 TPM × 1.1 buffer / 250 TPM per host = 220 hosts needed, 200 required (200 is MaxHostCount). "
        "150 present (by the inventory of 2024-06-14T12:00:00.000Z), 0 pending."
    )


def test_its_orders_are_pending_and_due_in_fourteen_days() -> None:
    assert {(o.status, o.order_type, o.placed_at, o.fulfillment_date) for o in run().orders} == {
        (FulfillmentStatus.PENDING, OrderType.STANDARD, NOW, date(2024, 6, 29))
    }


def test_its_overrides_are_proposed_on_the_base_around_the_peak() -> None:
    done = run()
    assert [(o.name, o.status, o.base_capacity, o.value, o.expiry_value) for o in done.overrides] == [
        (f"PD2024-{asg_name(letter)}", OverrideStatus.PROPOSED, 50, 50, 50) for letter in "abc"
    ]
    assert {(o.start, o.end) for o in done.overrides} == {
        (datetime(2024, 7, 15, tzinfo=UTC), datetime(2024, 7, 19, tzinfo=UTC))
    }


def test_every_asg_of_the_fleet_is_recorded_with_zero_where_it_gets_none() -> None:
    done = run(az_factors=az_factors({"us-east-1b": 0}))
    assert [(o.asg.name, o.recommended, o.eap_enabled) for o in done.asgs] == [
        (asg_name("a"), 25, False),
        (asg_name("b"), 0, False),
        (asg_name("c"), 25, False),
    ]


def test_eap_is_enabled_on_an_asg_from_its_first_approval() -> None:
    approved = decide(order("b"), Decision.APPROVE, now=NOW, user="u")
    assert [o.eap_enabled for o in run(orders=(approved,)).asgs] == [False, True, False]


def test_emergent_orders_are_due_in_two_days() -> None:
    now = datetime(2024, 7, 10, tzinfo=UTC)
    done = run(now=now, run={"order_type": OrderType.EMERGENT})
    assert {(o.order_type, o.fulfillment_date) for o in done.orders} == {(OrderType.EMERGENT, date(2024, 7, 12))}
    assert {o.override_type for o in done.overrides} == {OrderType.EMERGENT}


def test_an_order_due_on_the_day_of_the_peak_is_placed_and_marked_late() -> None:
    done = run(now=datetime(2024, 7, 2, 23, tzinfo=UTC))
    assert (done.status, done.late) == (SUCCESS, True)
    assert "Late: 2024-07-16 is not before the peak, which starts on 2024-07-16." in done.reasoning
    assert not run(now=datetime(2024, 7, 1, 23, tzinfo=UTC)).late


def test_an_order_type_that_the_dates_do_not_explain_is_explained_in_the_reasoning() -> None:
    """7.1.3"""
    reason = "Emergent: a Standard order would arrive on 2024-07-16, not before the peak, which starts on 2024-07-16."
    done = run(run={"order_type": OrderType.EMERGENT, "order_type_reason": reason})
    assert f"expected by 2024-06-17. {reason} 50,000 TPM" in done.reasoning


def test_enough_hosts_means_success_and_no_orders() -> None:
    done = run(inventory=InventoryFacts(250, NOW))
    assert (done.status, done.need, done.orders, done.overrides) == (SUCCESS, 0, (), ())
    assert done.reasoning.startswith("No hosts to order. 50,000 TPM")
    assert [o.recommended for o in done.asgs] == [0, 0, 0]
    assert dict(done.host_distribution) == {}


def test_hosts_are_counted_by_their_asgs_host_type_else_the_fleets_else_unknown() -> None:
    first, *rest = asgs(None, None, None)
    mixed = (replace(first, host_type="m5.large"), *rest)
    assert dict(run(fleet={"asgs": mixed}).host_distribution) == {"m5.large": 20, "c5.2xlarge": 30}
    assert dict(run(fleet={"asgs": mixed, "host_type": None}).host_distribution) == {"m5.large": 20, "Unknown": 30}


def test_an_unverified_tpm_is_used_and_the_reasoning_names_who_is_missing() -> None:
    done = run(projection={"verified_by_owner": False, "unverified_upstreams": ("OrderService",)})
    assert done.need == 50
    assert done.reasoning.endswith("The TPM (ManualOverride, version 3) is not verified by its owner, OrderService.")


def test_reasoning_says_how_bounds_and_headroom_came_in() -> None:
    def reasoning(**changes: Any) -> str:
        return run(**changes).reasoning

    assert "× 1.1 buffer × 1.2 headroom / 250 TPM per host = 264 hosts needed, 200 required" in reasoning(
        philosophy=Philosophy(strategy=CapacityStrategy.PERFORMANCE_BASED, headroom_percentage=20)  # type: ignore[arg-type]
    )
    assert "= 220 hosts needed, MinHosts is 300, 200 required (200 is MaxHostCount)." in reasoning(
        philosophy=Philosophy(min_hosts=300)
    )
    assert "= 1 host needed, 10 required (MinHosts)." in reasoning(projection={"manual_override": 100})
    assert "180 required (180 is the service's MaxHosts)" in reasoning(philosophy=Philosophy(max_hosts=180))
    assert "CapacityStrategy is Fixed: 160 hosts needed (MinHosts)." in reasoning(
        philosophy=Philosophy(strategy=CapacityStrategy.FIXED, min_hosts=160)
    )
    assert "(by DesiredCapacity, as there is no inventory, of 2024-06-01T10:00:00.000Z)" in reasoning(inventory=None)


def test_one_host_is_spoken_of_in_the_singular() -> None:
    assert run(inventory=InventoryFacts(199, NOW)).reasoning.startswith("1 host ordered (us-east-1a 1)")


def test_the_same_inputs_at_the_same_instant_come_to_the_same_execution() -> None:
    assert run() == run()
