"""Rule 7.3: HostsPresentInApollo = Reported + Arriving − Leaving, and what is pending: no host is ordered twice."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.hotw_svc.domain.inputs import InventoryFacts
from services.hotw_svc.domain.orders.order import Delivery, Order
from services.hotw_svc.domain.orders.override import OverrideStatus
from services.hotw_svc.domain.runs.presence import pending_hosts, presence
from shared.schemas.hotw_svc import FulfillmentStatus
from tests.support.hotw_inputs import fortress, order, override


def day(month: int, number: int) -> datetime:
    return datetime(2024, month, number, tzinfo=UTC)


REPORTED = day(6, 14)
INVENTORY = InventoryFacts(150, REPORTED)


def delivered(hosts: int, at: datetime, **others: Any) -> Order:
    return order(status=FulfillmentStatus.FULFILLED, value=hosts, deliveries=(Delivery(hosts, at),), **others)


def test_the_last_inventory_counts_at_its_instant() -> None:
    there = presence(fortress(inventory=INVENTORY))
    assert (there.hosts, there.source, there.as_of) == (150, "inventory", REPORTED)


def test_without_inventory_the_asgs_desired_capacity_counts_at_its_own_instant() -> None:
    there = presence(fortress(inventory=None))
    assert (there.hosts, there.source, there.as_of) == (150, "DesiredCapacity", datetime(2024, 6, 1, 10, tzinfo=UTC))


def test_an_inventory_of_no_hosts_is_not_a_missing_one() -> None:
    assert presence(fortress(inventory=InventoryFacts(0, REPORTED))).hosts == 0


def test_hosts_delivered_since_the_inventory_are_arriving() -> None:
    running = override(start=day(6, 1), status=OverrideStatus.STARTED)
    there = presence(fortress(inventory=INVENTORY, orders=(delivered(20, day(6, 15)),), overrides=(running,)))
    assert (there.hosts, there.arriving) == (170, 20)


def test_hosts_delivered_before_their_override_arrive_despite_a_newer_inventory() -> None:
    there = presence(fortress(inventory=INVENTORY, orders=(delivered(20, day(6, 10)),), overrides=(override(),)))
    assert (there.hosts, there.arriving) == (170, 20)


def test_hosts_that_were_in_when_the_inventory_was_taken_are_not_counted_again() -> None:
    running = override(start=day(6, 1), status=OverrideStatus.STARTED)
    there = presence(fortress(inventory=INVENTORY, orders=(delivered(20, day(6, 10)),), overrides=(running,)))
    assert (there.hosts, there.arriving) == (150, 0)


def test_a_host_that_enters_at_the_very_instant_of_the_inventory_was_in() -> None:
    running = override(start=day(6, 1), status=OverrideStatus.STARTED)
    there = presence(fortress(inventory=INVENTORY, orders=(delivered(20, REPORTED),), overrides=(running,)))
    assert there.hosts == 150


def test_a_part_delivery_counts_for_what_it_delivered_only() -> None:
    part = order(status=FulfillmentStatus.APPROVED, deliveries=(Delivery(5, day(6, 10)), Delivery(3, day(6, 15))))
    running = override(start=day(6, 1), status=OverrideStatus.STARTED)
    assert presence(fortress(inventory=INVENTORY, orders=(part,), overrides=(running,))).arriving == 3


def test_what_a_cancelled_order_has_delivered_still_arrives() -> None:
    lost = order(status=FulfillmentStatus.CANCELLED, deliveries=(Delivery(5, day(6, 15)),))
    assert presence(fortress(inventory=INVENTORY, orders=(lost,), overrides=(override(),))).arriving == 5


# This peak is from 2024-07-16 00:00 to 2024-07-18 00:00. Each case is another event's override: its start, its end.
ALL_PEAK = [(day(7, 10), day(7, 20)), (day(7, 16), day(7, 18))]
PART_OF_PEAK = [
    (day(7, 10), day(7, 18) - timedelta(milliseconds=1)),
    (day(7, 16) + timedelta(milliseconds=1), day(7, 20)),
    (day(7, 10), day(7, 16)),
    (day(7, 18), day(7, 20)),
]


@pytest.mark.parametrize(
    ("start", "end", "hosts"), [(*window, 20) for window in ALL_PEAK] + [(*window, 0) for window in PART_OF_PEAK]
)
def test_another_events_hosts_arrive_only_over_this_whole_peak(start: datetime, end: datetime, hosts: int) -> None:
    """7.3.23"""
    theirs = override(event_id="SUMMER", start=start, end=end)
    orders = (delivered(20, day(6, 10), event_id="SUMMER"),)
    there = presence(fortress(inventory=INVENTORY, orders=orders, overrides=(theirs,)))
    assert (there.arriving, there.leaving) == (hosts, 0)


@pytest.mark.parametrize(
    ("start", "end", "hosts"), [(*window, 20) for window in ALL_PEAK] + [(*window, 0) for window in PART_OF_PEAK]
)
def test_another_events_open_order_is_pending_only_over_this_whole_peak(
    start: datetime, end: datetime, hosts: int
) -> None:
    """7.3.28"""
    theirs = override(event_id="SUMMER", start=start, end=end)
    approved = order(event_id="SUMMER", status=FulfillmentStatus.APPROVED, approved_at=REPORTED)
    assert pending_hosts(fortress(orders=(approved,), overrides=(theirs,))) == hosts


def test_another_events_open_order_is_pending_only_once_it_was_approved() -> None:
    """7.3.28: a delay after the approval does not matter. An override that was cancelled runs over nothing."""
    theirs = override(event_id="SUMMER")
    approved = order(event_id="SUMMER", approved_at=REPORTED, deliveries=(Delivery(5, day(6, 10)),))
    for status, hosts in ((FulfillmentStatus.DELAYED, 15), (FulfillmentStatus.CANCELLED, 0)):
        orders = (replace(approved, status=status),)
        assert pending_hosts(fortress(orders=orders, overrides=(theirs,))) == hosts
    for status in (FulfillmentStatus.PENDING, FulfillmentStatus.DELAYED):
        assert pending_hosts(fortress(orders=(order(event_id="SUMMER", status=status),), overrides=(theirs,))) == 0
    off = replace(theirs, status=OverrideStatus.CANCELLED)
    approved = replace(approved, status=FulfillmentStatus.APPROVED)
    assert pending_hosts(fortress(orders=(approved,), overrides=(off,))) == 0


@pytest.mark.parametrize(("end", "hosts"), [(day(7, 17), 20), (day(7, 18), 0)])
def test_another_events_hosts_leave_if_they_go_before_this_peak_ends(end: datetime, hosts: int) -> None:
    """7.3.24"""
    theirs = override(event_id="SUMMER", start=day(6, 1), end=end, status=OverrideStatus.STARTED)
    orders = (delivered(20, day(6, 10), event_id="SUMMER"),)
    assert presence(fortress(inventory=INVENTORY, orders=orders, overrides=(theirs,))).leaving == hosts


def test_another_events_hosts_that_come_and_go_before_this_peak_count_nowhere() -> None:
    theirs = override(event_id="SUMMER", start=day(7, 1), end=day(7, 10))
    there = presence(
        fortress(inventory=INVENTORY, orders=(delivered(20, day(6, 10), event_id="SUMMER"),), overrides=(theirs,))
    )
    assert (there.arriving, there.leaving) == (0, 0)


def test_another_events_hosts_that_are_in_and_go_before_this_peak_are_leaving() -> None:
    theirs = override(event_id="SUMMER", start=day(6, 1), end=day(7, 1), status=OverrideStatus.STARTED)
    there = presence(
        fortress(inventory=INVENTORY, orders=(delivered(20, day(6, 10), event_id="SUMMER"),), overrides=(theirs,))
    )
    assert (there.hosts, there.leaving) == (130, 20)


def test_an_override_that_ends_the_instant_this_peak_starts_has_left() -> None:
    theirs = override(event_id="SUMMER", start=day(6, 1), end=day(7, 16), status=OverrideStatus.STARTED)
    there = presence(
        fortress(inventory=INVENTORY, orders=(delivered(20, day(6, 10), event_id="SUMMER"),), overrides=(theirs,))
    )
    assert there.leaving == 20


def test_another_events_hosts_that_are_in_and_stay_over_this_peak_count_once() -> None:
    theirs = override(event_id="SUMMER", start=day(6, 1), end=day(7, 30), status=OverrideStatus.STARTED)
    there = presence(
        fortress(inventory=INVENTORY, orders=(delivered(20, day(6, 10), event_id="SUMMER"),), overrides=(theirs,))
    )
    assert there.hosts == 150


def test_this_events_hosts_never_leave_before_its_own_peak() -> None:
    short = override(start=day(6, 1), end=day(7, 1), status=OverrideStatus.STARTED)
    there = presence(fortress(inventory=INVENTORY, orders=(delivered(20, day(6, 10)),), overrides=(short,)))
    assert there.leaving == 0


def test_a_superseded_override_no_longer_says_when_hosts_come_and_go() -> None:
    old = override(start=day(6, 1), end=day(7, 1), status=OverrideStatus.SUPERSEDED)
    there = presence(fortress(inventory=INVENTORY, orders=(delivered(20, day(6, 10)),), overrides=(override(), old)))
    assert there.arriving == 20


def test_without_a_standing_override_this_events_hosts_come_when_one_is_planned() -> None:
    cancelled = override(status=OverrideStatus.CANCELLED)
    for overrides in ((), (cancelled,)):
        there = presence(fortress(inventory=INVENTORY, orders=(delivered(20, day(6, 10)),), overrides=overrides))
        assert there.arriving == 20


def test_a_fleet_never_has_fewer_than_no_hosts() -> None:
    theirs = override(event_id="SUMMER", start=day(6, 1), end=day(7, 1), status=OverrideStatus.STARTED)
    there = presence(
        fortress(
            inventory=InventoryFacts(5, REPORTED),
            orders=(delivered(20, day(6, 10), event_id="SUMMER"),),
            overrides=(theirs,),
        )
    )
    assert there.hosts == 0


instants = st.integers(0, 74 * 24).map(lambda hours: day(5, 1) + timedelta(hours=hours))


@given(delivery=instants, reported=instants, start=instants)
def test_a_delivered_host_of_this_event_is_counted_exactly_once(
    delivery: datetime, reported: datetime, start: datetime
) -> None:
    """An inventory that counts what stands in the ASG, plus what arrives, is always 150 and the 20 delivered."""
    entered = max(delivery, start) <= reported
    inputs = fortress(
        inventory=InventoryFacts(150 + (20 if entered else 0), reported),
        orders=(delivered(20, delivery),),
        overrides=(override(start=start),),
    )
    assert presence(inputs).hosts == 170
