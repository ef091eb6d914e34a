"""Two events on one ASG: an override carries the other event's hosts that its peak counts (7.9.4, 7.9.13; ADR 0016)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from fractions import Fraction
from typing import Any

import pytest

from services.hotw_svc.domain.inputs import EventFacts, FleetFacts, Inputs, InventoryFacts, Philosophy
from services.hotw_svc.domain.orders.order import Delivery, Order, decide
from services.hotw_svc.domain.orders.override import Override, OverrideStatus, Window
from services.hotw_svc.domain.orders.settlement import Settlement, settle
from services.hotw_svc.domain.runs.execution import Execution, execute
from services.hotw_svc.domain.runs.presence import presence
from shared.schemas.hotw_svc import Decision, FulfillmentStatus
from tests.support.hotw_inputs import NOW, PARTIAL, SUCCESS, asg_name, asgs, fortress, order, override


def day(number: int, hour: int = 0) -> datetime:
    return datetime(2024, 7, number, hour, tzinfo=UTC)


def event(event_id: str, first: int, last: int, *, before: int = 1, after: int = 1) -> EventFacts:
    """A peak in July 2024; its overrides begin ``before`` and end ``after`` so many days."""
    return EventFacts(
        event_id=event_id,
        version_id=1,
        peak_start_date=date(2024, 7, first),
        peak_end_date=date(2024, 7, last),
        region_list=("us-east-1",),
        start_offset=before,
        end_offset=after,
    )


A, B = event("A", 14, 20), event("B", 16, 17, before=0, after=0)  # A's override runs over B's peak, not B's over A's
FLEET: dict[str, Any] = {
    "asgs": asgs(None, desired=50),
    "host_throughput_tpm": 1,  # so that the fleet requires as many hosts as its projection has TPM
    "buffer_percentage": Fraction(0),
    "max_host_count": None,
}
FORTRESS = fortress(fleet=FLEET)


def windows(*events: EventFacts) -> dict[str, Window]:
    return {one.event_id: one.override_window for one in events}


def of(one: EventFacts, hosts: int, letter: str = "a", *, approved: bool = True, **others: Any) -> Order:
    status = FulfillmentStatus.APPROVED if approved else FulfillmentStatus.PENDING
    given: dict[str, Any] = {
        "event_id": one.event_id,
        "value": hosts,
        "approved_at": NOW if approved else None,
        "status": status,
    }
    return order(letter, **{"fulfillment_id": f"F4-42-{one.event_id}-{letter}", **given, **others})


def planned(one: EventFacts, value: int, letter: str = "a", **others: Any) -> Override:
    """The event's approved override of an ASG whose base is 50."""
    window = one.override_window
    given: dict[str, Any] = {
        "event_id": one.event_id,
        "run_id": ord(one.event_id),
        "start": window.start,
        "end": window.end,
        "peak_end": window.peak_end,
        "start_offset": window.start_offset,
        "end_offset": window.end_offset,
        "value": value,
    }
    return override(letter, **{**given, **others})


def inputs(one: EventFacts, *others: EventFacts, required: int = 80, **changes: Any) -> Inputs:
    """Those of an execution for ``one`` of a fleet of 50 hosts, while the ``others`` have overrides on it."""
    given: dict[str, Any] = {"inventory": InventoryFacts(50, NOW), "fleet": FLEET, **changes}
    projection = {"manual_override": required}
    return replace(
        fortress(projection=projection, philosophy=Philosophy(), **given), event=one, windows=windows(*others)
    )


def settled(
    one: EventFacts,
    *others: EventFacts,
    orders: Sequence[Order],
    overrides: Sequence[Override],
    fleet: FleetFacts = FORTRESS.fleet,
    now: datetime = NOW,
) -> Settlement:
    return settle(
        orders, overrides, event=one, fleet=fleet, service=FORTRESS.service, windows=windows(*others), now=now
    )


def values(overrides: Iterable[Override]) -> dict[str, int]:
    return {one.event_id: one.value for one in overrides if one.is_live}


def test_b_that_counts_20_of_a_and_orders_10_raises_the_asg_by_30() -> None:
    """7.9.4, 7.9.13: the maximum of both overrides is what B needs."""
    of_a, on = of(A, 20), planned(A, 70)
    done = execute(inputs(B, A, orders=(of_a,), overrides=(on,)), now=NOW)
    assert (done.status, done.pending, done.need) == (SUCCESS, 20, 10)
    of_b = decide(done.orders[0], Decision.APPROVE, now=NOW, user="u")
    assert values(done.overrides) == {"B": 70}  # its own order waits for an approval
    changed = settled(B, A, orders=(of_a, of_b), overrides=(on, *done.overrides))
    assert values(changed.overrides) == {"B": 80}


def test_a_rejection_of_the_others_order_lowers_the_value_at_once() -> None:
    """7.9.7: the book of A is settled, and B's override changes with it."""
    ours, theirs = of(B, 10), of(A, 20, approved=False)
    part = replace(theirs, deliveries=(Delivery(5, NOW),), status=FulfillmentStatus.CANCELLED)
    both = (planned(A, 70), planned(B, 80))
    for lost, value in ((decide(theirs, Decision.REJECT, now=NOW, user="u"), 60), (part, 65)):
        changed = settled(A, B, orders=(lost, ours), overrides=both)
        assert values(changed.overrides).get("B") == value
    assert settled(A, B, orders=(of(A, 20), ours), overrides=both).overrides == ()


def test_events_that_count_each_other_both_carry_both_and_no_order_twice() -> None:
    twin = event("B", 15, 19, before=2, after=2)
    orders, overrides = (of(A, 20), of(twin, 10)), (planned(A, 50), planned(twin, 50))
    once = settled(A, twin, orders=orders, overrides=overrides)
    assert values(once.overrides) == {"A": 80, "B": 80}
    assert settled(twin, A, orders=orders, overrides=once.overrides).overrides == ()


def test_hosts_that_are_not_in_over_the_whole_peak_are_not_carried() -> None:
    orders, overrides = (of(A, 20), of(B, 10)), (planned(A, 50), planned(B, 50))
    assert values(settled(A, B, orders=orders, overrides=overrides).overrides) == {"A": 70, "B": 80}
    short = event("A", 16, 17, before=0, after=0)
    late = (planned(short, 50, start=day(16, 1)), planned(B, 50))
    assert values(settled(B, short, orders=orders, overrides=late).overrides) == {"A": 80, "B": 60}


def test_only_hosts_on_the_same_asg_are_carried() -> None:
    orders, overrides = (of(A, 20, "b"), of(B, 10)), (planned(A, 70, "b"), planned(B, 50))
    assert values(settled(B, A, orders=orders, overrides=overrides).overrides) == {"B": 60}


def test_a_moved_event_no_longer_lends_its_hosts() -> None:
    """7.9.15"""
    moved = event("A", 22, 23)
    orders, overrides = (of(A, 20), of(B, 10)), (planned(A, 70), planned(B, 80))
    changed = settled(moved, B, orders=orders, overrides=overrides)
    assert values(changed.overrides) == {"A": 70, "B": 60}


def test_a_withdrawn_event_no_longer_lends_its_hosts_until_it_is_back() -> None:
    """7.9.17 to 7.9.23: what was approved stays, but no override of it runs."""
    orders, overrides = (of(A, 20), of(B, 10)), (planned(A, 70), planned(B, 80))
    off = settled(replace(A, is_active=False), B, orders=orders, overrides=overrides)
    assert [(o.event_id, o.status, o.value) for o in off.overrides] == [
        ("A", OverrideStatus.CANCELLED, 70),
        ("B", OverrideStatus.APPROVED, 60),
    ]
    assert values(settled(A, B, orders=orders, overrides=off.overrides).overrides) == {"A": 70, "B": 80}


def test_an_override_that_has_begun_keeps_its_hosts_for_the_others() -> None:
    """7.9.23: only those that have not started are cancelled."""
    running = (planned(A, 70, status=OverrideStatus.STARTED), planned(B, 80))
    orders = (of(A, 20), of(B, 10))
    off = settled(replace(A, is_active=False), B, orders=orders, overrides=running, now=day(14))
    assert off.overrides == ()


FIRST, SECOND = event("F", 10, 13, after=4), event("S", 17, 20, before=3)  # both run over the peak between theirs
BETWEEN = event("B", 15, 16)


def between() -> Execution:
    orders = (of(FIRST, 20), of(SECOND, 10))
    overrides = (planned(FIRST, 70), planned(SECOND, 60))
    return execute(inputs(BETWEEN, FIRST, SECOND, orders=orders, overrides=overrides), now=NOW)


def test_a_peak_that_counts_hosts_of_two_events_carries_them_without_an_order() -> None:
    """7.9.13: the maximum of theirs would be 20 of the 30 hosts."""
    done = between()
    assert (done.need, done.orders) == (0, ())
    assert [(o.event_id, o.value, o.status) for o in done.overrides] == [("B", 80, OverrideStatus.APPROVED)]
    assert done.overrides[0].justification == f"B: the hosts of F, S on {asg_name('a')} for the peak."
    orders, overrides = done.inputs.orders, (*done.inputs.overrides, *done.overrides)
    assert settled(BETWEEN, FIRST, SECOND, orders=orders, overrides=overrides).overrides == ()
    second = execute(replace(done.inputs, overrides=overrides), now=NOW)
    assert (second.overrides, second.superseded_overrides) == ((), ())


def test_an_override_that_carries_nothing_more_is_cancelled() -> None:
    done = between()
    lost = decide(of(FIRST, 20), Decision.CANCEL, now=NOW, user="u")
    overrides = (planned(SECOND, 60), *done.overrides)
    changed = settled(BETWEEN, FIRST, SECOND, orders=(lost, of(SECOND, 10)), overrides=overrides)
    assert [(o.event_id, o.status) for o in changed.overrides] == [("B", OverrideStatus.CANCELLED)]


def test_counted_hosts_take_room_and_never_lift_a_value_above_the_maximum() -> None:
    """7.5.16: with MaxOverrideCapacity 75 on a base of 50, A's 20 leave room for 5."""
    fleet: dict[str, Any] = {**FLEET, "asgs": asgs(25, desired=50)}
    given = inputs(B, A, fleet=fleet, orders=(of(A, 20),), overrides=(planned(A, 70),))
    done = execute(given, now=NOW)
    assert (done.status, done.ordered_hosts, done.shortfall) == (PARTIAL, 5, 5)
    overrides = (planned(A, 70), planned(B, 50))
    for own, value in ((10, 75), (40, 90)):  # its own orders count in full (7.9.4)
        changed = settled(B, A, orders=(of(A, 20), of(B, own)), overrides=overrides, fleet=given.fleet)
        assert values(changed.overrides) == {"B": value}


def test_a_new_execution_of_b_changes_the_values_of_a() -> None:
    """B's hosts were delivered under an override that was cancelled; its next one brings them back to A's peak."""
    wide = event("B", 15, 19, before=3, after=3)
    delivered = of(wide, 10, status=FulfillmentStatus.FULFILLED, deliveries=(Delivery(10, NOW),))
    overrides = (planned(A, 70), planned(wide, 60, status=OverrideStatus.CANCELLED))
    done = execute(inputs(wide, A, required=90, orders=(of(A, 20), delivered), overrides=overrides), now=NOW)
    assert done.ordered_hosts == 10
    assert values(done.overrides) == {"B": 80}
    assert values(done.revalued_overrides) == {"A": 80}


@pytest.mark.parametrize(("counted_on", "arriving", "leaving"), [(13, 30, 0), (14, 0, 30)])
def test_a_host_is_in_while_another_events_override_carries_it(counted_on: int, arriving: int, leaving: int) -> None:
    """7.3.23: an inventory of the 14th shows A's hosts, because B's override began then, two days before A's own."""
    early, late = event("B", 16, 17, before=2), event("A", 16, 17, before=0)
    orders = (
        of(late, 20, status=FulfillmentStatus.FULFILLED, deliveries=(Delivery(20, NOW),)),
        of(early, 10, status=FulfillmentStatus.FULFILLED, deliveries=(Delivery(10, NOW),)),
    )
    overrides = (planned(late, 70), planned(early, 80, status=OverrideStatus.STARTED))
    reported = InventoryFacts(50 if counted_on == 13 else 80, day(counted_on))
    there = presence(inputs(early, late, orders=orders, overrides=overrides, inventory=reported))
    assert there.hosts == 80
    assert (there.arriving, there.leaving) == (arriving, 0)
    third = event("C", 19, 19)
    seen = presence(inputs(third, early, late, orders=orders, overrides=overrides, inventory=reported))
    assert (seen.hosts, seen.leaving) == (50, leaving)
