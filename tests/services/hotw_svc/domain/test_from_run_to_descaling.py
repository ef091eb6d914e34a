"""A peak from its first run to its descaling, with any decisions and deliveries, against an independent reckoning."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from math import ceil, floor
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from services.hotw_svc.domain.inputs import BAUTrafficFacts, Inputs, InventoryFacts, Philosophy
from services.hotw_svc.domain.orders.order import Order, decide, deliver
from services.hotw_svc.domain.orders.override import Override
from services.hotw_svc.domain.orders.settlement import settle
from services.hotw_svc.domain.runs.execution import Execution, execute
from shared.schemas.hotw_svc import Decision, Purpose
from tests.support.hotw_inputs import NOW, asgs, fortress

LATER = NOW + timedelta(days=5)
AFTER = datetime(2024, 7, 25, tzinfo=UTC)
FATES = ("leave", "approve", "deliver some", "deliver all", "reject", "cancel", "cancel a rest", "delay")
DECIDED = {"reject": Decision.REJECT, "cancel": Decision.CANCEL, "delay": Decision.DELAY}


def fated(order: Order, fate: str) -> Order:
    """The order after what befalls it."""
    if fate == "leave":
        return order
    if fate in DECIDED:
        return decide(order, DECIDED[fate], now=NOW, user="ann")
    approved = decide(order, Decision.APPROVE, now=NOW, user="ann")
    if fate == "approve":
        return approved
    came = order.value if fate == "deliver all" else order.value // 2
    delivered = deliver(approved, fulfilled_hosts=came, now=NOW) if came else approved
    return decide(delivered, Decision.CANCEL, now=NOW, user="ann") if fate == "cancel a rest" else delivered


def settled(inputs: Inputs, orders: Sequence[Order], overrides: Sequence[Override], now: datetime) -> Inputs:
    """The inputs of a later run: the book as the settlement of its decisions leaves it."""
    change = settle(
        orders, overrides, event=inputs.event, fleet=inputs.fleet, service=inputs.service, windows={}, now=now
    )
    new = {order.fulfillment_id: order for order in change.orders}
    after = {(one.run_id, one.asg_name): one for one in change.overrides}
    return replace(
        inputs,
        orders=tuple(new.get(order.fulfillment_id, order) for order in orders),
        overrides=tuple(after.get((one.run_id, one.asg_name), one) for one in overrides),
    )


def reckoned(orders: Sequence[Order]) -> tuple[int, int]:
    """Hosts that came, and hosts that are still to come, of all orders of the event."""
    came = sum(sum(one.hosts for one in order.deliveries) for order in orders)
    dead = ("Rejected", "Cancelled", "Expired")
    return came, sum(o.value - sum(d.hosts for d in o.deliveries) for o in orders if o.status not in dead)


def check_need(done: Execution, *, required: int, present: int, orders: Sequence[Order]) -> None:
    came, pending = reckoned(orders)
    assert (done.required_hosts, done.pending) == (required, pending)
    assert done.presence is not None
    assert done.presence.hosts == present + came
    assert done.need == max(0, required - present - came - pending) == done.ordered_hosts + done.shortfall


@given(
    rooms=st.lists(st.none() | st.integers(0, 60), min_size=1, max_size=4),
    tpm=st.integers(0, 90_000),
    more=st.integers(0, 30_000),
    bau=st.integers(0, 60_000),
    present=st.integers(0, 250),
    cap=st.none() | st.integers(50, 300),
    desired=st.integers(0, 90),
    kept=st.integers(0, 90),
    data=st.data(),
)
def test_no_host_is_ordered_twice_and_no_more_is_given_up_than_is_over(
    rooms: list[int | None],
    tpm: int,
    more: int,
    bau: int,
    present: int,
    cap: int | None,
    desired: int,
    kept: int,
    data: Any,
) -> None:
    """7.3.12 to 7.3.28, 7.4, 7.12: two runs with decisions and deliveries between them, then the descaling."""

    def required(traffic: int) -> int:
        needed = ceil(traffic * 11 / 2500) if traffic * 11 % 2500 else traffic * 11 // 2500
        return needed if cap is None else min(needed, cap)

    fleet = {"asgs": asgs(*rooms, desired=50), "max_host_count": cap}
    given_inputs = fortress(
        projection={"manual_override": tpm},
        philosophy=Philosophy(),
        fleet=fleet,
        inventory=InventoryFacts(present, NOW - timedelta(days=1)),
        bau_traffic=BAUTrafficFacts(3, bau),
    )
    first = execute(given_inputs, now=NOW)
    check_need(first, required=required(tpm), present=present, orders=())
    orders = tuple(fated(order, data.draw(st.sampled_from(FATES))) for order in first.orders)

    second_inputs = settled(given_inputs, orders, first.overrides, NOW)
    assert second_inputs.projection is not None
    second_inputs = replace(
        second_inputs,
        run=replace(given_inputs.run, run_id=6),
        projection=replace(second_inputs.projection, manual_override=tpm + more),
    )
    second = execute(second_inputs, now=LATER)
    check_need(second, required=required(tpm + more), present=present, orders=second_inputs.orders)

    gone = {(one.run_id, one.asg_name) for one in second.superseded_overrides}
    standing = [one for one in second_inputs.overrides if (one.run_id, one.asg_name) not in gone]
    everything = (*second_inputs.orders, *second.orders)
    last = settled(second_inputs, everything, (*standing, *second.overrides), AFTER)
    remaining = tuple(replace(asg, desired_capacity=desired, min_instance=kept) for asg in last.fleet.asgs)
    descaled = execute(
        replace(
            last,
            run=replace(last.run, run_id=7, purpose=Purpose.DESCALING),
            fleet=replace(last.fleet, asgs=remaining),
        ),
        now=AFTER,
    )
    target = max(required(bau), kept * len(rooms))
    surplus = max(0, desired * len(rooms) - target)
    assert (descaled.status, descaled.required_hosts, descaled.need) == ("Success", target, surplus)
    parts = [one.base_capacity - one.value for one in descaled.overrides]
    assert sum(parts) == surplus
    share = surplus / len(rooms)  # the ASGs are alike, so the first of them give up the odd hosts
    assert all(floor(share) <= part <= ceil(share) for part in parts)
    assert descaled.orders == ()
