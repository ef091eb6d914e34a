"""What is ordered, approved or on already is not ordered again: rules 5 to 8 from one execution to the next."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from services.hotw_svc.domain.orders.order import Delivery, Order, decide, deliver
from services.hotw_svc.domain.orders.override import Override, OverrideStatus
from services.hotw_svc.domain.orders.settlement import Settlement, settle
from services.hotw_svc.domain.runs.execution import Execution
from shared.schemas.hotw_svc import Decision, FulfillmentStatus
from tests.support.hotw_inputs import NOW, SUCCESS, asgs, order, override, run


def test_pending_hosts_are_not_ordered_again() -> None:
    first = run()
    done = run(orders=first.orders, overrides=first.overrides, run={"run_id": 6})
    assert (done.status, done.pending, done.need, done.orders) == (SUCCESS, 50, 0, ())


def test_pending_is_what_open_orders_of_this_event_have_still_to_deliver() -> None:
    """7.3.27"""
    approved = order(status=FulfillmentStatus.APPROVED, approved_at=NOW)
    part = deliver(approved, fulfilled_hosts=5, now=NOW)
    assert run(orders=(part,)).pending == 15


def settled(orders: tuple[Order, ...], done: Execution) -> Settlement:
    inputs = done.inputs
    return settle(
        orders,
        done.overrides,
        event=inputs.event,
        fleet=inputs.fleet,
        service=inputs.service,
        windows=inputs.windows,
        now=NOW,
    )


def test_after_delivery_nothing_is_ordered_again_while_the_inventory_is_behind() -> None:
    first = run()
    orders = tuple(
        deliver(
            decide(o, Decision.APPROVE, now=NOW, user="u"),
            fulfilled_hosts=o.value,
            now=datetime(2024, 6, 28, tzinfo=UTC),
        )
        for o in first.orders
    )
    changed = settled(orders, first)
    assert [o.value for o in changed.overrides] == [70, 70, 60]
    done = run(now=datetime(2024, 6, 28, tzinfo=UTC), orders=orders, overrides=changed.overrides)
    assert done.presence is not None
    assert (done.presence.reported, done.presence.arriving, done.need) == (150, 50, 0)
    assert "200 present (150 by the inventory of 2024-06-14T12:00:00.000Z, 50 arriving), 0 pending." in done.reasoning


def test_a_second_execution_supersedes_the_live_override_and_keeps_what_was_approved() -> None:
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
    approved = order("a", status=FulfillmentStatus.FULFILLED, approved_at=NOW, deliveries=(Delivery(20, NOW),))
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
    lost = (
        order("a", status=FulfillmentStatus.REJECTED),
        order("b", status=FulfillmentStatus.CANCELLED, event_id="SUMMER"),
    )
    assert [(o.fulfillment_id, o.superseded) for o in run(orders=lost).superseded_orders] == [("F4-42-a", True)]
    assert run(orders=lost, fleet={"asgs": asgs(10)}).superseded_orders == ()
    assert run(orders=lost, fleet={"asgs": ()}).superseded_orders == ()


def override_total(overrides: tuple[Override, ...], orders: tuple[Order, ...]) -> int:
    return sum(o.base_capacity for o in overrides) + sum(o.value for o in orders)


def test_all_orders_approved_raise_the_asgs_by_exactly_what_was_ordered() -> None:
    done = run()
    approved = tuple(decide(o, Decision.APPROVE, now=NOW, user="u") for o in done.orders)
    changed = settled(approved, done)
    assert sum(o.value for o in changed.overrides) == override_total(done.overrides, approved) == 200
