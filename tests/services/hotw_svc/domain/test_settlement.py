"""Rules 8 and 9 together: what a decision, a delivery, a changed event or time does to a fleet's rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from services.hotw_svc.adapters.inputs.facts import event_facts, fleet_facts, service_facts
from services.hotw_svc.domain.inputs import EventFacts, FleetFacts, ServiceFacts
from services.hotw_svc.domain.orders.order import Order, decide, deliver
from services.hotw_svc.domain.orders.override import Override, OverrideStatus, Window
from services.hotw_svc.domain.orders.settlement import Settlement, settle
from shared.schemas.fleet_svc.service import ServiceType
from shared.schemas.hotw_svc import Decision, FulfillmentStatus
from tests.support.hotw_inputs import EVENT, FLEET, NOW, SERVICE, order, override

PD2024: EventFacts = event_facts(EVENT)
FORTRESS: FleetFacts = fleet_facts(base=FLEET)
REGISTERED: ServiceFacts = service_facts(SERVICE)
NO_WINDOWS: Mapping[str, Window] = {}
OFF = replace(PD2024, is_active=False)
PROPOSED = override(status=OverrideStatus.PROPOSED, value=50)
APPROVED = decide(order(), Decision.APPROVE, now=NOW, user="jsmith")


def settled(
    orders: Sequence[Order],
    overrides: Sequence[Override],
    *,
    event: EventFacts = PD2024,
    fleet: FleetFacts = FORTRESS,
    service: ServiceFacts | None = REGISTERED,
    windows: Mapping[str, Window] = NO_WINDOWS,
    now: datetime = NOW,
) -> Settlement:
    return settle(orders, overrides, event=event, fleet=fleet, service=service, windows=windows, now=now)


def test_nothing_to_do_is_nothing_to_write() -> None:
    assert settled([order()], [PROPOSED]) == Settlement()
    assert settled([APPROVED], [override()]) == Settlement()


def test_an_approval_raises_its_own_override_only() -> None:
    orders = [APPROVED, order("b")]
    changed = settled(orders, [PROPOSED, replace(PROPOSED, asg_name=orders[1].asg_name)])
    assert [(o.asg_name, o.value, o.status) for o in changed.overrides] == [
        (APPROVED.asg_name, 70, OverrideStatus.APPROVED)
    ]


def test_at_the_end_of_the_window_what_is_undelivered_expires_with_its_override() -> None:
    part = deliver(APPROVED, fulfilled_hosts=5, now=NOW)
    changed = settled([part], [override(status=OverrideStatus.STARTED)], now=datetime(2024, 7, 19, tzinfo=UTC))
    assert [o.status for o in changed.orders] == [FulfillmentStatus.EXPIRED]
    assert [(o.status, o.value) for o in changed.overrides] == [(OverrideStatus.EXPIRED, 55)]


def test_an_order_whose_override_was_cancelled_expires_with_the_planned_window() -> None:
    changed = settled(
        [APPROVED], [override(status=OverrideStatus.CANCELLED)], event=OFF, now=datetime(2024, 7, 19, tzinfo=UTC)
    )
    assert [o.status for o in changed.orders] == [FulfillmentStatus.EXPIRED]


def test_an_inactive_event_cancels_pending_orders_and_names_approved_ones() -> None:
    orders = [APPROVED, order("b")]
    overrides = [override(), replace(PROPOSED, asg_name=orders[1].asg_name)]
    changed = settled(orders, overrides, event=OFF)
    assert [(o.fulfillment_id, o.status, o.reason) for o in changed.orders] == [
        ("F4-42-b", FulfillmentStatus.CANCELLED, "PD2024 is not active.")
    ]
    assert [o.status for o in changed.overrides] == [OverrideStatus.CANCELLED, OverrideStatus.CANCELLED]
    assert changed.left_open == (APPROVED,)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"fleet": replace(FORTRESS, is_deleted=True)}, "Fleet FORTRESSService-NA-X0 was deleted."),
        ({"service": replace(REGISTERED, is_deleted=True)}, "Its service FORTRESSService was deleted."),
        (
            {"service": replace(REGISTERED, service_type=ServiceType.ONBOARDING)},
            "Its service FORTRESSService is Onboarding, not Registered.",
        ),
        (
            {"event": replace(PD2024, region_list=("eu-west-1",))},
            "Its region us-east-1 is not in the RegionList of PD2024 (eu-west-1).",
        ),
    ],
)
def test_a_withdrawn_fleet_keeps_approved_orders_and_started_overrides_only(
    changes: dict[str, Any], reason: str
) -> None:
    """7.9.19 to 7.9.25"""
    delayed = decide(order("c"), Decision.DELAY, now=NOW, user="u")
    orders, names = [APPROVED, order("b"), delayed], [APPROVED.asg_name, order("b").asg_name, delayed.asg_name]
    proposed = [replace(PROPOSED, asg_name=name) for name in names[1:]]
    changed = settled(orders, [override(), *proposed], **changes)
    assert [(o.fulfillment_id, o.status, o.reason) for o in changed.orders] == [
        ("F4-42-b", FulfillmentStatus.CANCELLED, reason),
        ("F4-42-c", FulfillmentStatus.CANCELLED, reason),
    ]
    assert [o.status for o in changed.overrides] == [OverrideStatus.CANCELLED] * 3
    assert (changed.left_open, changed.withdrawal) == ((APPROVED,), reason)
    started = override(status=OverrideStatus.STARTED)
    later = settled([APPROVED], [started], now=datetime(2024, 7, 16, tzinfo=UTC), **changes)
    assert (later.orders, later.overrides, later.left_open) == ((), (), (APPROVED,))
    again = settled([APPROVED], [override(status=OverrideStatus.CANCELLED)])
    assert [(o.status, o.value) for o in again.overrides] == [(OverrideStatus.APPROVED, 70)]


def test_only_an_inactive_event_leaves_orders_open_and_only_undelivered_ones() -> None:
    whole = replace(deliver(APPROVED, fulfilled_hosts=20, now=NOW), fulfillment_id="F4-42-whole")
    delayed = replace(decide(APPROVED, Decision.DELAY, now=NOW, user="u"), fulfillment_id="F4-42-delayed")
    lost = replace(decide(APPROVED, Decision.CANCEL, now=NOW, user="u"), fulfillment_id="F4-42-lost")
    orders = [APPROVED, whole, delayed, lost]
    assert settled(orders, [override()]).left_open == ()
    assert settled(orders, [override()], event=OFF).left_open == (APPROVED, delayed)
    assert settled(orders, [override()], event=OFF, now=datetime(2024, 7, 19, tzinfo=UTC)).left_open == ()


def test_a_started_override_outlives_its_event() -> None:
    changed = settled(
        [APPROVED], [override(status=OverrideStatus.STARTED)], event=OFF, now=datetime(2024, 7, 16, tzinfo=UTC)
    )
    assert (changed.orders, changed.overrides) == ((), ())


def test_an_event_that_is_on_again_restores_the_overrides_of_the_orders_that_live_on() -> None:
    cancelled = override(status=OverrideStatus.CANCELLED)
    assert [(o.status, o.value) for o in settled([APPROVED], [cancelled]).overrides] == [(OverrideStatus.APPROVED, 70)]
    dead = decide(APPROVED, Decision.CANCEL, now=NOW, user="u")
    assert settled([dead], [cancelled]) == Settlement()


def test_delivered_hosts_get_their_override_back_when_the_event_is_on_again() -> None:
    """7.9.4: what is delivered is in the override's value, also of an order that is done or lost."""
    cancelled = override(status=OverrideStatus.CANCELLED)
    whole = deliver(APPROVED, fulfilled_hosts=20, now=NOW)
    part = decide(deliver(APPROVED, fulfilled_hosts=5, now=NOW), Decision.CANCEL, now=NOW, user="u")
    assert [(o.status, o.value) for o in settled([whole], [cancelled]).overrides] == [(OverrideStatus.APPROVED, 70)]
    assert [(o.status, o.value) for o in settled([part], [cancelled]).overrides] == [(OverrideStatus.APPROVED, 55)]
    over = datetime(2024, 7, 19, tzinfo=UTC)
    assert settled([whole], [cancelled], now=over) == Settlement()


def test_a_cancelled_override_stays_so_beside_a_live_one_of_its_asg() -> None:
    cancelled = override(status=OverrideStatus.CANCELLED, run_id=3)
    assert settled([APPROVED], [cancelled, override()]) == Settlement()
    assert settled([APPROVED], [override(), cancelled]) == Settlement()


def test_another_events_rows_are_left_alone() -> None:
    theirs = order(event_id="SUMMER", status=FulfillmentStatus.APPROVED)
    changed = settled([theirs], [override(event_id="SUMMER", value=1)], event=OFF)
    assert (changed.orders, changed.overrides, changed.left_open) == ((), (), ())


def test_a_new_desired_capacity_moves_the_base_only_before_the_override_is_on() -> None:
    asgs = tuple(replace(asg, desired_capacity=60) for asg in FORTRESS.asgs)
    bigger = replace(FORTRESS, asgs=asgs)
    assert [(o.base_capacity, o.value) for o in settled([APPROVED], [override()], fleet=bigger).overrides] == [(60, 80)]
    during = replace(bigger, capacity_as_of=datetime(2024, 7, 16, tzinfo=UTC))
    started = override(status=OverrideStatus.STARTED)
    assert settled([APPROVED], [started], fleet=during, now=datetime(2024, 7, 17, tzinfo=UTC)).overrides == ()


def test_the_override_of_an_asg_that_is_gone_keeps_its_base() -> None:
    without = replace(FORTRESS, asgs=FORTRESS.asgs[1:])
    assert [o.value for o in settled([APPROVED], [PROPOSED], fleet=without).overrides] == [70]


def test_settling_twice_at_one_instant_changes_nothing_the_second_time() -> None:
    orders, overrides = [APPROVED, order("b")], [PROPOSED, replace(PROPOSED, asg_name=order("b").asg_name)]
    for event, now in [(PD2024, NOW), (OFF, NOW), (PD2024, datetime(2024, 7, 19, tzinfo=UTC))]:
        changed = settled(orders, overrides, event=event, now=now)
        new_orders = {o.fulfillment_id: o for o in (*orders, *changed.orders)}
        new_overrides = {o.asg_name: o for o in (*overrides, *changed.overrides)}
        again = settled(list(new_orders.values()), list(new_overrides.values()), event=event, now=now)
        assert (again.orders, again.overrides) == ((), ())
