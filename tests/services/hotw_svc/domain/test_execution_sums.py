"""What holds of every execution, whatever its inputs: its sums, its bounds, and that nothing is ordered twice."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from services.hotw_svc.adapters.runs.execution_rows import execution_columns
from services.hotw_svc.domain.inputs import Inputs, InventoryFacts, Philosophy
from services.hotw_svc.domain.orders.order import decide
from services.hotw_svc.domain.runs.execution import execute
from shared.schemas.base import MAX_COUNT
from shared.schemas.hotw_svc import Decision
from tests.support.hotw_inputs import FAIL, NOW, PARTIAL, SUCCESS, asgs, run
from tests.support.hotw_strategies import any_inputs


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
