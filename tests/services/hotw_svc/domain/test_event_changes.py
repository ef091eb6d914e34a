"""An Event that is moved, made inactive or deleted, for an order in each of its states; and the exact instants."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any, NamedTuple

import pytest

from services.hotw_svc.domain.inputs import EventFacts
from services.hotw_svc.domain.orders.order import Delivery, Order, decide, deliver
from services.hotw_svc.domain.orders.order_book import (
    OrderBook,
    OrderBookChange,
    OrderBookKey,
    SettledUnder,
    update_order_book,
)
from services.hotw_svc.domain.orders.override import OverrideStatus
from services.hotw_svc.domain.runs.scope import choose_order_type
from shared.errors import Conflict
from shared.schemas.hotw_svc import Decision, OrderType, Purpose
from shared.schemas.hotw_svc import FulfillmentStatus as Status
from tests.support.hotw_inputs import NOW, PEAK, fortress, order, override
from tests.support.hotw_inputs import run as run_fortress

WINDOW_START, WINDOW_END = datetime(2024, 7, 15, tzinfo=UTC), datetime(2024, 7, 19, tzinfo=UTC)
INSTANT = timedelta(milliseconds=1)
PART = (Delivery(5, NOW),)
STATES: dict[str, dict[str, Any]] = {
    "Pending": {"status": Status.PENDING},
    "Delayed, never approved": {"status": Status.DELAYED},
    "Approved": {"status": Status.APPROVED, "approved_at": NOW},
    "Approved, partly delivered": {"status": Status.APPROVED, "approved_at": NOW, "deliveries": PART},
    "Delayed after approval": {"status": Status.DELAYED, "approved_at": NOW},
    "Fulfilled": {"status": Status.FULFILLED, "approved_at": NOW, "deliveries": (Delivery(20, NOW),)},
    "Rejected": {"status": Status.REJECTED},
    "Cancelled": {"status": Status.CANCELLED},
    "Cancelled, partly delivered": {"status": Status.CANCELLED, "approved_at": NOW, "deliveries": PART},
    "Expired": {"status": Status.EXPIRED},
}
GRANTED = {"Approved", "Approved, partly delivered", "Delayed after approval"}
"""The states whose hosts are still to come and were approved."""
LEAVES = {
    "Approved": 20,
    "Approved, partly delivered": 20,
    "Delayed after approval": 20,
    "Fulfilled": 20,
    "Cancelled, partly delivered": 5,
}
"""What an order of a state adds to its override."""


class Expected(NamedTuple):
    """The order's status, its override's, and the topics of the facts."""

    status: Status
    override: OverrideStatus
    topics: list[str]


def book(of: Order, event: EventFacts, *, override_status: OverrideStatus, start: datetime = WINDOW_START) -> OrderBook:
    """The fleet's book with one order and its override, settled before the event changed."""
    inputs = fortress()
    return OrderBook(
        key=OrderBookKey(event.event_id, inputs.fleet.fleet_id, Purpose.UPSCALING),
        service_id=inputs.fleet.service_id,
        event=event,
        fleet=inputs.fleet,
        service=inputs.service,
        orders=(of,),
        overrides=(override("a", status=override_status, start=start, value=50 + of.overriding_hosts),),
        version_id=2,
        settled_under=SettledUnder(1),
    )


def moved(**days: int) -> EventFacts:
    """The event with its peak moved by so many days."""
    event, by = fortress().event, timedelta(**days)
    return replace(
        event, version_id=2, peak_start_date=event.peak_start_date + by, peak_end_date=event.peak_end_date + by
    )


def inactive() -> EventFacts:
    """An inactive event, and a deleted one, which hotw_svc knows as such."""
    return replace(fortress().event, version_id=2, is_active=False)


def settled(state: str, event: EventFacts, now: datetime, **changes: Any) -> OrderBookChange:
    of = order("a", **STATES[state])
    adds = state in LEAVES
    status = changes.pop("override_status", OverrideStatus.APPROVED if adds else OverrideStatus.PROPOSED)
    return update_order_book(book(of, event, override_status=status, **changes), now=now)


@pytest.mark.parametrize("state", STATES)
def test_a_moved_event_moves_the_window_and_leaves_every_order(state: str) -> None:
    """7.9.15: an override that has no order any more is cancelled, whatever moved."""
    change = settled(state, moved(days=7), NOW)
    [after], [window] = change.after.orders, change.after.overrides
    assert after == order("a", **STATES[state])
    assert change.facts == ()
    if state in ("Rejected", "Cancelled", "Expired"):
        assert window.status is OverrideStatus.CANCELLED
        return
    assert (window.start, window.end) == (WINDOW_START + timedelta(7), WINDOW_END + timedelta(7))
    assert window.value - window.base_capacity == LEAVES.get(state, 0)


@pytest.mark.parametrize("state", STATES)
def test_an_event_off_before_the_window_cancels_what_nobody_approved(state: str) -> None:
    """7.9.17, 7.9.18, 7.9.23 to 7.9.25"""
    change = settled(state, inactive(), NOW)
    [after], [window] = change.after.orders, change.after.overrides
    before = order("a", **STATES[state])
    lost = state in ("Pending", "Delayed, never approved")
    assert after.status is (Status.CANCELLED if lost else before.status)
    assert after.deliveries == before.deliveries
    assert window.status is OverrideStatus.CANCELLED
    assert [(fact.topic, fact.withdrawal is not None) for fact in change.facts] == (
        [("hotw.order.reviewed", state in GRANTED)] if lost or state in GRANTED else []
    )


@pytest.mark.parametrize("state", STATES)
def test_an_event_off_inside_the_window_keeps_what_has_started(state: str) -> None:
    """7.9.16: it ends at once where no order of it is live and none has delivered."""
    inside = WINDOW_START + timedelta(hours=6)
    change = settled(state, inactive(), inside, override_status=OverrideStatus.STARTED)
    [window] = change.after.overrides
    if state in LEAVES:
        assert (window.status, window.end) == (OverrideStatus.STARTED, WINDOW_END)
        assert window.value - window.base_capacity == LEAVES[state]
    else:
        assert (window.status, window.end) == (OverrideStatus.EXPIRED, inside)


@pytest.mark.parametrize("state", STATES)
def test_an_event_that_is_on_again_gets_back_what_lives(state: str) -> None:
    off = settled(state, inactive(), NOW).after
    on = update_order_book(replace(off, event=replace(off.event, version_id=3, is_active=True)), now=NOW)
    [window] = on.after.overrides
    assert window.status is (OverrideStatus.APPROVED if state in LEAVES else OverrideStatus.CANCELLED)
    assert window.value - window.base_capacity == LEAVES.get(state, 0)


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("decision", Decision)
def test_no_decision_raises_an_asg_of_an_event_that_is_off(state: str, decision: Decision) -> None:
    """7.9.23: whoever decides what on an order that the withdrawal left."""
    off = settled(state, inactive(), NOW).after
    try:
        after = decide(off.orders[0], decision, now=NOW, user="jsmith")
    except Conflict:
        return
    change = update_order_book(off, now=NOW, changed=[after], topic="hotw.order.reviewed")
    assert {item.status for item in change.after.overrides} == {OverrideStatus.CANCELLED}


def test_a_delivery_for_an_event_that_is_off_is_kept_and_raises_nothing() -> None:
    off = settled("Approved", inactive(), NOW).after
    delivered = deliver(off.orders[0], fulfilled_hosts=20, now=NOW)
    change = update_order_book(off, now=NOW, changed=[delivered], topic="hotw.fulfillment.updated")
    assert change.after.orders[0].status is Status.FULFILLED
    assert change.after.overrides[0].status is OverrideStatus.CANCELLED


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("early", [INSTANT, timedelta(0)], ids=["just before", "at"])
def test_at_the_windows_end_and_not_before_what_is_to_come_expires(state: str, early: timedelta) -> None:
    """7.8.47, 7.9.12"""
    change = settled(state, replace(fortress().event, version_id=2), WINDOW_END - early)
    before, [after] = order("a", **STATES[state]), change.after.orders
    over = not early
    assert (after.status is Status.EXPIRED) == ((over and before.is_open) or before.status is Status.EXPIRED)
    [window] = change.after.overrides
    ended = (
        (OverrideStatus.EXPIRED,)
        if over
        else (OverrideStatus.STARTED, OverrideStatus.PROPOSED, OverrideStatus.CANCELLED)
    )
    assert window.status in ended
    assert ("hotw.order.expired" in [fact.topic for fact in change.facts]) == (over and before.is_open)


@pytest.mark.parametrize(
    ("now", "status"), [(WINDOW_START - INSTANT, OverrideStatus.APPROVED), (WINDOW_START, OverrideStatus.STARTED)]
)
def test_an_override_starts_at_its_first_instant(now: datetime, status: OverrideStatus) -> None:
    """7.9.9"""
    change = settled("Approved", replace(fortress().event, version_id=2), now)
    assert change.after.overrides[0].status is status
    begun = ["hotw.override.started"] if status is OverrideStatus.STARTED else []
    assert [fact.topic for fact in change.facts] == begun


def test_at_the_peaks_first_instant_an_order_is_late_and_its_override_starts_now() -> None:
    """7.8.45, 7.9.9, 7.0.18: upscaling is not over before the peak is."""
    emergent: dict[str, Any] = {"run": {"order_type": OrderType.EMERGENT}}
    at, before = run_fortress(PEAK, **emergent), run_fortress(PEAK - timedelta(days=2) - INSTANT, **emergent)
    assert (at.late, before.late) == (True, False)
    assert run_fortress(PEAK - timedelta(days=2), **emergent).late
    decided = [decide(one, Decision.APPROVE, now=PEAK, user="u") for one in at.orders]
    change = update_order_book(
        replace(book(decided[0], at.inputs.event, override_status=OverrideStatus.PROPOSED), overrides=at.overrides),
        now=PEAK,
    )
    assert [(o.status, o.start) for o in change.after.overrides if o.asg_name == decided[0].asg_name] == [
        (OverrideStatus.STARTED, PEAK)
    ]


@pytest.mark.parametrize("days", [0, 7])
def test_an_order_is_emergent_from_the_first_instant_of_its_date_on(days: int) -> None:
    """7.1.2, 7.1.4: also where the Event was moved, since its date is its own."""
    event = moved(days=days + 14)
    first = datetime.combine(event.emergent_scale_start_date or date.min, datetime.min.time(), UTC)
    types: list[Callable[[], OrderType]] = [
        lambda: choose_order_type(event, first - INSTANT).order_type,
        lambda: choose_order_type(event, first).order_type,
    ]
    assert [of() for of in types] == [OrderType.STANDARD, OrderType.EMERGENT]
