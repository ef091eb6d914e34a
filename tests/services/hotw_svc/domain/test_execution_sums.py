"""What holds of every execution, whatever its inputs: its sums, its bounds, and that nothing is ordered twice."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from fractions import Fraction
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from services.hotw_svc.adapters.inputs.facts import az_factors
from services.hotw_svc.adapters.runs.execution_rows import execution_columns
from services.hotw_svc.domain.inputs import Inputs, InventoryFacts, Philosophy
from services.hotw_svc.domain.orders.order import Delivery, Order, decide
from services.hotw_svc.domain.orders.override import Override, OverrideStatus
from services.hotw_svc.domain.runs.distribution import EVEN
from services.hotw_svc.domain.runs.execution import execute
from shared.schemas.base import MAX_COUNT
from shared.schemas.hotw_svc import Decision, FulfillmentStatus
from tests.support.hotw_inputs import FAIL, NOW, PARTIAL, SUCCESS, asgs, fortress, order, override, run

counts = st.none() | st.integers(0, 400)
fleets = st.lists(st.tuples(st.none() | st.integers(0, 40), st.booleans()), max_size=5).map(
    lambda drawn: tuple(
        replace(asg, eap_onboarding_status=open_to_eap)
        for asg, (_, open_to_eap) in zip(asgs(*(room for room, _ in drawn), desired=30), drawn, strict=True)
    )
)
DELIVERABLE = (
    FulfillmentStatus.APPROVED,
    FulfillmentStatus.DELAYED,
    FulfillmentStatus.CANCELLED,
    FulfillmentStatus.EXPIRED,
)


def past_order(letter: str, status: FulfillmentStatus, value: int, part: bool) -> Order:
    """An order as it can stand: delivered in full, in part where its state allows that, or not at all."""
    delivered = value if status is FulfillmentStatus.FULFILLED else 1 if part and status in DELIVERABLE else 0
    return order(
        letter,
        fulfillment_id=f"F4-42-{letter}-{status}-{value}",
        status=status,
        value=value,
        approved_at=NOW if status in (FulfillmentStatus.APPROVED, FulfillmentStatus.FULFILLED) else None,
        deliveries=(Delivery(delivered, NOW),) if delivered else (),
    )


past_orders = st.lists(
    st.builds(
        past_order, st.sampled_from("abcde"), st.sampled_from(FulfillmentStatus), st.integers(2, 30), st.booleans()
    ),
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


big = st.integers(0, MAX_COUNT)
FACTORS = ("BufferFactor", "CTPeakFactor")
COUNTS = ("Needed", "RequiredHosts", "CapacityOverrideSum", "HostsPresentInApollo", "DesiredCapacity", "Shortfall")


percentages = st.integers(-(10**15), 10**15) | st.integers(-200, 200)


@given(
    tpm=big,
    throughput=st.integers(1, MAX_COUNT),
    desired=big,
    present=big,
    child=big,
    minimum=big,
    percentage=percentages.map(Fraction),
)
def test_no_number_a_document_may_hold_makes_it_raise(
    tpm: int, throughput: int, desired: int, present: int, child: int, minimum: int, percentage: Fraction
) -> None:
    done = run(
        projection={"manual_override": tpm},
        fleet={
            "buffer_percentage": percentage,
            "ct_factor": percentage,
            "host_throughput_tpm": throughput,
            "asgs": asgs(None, None, desired=desired),
            "max_host_count": None,
            "child_desired_capacity": child,
        },
        philosophy=Philosophy(min_hosts=minimum),
        inventory=InventoryFacts(present, NOW),
    )
    columns = execution_columns(done)
    assert all(-999_99 <= 100 * columns[name] <= 999_99 for name in FACTORS if columns[name] is not None)
    assert all(0 <= columns[name] <= MAX_COUNT for name in COUNTS if columns[name] is not None)
    for made in done.overrides:
        assert made.base_capacity + sum(o.value for o in done.orders if o.asg_name == made.asg_name) <= MAX_COUNT
