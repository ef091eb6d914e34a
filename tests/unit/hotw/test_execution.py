"""Rules 3 to 9 together: one execution, its status, its Reasoning, its orders and overrides."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.hotw_svc.domain.arithmetic import MAX_INT
from services.hotw_svc.domain.distribution import EVEN
from services.hotw_svc.domain.execution import Execution, ExecutionStatus, execute, fleet_gone, lock_held
from services.hotw_svc.domain.inputs import Inputs, InventoryFacts, OrderDates, Philosophy, Strategy
from services.hotw_svc.domain.orders import Decision, Delivery, Order, OrderStatus, OrderType, decide, deliver
from services.hotw_svc.domain.overrides import Override, OverrideStatus
from services.hotw_svc.domain.placement import place
from services.hotw_svc.domain.settlement import settle
from services.hotw_svc.domain.snapshots import az_factors
from tests.unit.hotw.company import NOW, asg_name, asgs, fortress, order, override

SUCCESS, PARTIAL, FAIL = ExecutionStatus.SUCCESS, ExecutionStatus.PARTIAL_SUCCESS, ExecutionStatus.FAIL


def run(now: datetime = NOW, **changes: Any) -> Execution:
    return execute(fortress(**changes), now=now)


def test_the_references_fleet_gets_fifty_hosts_as_twenty_twenty_ten() -> None:
    done = run()
    assert done.status is SUCCESS
    assert (done.needed, done.required_hosts, done.cap) == (220, 200, "MaxHostCount")
    assert done.presence is not None
    assert (done.presence.hosts, done.pending, done.need) == (150, 0, 50)
    assert (done.ordered_hosts, done.shortfall, done.dashboard_hosts) == (50, 0, 50)
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
        (OrderStatus.PENDING, OrderType.STANDARD, NOW, date(2024, 6, 29))
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


def test_an_order_due_on_the_day_of_the_peak_is_placed_and_said_to_be_late() -> None:
    done = run(now=datetime(2024, 7, 2, 23, tzinfo=UTC))
    assert (done.status, done.late) == (SUCCESS, True)
    assert "Late: 2024-07-16 is not before the peak, which starts on 2024-07-16." in done.reasoning
    assert not run(now=datetime(2024, 7, 1, 23, tzinfo=UTC)).late


def test_enough_hosts_means_success_and_no_orders() -> None:
    done = run(inventory=InventoryFacts(250, NOW))
    assert (done.status, done.need, done.orders, done.overrides) == (SUCCESS, 0, (), ())
    assert done.reasoning.startswith("No hosts to order. 50,000 TPM")
    assert [o.recommended for o in done.asgs] == [0, 0, 0]
    assert dict(done.host_distribution) == {}


def test_pending_hosts_are_not_ordered_again() -> None:
    first = run()
    done = run(orders=first.orders, overrides=first.overrides, run={"run_id": 6})
    assert (done.status, done.pending, done.need, done.orders, done.dashboard_hosts) == (SUCCESS, 50, 0, (), 50)


def test_pending_is_only_what_open_orders_of_this_event_have_still_to_deliver() -> None:
    approved = order(status=OrderStatus.APPROVED, approved_at=NOW)
    part = deliver(approved, fulfilled_hosts=5, now=NOW)
    elsewhere = order("b", event_id="SUMMER")
    done = run(orders=(part, elsewhere))
    assert done.pending == 15


def test_after_approval_and_delivery_nothing_is_ordered_again_although_the_inventory_is_behind() -> None:
    first = run()
    orders = tuple(
        deliver(
            decide(o, Decision.APPROVE, now=NOW, user="u"),
            fulfilled_hosts=o.value,
            now=datetime(2024, 6, 28, tzinfo=UTC),
        )
        for o in first.orders
    )
    changed = settle(orders, first.overrides, event=first.inputs.event, fleet=first.inputs.fleet, now=NOW)
    assert [o.value for o in changed.overrides] == [70, 70, 60]
    done = run(now=datetime(2024, 6, 28, tzinfo=UTC), orders=orders, overrides=changed.overrides)
    assert done.presence is not None
    assert (done.presence.reported, done.presence.arriving, done.need) == (150, 50, 0)
    assert "200 present (150 by the inventory of 2024-06-14T12:00:00.000Z, 50 arriving), 0 pending." in done.reasoning


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
        order("b", value=7, status=OrderStatus.REJECTED),
    )
    done = run(fleet={"asgs": capped, "max_host_count": 1_000}, orders=others, projection={"manual_override": 500_000})
    assert [o.recommended for o in done.asgs] == [18, 30, 30]


def test_hosts_a_dead_order_delivered_still_take_room() -> None:
    dead = order("a", status=OrderStatus.CANCELLED, deliveries=(Delivery(4, NOW),))
    done = run(fleet={"asgs": asgs(10, desired=50)}, orders=(dead,))
    assert done.ordered_hosts == 6


def test_max_instance_does_not_bound() -> None:
    assert run(fleet={"asgs": asgs(None, desired=50, max_instance=50)}).ordered_hosts == 50


def test_only_asgs_open_to_eap_take_hosts() -> None:
    open_one, *closed = asgs(None, None, None)
    fleet = {"asgs": (open_one, *(replace(asg, eap_onboarding_status=False) for asg in closed))}
    assert [o.recommended for o in run(fleet=fleet).asgs] == [50, 0, 0]


def test_hosts_are_counted_by_their_asgs_host_type_else_the_fleets_else_unknown() -> None:
    first, *rest = asgs(None, None, None)
    mixed = (replace(first, host_type="m5.large"), *rest)
    assert dict(run(fleet={"asgs": mixed}).host_distribution) == {"m5.large": 20, "c5.2xlarge": 30}
    assert dict(run(fleet={"asgs": mixed, "host_type": None}).host_distribution) == {"m5.large": 20, "Unknown": 30}


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


def test_every_obstacle_is_named_at_once() -> None:
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
        {"event": {"peak_end_date": date(2040, 1, 1)}},
        "An override until 2040-01-03 cannot be recorded: 2038-01-19 is the last day.",
    ),
    (
        {"fleet": {"host_throughput_tpm": 1, "max_host_count": None}, "projection": {"manual_override": MAX_INT}},
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
        "No PeakTPM: neither a projection for PD2024 nor FleetProjection gives a TPM."
    )
    assert execute(replace(fortress(), projection=None), now=NOW).need == 50


def test_an_unverified_tpm_is_used_and_the_reasoning_names_who_is_missing() -> None:
    done = run(projection={"verified_by_owner": False, "unverified_upstreams": ("OrderService",)})
    assert done.need == 50
    assert done.reasoning.endswith("The TPM (ManualOverride, version 3) is not verified by its owner, OrderService.")


def test_reasoning_says_how_bounds_and_headroom_came_in() -> None:
    def said(**changes: Any) -> str:
        return run(**changes).reasoning

    assert "× 1.1 buffer × 1.2 headroom / 250 TPM per host = 264 hosts needed, 200 required" in said(
        philosophy=Philosophy(strategy=Strategy.PERFORMANCE_BASED, headroom_percentage=20)  # type: ignore[arg-type]
    )
    assert "200 required: MinHosts is 300, but the cap of 200 wins." in said(philosophy=Philosophy(min_hosts=300))
    assert "= 1 host needed, 10 required (MinHosts)." in said(projection={"manual_override": 100})
    assert "180 required (180 is the service's MaxHosts)" in said(philosophy=Philosophy(max_hosts=180))
    assert "CapacityStrategy is Fixed: 160 hosts needed (MinHosts)." in said(
        philosophy=Philosophy(strategy=Strategy.FIXED, min_hosts=160)
    )
    assert "(by DesiredCapacity, as there is no inventory, of 2024-06-01T10:00:00.000Z)" in said(inventory=None)


def test_one_host_is_spoken_of_in_the_singular() -> None:
    assert run(inventory=InventoryFacts(199, NOW)).reasoning.startswith("1 host ordered (us-east-1a 1)")


def test_a_second_execution_supersedes_the_live_override_and_carries_on_what_was_approved() -> None:
    approved = decide(order("a"), Decision.APPROVE, now=NOW, user="u")
    done = run(
        orders=(approved,), overrides=(override("a"),), run={"run_id": 6}, projection={"manual_override": 45_000}
    )
    assert done.need == 28
    assert done.superseded_overrides == (override("a", status=OverrideStatus.SUPERSEDED),)
    first, *rest = done.overrides
    assert (first.run_id, first.value, first.status) == (6, 70, OverrideStatus.APPROVED)
    assert {o.status for o in rest} == {OverrideStatus.PROPOSED}


def test_a_second_execution_keeps_the_start_of_an_override_that_is_on() -> None:
    now = datetime(2024, 7, 16, 8, tzinfo=UTC)
    approved = order("a", status=OrderStatus.FULFILLED, approved_at=NOW, deliveries=(Delivery(20, NOW),))
    on = override("a", status=OverrideStatus.STARTED)
    done = run(now=now, orders=(approved,), overrides=(on,))
    assert (done.overrides[0].start, done.overrides[0].status) == (on.start, OverrideStatus.STARTED)
    assert done.overrides[1].start == now


def test_the_base_of_an_asg_is_not_its_raised_capacity() -> None:
    on = override("a", status=OverrideStatus.STARTED)
    raised = tuple(replace(asg, desired_capacity=70) for asg in asgs(None))
    now = datetime(2024, 7, 17, tzinfo=UTC)
    approved = decide(order("a"), Decision.APPROVE, now=NOW, user="u")
    done = run(
        now=now,
        fleet={"asgs": raised, "capacity_as_of": datetime(2024, 7, 16, tzinfo=UTC)},
        orders=(approved,),
        overrides=(on,),
    )
    assert [(o.base_capacity, o.value) for o in done.overrides] == [(50, 70)]


def test_lost_orders_are_made_up_for_by_a_success_only() -> None:
    lost = (order("a", status=OrderStatus.REJECTED), order("b", status=OrderStatus.CANCELLED, event_id="SUMMER"))
    assert [(o.fulfillment_id, o.superseded) for o in run(orders=lost).superseded_orders] == [("F4-42-a", True)]
    assert run(orders=lost, fleet={"asgs": asgs(10)}).superseded_orders == ()
    assert run(orders=lost, fleet={"asgs": ()}).superseded_orders == ()


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
    assert done.dashboard_hosts == 20


def test_the_same_inputs_at_the_same_instant_come_to_the_same_execution() -> None:
    assert run() == run()


counts = st.none() | st.integers(0, 400)
fleets = st.lists(st.tuples(st.none() | st.integers(0, 40), st.booleans()), max_size=5).map(
    lambda drawn: tuple(
        replace(asg, eap_onboarding_status=open_to_eap)
        for asg, (_, open_to_eap) in zip(asgs(*(room for room, _ in drawn), desired=30), drawn, strict=True)
    )
)
DELIVERABLE = (OrderStatus.APPROVED, OrderStatus.DELAYED, OrderStatus.CANCELLED, OrderStatus.EXPIRED)


def past_order(letter: str, status: OrderStatus, value: int, part: bool) -> Order:
    """An order as it can stand: delivered in full, in part where its state allows that, or not at all."""
    delivered = value if status is OrderStatus.FULFILLED else 1 if part and status in DELIVERABLE else 0
    return order(
        letter,
        fulfillment_id=f"F4-42-{letter}-{status}-{value}",
        status=status,
        value=value,
        approved_at=NOW if status in (OrderStatus.APPROVED, OrderStatus.FULFILLED) else None,
        deliveries=(Delivery(delivered, NOW),) if delivered else (),
    )


past_orders = st.lists(
    st.builds(past_order, st.sampled_from("abcde"), st.sampled_from(OrderStatus), st.integers(2, 30), st.booleans()),
    max_size=4,
).map(tuple)


def overrides_of(orders: tuple[Order, ...], *, early: bool) -> tuple[Override, ...]:
    """The live override of every ASG something was ordered for; `early`: already on."""
    on = {"status": OverrideStatus.STARTED, "start": datetime(2024, 6, 1, tzinfo=UTC)} if early else {}
    return tuple(override(letter, base_capacity=30, **on) for letter in sorted({o.asg_name[-1] for o in orders}))


any_inputs = st.builds(
    lambda tpm, throughput, cap, minimum, present, fleet_asgs, orders, early, weights: fortress(
        projection={"manual_override": tpm},
        fleet={"host_throughput_tpm": throughput, "max_host_count": cap, "asgs": fleet_asgs},
        philosophy=Philosophy(min_hosts=minimum),
        inventory=None if present is None else InventoryFacts(present, NOW),
        orders=orders,
        overrides=overrides_of(orders, early=early),
        az_factors=weights,
    ),
    st.integers(0, 100_000),
    st.integers(1, 1_000),
    counts,
    counts,
    counts,
    fleets,
    past_orders,
    st.booleans(),
    st.sampled_from([EVEN, az_factors({"us-east-1a": 2, "us-east-1b": "0.5", "us-east-1c": 0})]),
)


@given(any_inputs)
def test_every_execution_keeps_the_rules_sums(inputs: Inputs) -> None:
    done = execute(inputs, now=NOW)
    assert done.presence is not None
    assert done.required_hosts is not None
    assert done.need is not None
    assert done.pending is not None
    assert done.need == max(0, done.required_hosts - done.presence.hosts - done.pending)
    assert done.ordered_hosts + done.shortfall == done.need
    assert sum(o.value for o in done.orders) == done.ordered_hosts
    assert sum(o.recommended for o in done.asgs) == done.ordered_hosts
    assert sum(done.host_distribution.values()) == done.ordered_hosts
    assert done.dashboard_hosts == sum(o.value for o in inputs.event_orders if o.is_live) + done.ordered_hosts
    expected = SUCCESS if not done.shortfall else PARTIAL if done.ordered_hosts else FAIL
    assert done.status is expected
    assert done.reasoning
    assert len(done.asgs) == len(inputs.fleet.asgs)
    assert [o.fulfillment_id for o in done.orders] == [f"F5-42-{n}" for n in range(1, len(done.orders) + 1)]


@given(any_inputs)
def test_no_override_could_ever_exceed_its_asgs_max_override_capacity(inputs: Inputs) -> None:
    done = execute(inputs, now=NOW)
    limits = {asg.name: asg.max_override_capacity for asg in inputs.fleet.asgs}
    orders = [decide(o, Decision.APPROVE, now=NOW, user="u") for o in done.orders]
    for override_made in done.overrides:
        on_it = [o for o in (*inputs.event_orders, *orders) if o.asg_name == override_made.asg_name]
        top = override_made.base_capacity + sum(o.standing_hosts for o in on_it)
        limit = limits[override_made.asg_name]
        assert override_made.value >= 0
        assert limit is None or top <= limit


@given(any_inputs)
def test_a_second_execution_orders_nothing_that_the_first_has_ordered(inputs: Inputs) -> None:
    first = execute(inputs, now=NOW)
    replaced = {o.asg_name for o in first.superseded_overrides}
    standing = tuple(o for o in inputs.overrides if o.asg_name not in replaced)
    orders, overrides = (*inputs.orders, *first.orders), (*standing, *first.overrides)
    again = execute(replace(inputs, orders=orders, overrides=overrides), now=NOW)
    assert again.ordered_hosts == 0
    assert again.need == first.shortfall


@given(any_inputs, st.randoms(use_true_random=False))
def test_the_order_in_which_asgs_and_orders_are_listed_does_not_matter(inputs: Inputs, shuffled: Any) -> None:
    fleet_asgs, orders = list(inputs.fleet.asgs), list(inputs.orders)
    shuffled.shuffle(fleet_asgs)
    shuffled.shuffle(orders)
    other = replace(inputs, fleet=replace(inputs.fleet, asgs=tuple(fleet_asgs)), orders=tuple(orders))
    ours, theirs = execute(inputs, now=NOW), execute(other, now=NOW)
    assert (ours.orders, ours.overrides, ours.reasoning) == (theirs.orders, theirs.overrides, theirs.reasoning)


big = st.integers(0, MAX_INT)


@given(tpm=big, throughput=st.integers(1, MAX_INT), desired=big, present=big, child=big, minimum=big)
def test_no_number_a_document_may_hold_makes_it_raise(
    tpm: int, throughput: int, desired: int, present: int, child: int, minimum: int
) -> None:
    done = run(
        projection={"manual_override": tpm},
        fleet={
            "host_throughput_tpm": throughput,
            "asgs": asgs(None, None, desired=desired),
            "max_host_count": None,
            "child_desired_capacity": child,
        },
        philosophy=Philosophy(min_hosts=minimum),
        inventory=InventoryFacts(present, NOW),
    )
    for made in done.overrides:
        assert made.base_capacity + sum(o.value for o in done.orders if o.asg_name == made.asg_name) <= MAX_INT


def override_total(overrides: tuple[Override, ...], orders: tuple[Order, ...]) -> int:
    return sum(o.base_capacity for o in overrides) + sum(o.value for o in orders)


def test_all_orders_approved_raise_the_asgs_by_exactly_what_was_ordered() -> None:
    done = run()
    approved = tuple(decide(o, Decision.APPROVE, now=NOW, user="u") for o in done.orders)
    changed = settle(approved, done.overrides, event=done.inputs.event, fleet=done.inputs.fleet, now=NOW)
    assert sum(o.value for o in changed.overrides) == override_total(done.overrides, approved) == 200
