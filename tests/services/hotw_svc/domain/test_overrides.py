"""Rule 9: base, value, expiry value, window and what becomes of an override."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from services.hotw_svc.adapters.inputs.facts import event_facts
from services.hotw_svc.domain.inputs import EventFacts
from services.hotw_svc.domain.orders.order import Delivery, Order, decide, deliver
from services.hotw_svc.domain.orders.override import (
    Override,
    OverrideStatus,
    base_capacity,
    settled,
    superseded,
)
from shared.schemas.base import MAX_COUNT
from shared.schemas.hotw_svc import Decision, FulfillmentStatus
from tests.support.hotw_inputs import EVENT, NOW, asg_name, order, override


def day(month: int, number: int) -> datetime:
    return datetime(2024, month, number, tzinfo=UTC)


PD2024: EventFacts = event_facts(EVENT)
APPROVED = decide(order(), Decision.APPROVE, now=NOW, user="jsmith")


def settle(
    given_override: Override, *orders: Order, now: datetime = NOW, event: EventFacts = PD2024, **others: Any
) -> Override:
    given_values: dict[str, Any] = {"base": 50, "lower_bound": None, **others}
    return settled(
        given_override,
        window=event.override_window,
        withdrawn=not event.is_active,
        orders=orders,
        now=now,
        **given_values,
    )


PROPOSED = override(status=OverrideStatus.PROPOSED, value=50)


def test_it_runs_from_the_offset_before_the_peak_to_the_offset_after_it() -> None:
    settled_override = settle(PROPOSED, order())
    assert (settled_override.start, settled_override.end) == (day(7, 15), day(7, 19))
    assert settled_override.duration == "345600 s"


def test_it_starts_now_when_the_planned_start_is_past() -> None:
    now = datetime(2024, 7, 15, 12, 30, tzinfo=UTC)
    late = settle(PROPOSED, order(), now=now)
    assert (late.start, late.duration) == (now, f"{int((day(7, 19) - now).total_seconds())} s")


def test_it_is_proposed_with_the_base_until_something_is_approved() -> None:
    proposed = settle(PROPOSED, order())
    assert (proposed.status, proposed.value) == (OverrideStatus.PROPOSED, 50)
    approved = settle(proposed, APPROVED)
    assert (approved.status, approved.value) == (OverrideStatus.APPROVED, 70)


def test_a_delivery_takes_it_out_of_proposed_without_an_approval() -> None:
    """7.9.6: an order that was delayed before any approval may deliver, and a cancel keeps what it delivered."""
    delayed = decide(order(), Decision.DELAY, now=NOW, user="u")
    part = deliver(delayed, fulfilled_hosts=5, now=NOW)
    cancelled = decide(part, Decision.CANCEL, now=NOW, user="u")
    assert settle(PROPOSED, delayed).status is OverrideStatus.PROPOSED
    for delivered in (part, cancelled):
        raised = settle(PROPOSED, delivered)
        assert (raised.status, raised.value) == (OverrideStatus.APPROVED, 55)
        assert settle(raised, delivered, now=day(7, 15)).status is OverrideStatus.STARTED


def test_a_delay_after_approval_keeps_the_whole_value_and_one_before_it_adds_nothing() -> None:
    delayed_after = decide(APPROVED, Decision.DELAY, now=NOW, user="u")
    delayed_before = decide(order(), Decision.DELAY, now=NOW, user="u")
    assert settle(PROPOSED, delayed_after).value == 70
    assert settle(PROPOSED, delayed_before).value == 50


def test_what_a_cancelled_order_has_not_delivered_leaves_at_once() -> None:
    part = deliver(APPROVED, fulfilled_hosts=5, now=NOW)
    cancelled = decide(part, Decision.CANCEL, now=NOW, user="u")
    assert settle(override(), part).value == 70
    assert settle(override(), cancelled).value == 55


def test_only_this_events_orders_on_this_asg_count() -> None:
    elsewhere = replace(APPROVED, asg_name=asg_name("b"))
    another_event = replace(APPROVED, event_id="SUMMER")
    assert settle(override(), APPROVED, elsewhere, another_event).value == 70


def test_its_value_is_at_most_the_largest_count_however_large_the_base_became() -> None:
    assert settle(PROPOSED, APPROVED, base=MAX_COUNT).value == MAX_COUNT


def test_it_falls_back_to_the_base_but_never_below_the_lower_bound() -> None:
    assert settle(override(), APPROVED, lower_bound=5).expiry_value == 50
    assert settle(override(), APPROVED, lower_bound=60).expiry_value == 60


def test_it_starts_when_its_time_has_come_and_expires_at_its_end() -> None:
    before = settle(override(), APPROVED, now=day(7, 15) - timedelta(milliseconds=1))
    started = settle(before, APPROVED, now=day(7, 15))
    running = settle(started, APPROVED, now=day(7, 19) - timedelta(milliseconds=1))
    over = settle(running, APPROVED, now=day(7, 19))
    assert [o.status for o in (before, started, running, over)] == [
        OverrideStatus.APPROVED,
        OverrideStatus.STARTED,
        OverrideStatus.STARTED,
        OverrideStatus.EXPIRED,
    ]
    assert {o.start for o in (before, started, running, over)} == {day(7, 15)}


def test_one_that_was_never_approved_expires_too_when_its_window_is_over() -> None:
    assert settle(PROPOSED, order(), now=day(7, 19)).status is OverrideStatus.EXPIRED


def test_an_approval_within_the_window_starts_it_then() -> None:
    now = datetime(2024, 7, 16, 8, tzinfo=UTC)
    started = settle(PROPOSED, APPROVED, now=now)
    assert (started.status, started.start) == (OverrideStatus.STARTED, now)


def test_nobody_looked_for_a_whole_window_and_still_it_ended_when_it_should() -> None:
    over = settle(override(), APPROVED, now=day(8, 1))
    assert (over.status, over.start, over.end) == (OverrideStatus.EXPIRED, day(7, 15), day(7, 19))


def test_a_moved_event_moves_what_has_not_started() -> None:
    moved = replace(PD2024, peak_start_date=date(2024, 7, 23), peak_end_date=date(2024, 7, 24))
    shifted_override = settle(override(), APPROVED, event=moved)
    assert (shifted_override.start, shifted_override.end) == (day(7, 22), day(7, 26))


@pytest.mark.parametrize(("first", "last", "end"), [(1, 2, day(7, 18)), (20, 21, day(7, 23))])
def test_a_started_override_keeps_its_start_and_is_not_cut_before_its_peak_ends(
    first: int, last: int, end: datetime
) -> None:
    moved = replace(PD2024, peak_start_date=date(2024, 7, first), peak_end_date=date(2024, 7, last))
    started = settle(override(), APPROVED, now=day(7, 15))
    once = settle(started, APPROVED, now=day(7, 16), event=moved)
    again = settle(once, APPROVED, now=day(7, 16), event=moved)
    assert (once.start, once.end, once.status) == (day(7, 15), end, OverrideStatus.STARTED)
    assert again == once


def test_an_event_that_is_off_cancels_what_has_not_started_and_leaves_what_has() -> None:
    off = replace(PD2024, is_active=False)
    assert settle(override(), APPROVED, event=off).status is OverrideStatus.CANCELLED
    assert settle(override(), APPROVED, now=day(7, 15), event=off).status is OverrideStatus.STARTED


def test_with_every_order_dead_and_nothing_delivered_it_is_cancelled_or_ends_at_once() -> None:
    dead = decide(APPROVED, Decision.CANCEL, now=NOW, user="u")
    before = settle(override(), dead)
    assert (before.status, before.value) == (OverrideStatus.CANCELLED, 50)
    now = day(7, 16)
    after = settle(override(status=OverrideStatus.STARTED), dead, now=now)
    assert (after.status, after.end, after.value) == (OverrideStatus.EXPIRED, now, 50)


@pytest.mark.parametrize("status", [OverrideStatus.EXPIRED, OverrideStatus.SUPERSEDED, OverrideStatus.CANCELLED])
def test_what_is_over_stays_as_it_is(status: OverrideStatus) -> None:
    over = override(status=status)
    assert settle(over, APPROVED) is over


def test_superseding_leaves_the_numbers_as_a_record() -> None:
    assert superseded(override()) == override(status=OverrideStatus.SUPERSEDED)


def test_the_base_is_the_desired_capacity_reported_while_no_override_was_on() -> None:
    def base(as_of: datetime | None, *overrides: Override) -> int:
        return base_capacity(asg_name("a"), desired_capacity=70, capacity_as_of=as_of, overrides=overrides)

    on = override(status=OverrideStatus.STARTED)
    assert base(day(7, 14), on) == 70
    assert base(day(7, 15), on) == 50
    assert base(day(7, 19), on) == 70
    assert base(day(7, 16), override(status=OverrideStatus.EXPIRED)) == 50
    assert base(day(7, 16), override(status=OverrideStatus.PROPOSED)) == 70
    assert base(day(7, 16), override("b", status=OverrideStatus.STARTED)) == 70
    assert base(None, on) == 70


moments = st.integers(0, 61 * 24).map(lambda hours: day(6, 1) + timedelta(hours=hours))
orders = st.lists(
    st.builds(
        lambda status, value, part, approved: order(
            status=status,
            value=value,
            deliveries=(Delivery(value if status is FulfillmentStatus.FULFILLED else min(part, value - 1), NOW),)
            if status is FulfillmentStatus.FULFILLED or min(part, value - 1)
            else (),
            approved_at=NOW
            if approved or status in (FulfillmentStatus.APPROVED, FulfillmentStatus.FULFILLED)
            else None,
        ),
        st.sampled_from(FulfillmentStatus),
        st.integers(1, 50),
        st.integers(0, 49),
        st.booleans(),
    ),
    max_size=4,
)
events = st.builds(
    lambda start, length, before, after, active: replace(
        PD2024,
        peak_start_date=date(2024, 6, 10) + timedelta(start),
        peak_end_date=date(2024, 6, 10) + timedelta(start + length),
        start_offset=before,
        end_offset=after,
        is_active=active,
    ),
    st.integers(0, 40),
    st.integers(0, 3),
    st.integers(0, 5),
    st.integers(0, 5),
    st.booleans(),
)


@given(orders, events, moments, st.integers(0, 100), st.sampled_from([None, 0, 5, 80]), st.sampled_from(OverrideStatus))
def test_settling_keeps_every_number_sane_and_is_idempotent(
    given_orders: list[Order],
    event: EventFacts,
    now: datetime,
    base: int,
    lower_bound: int | None,
    status: OverrideStatus,
) -> None:
    assume(status is not OverrideStatus.STARTED or now >= override().start)
    once = settle(override(status=status), *given_orders, now=now, event=event, base=base, lower_bound=lower_bound)
    again = settle(once, *given_orders, now=now, event=event, base=base, lower_bound=lower_bound)
    assert again == once
    assert once.start <= once.end
    assert not once.duration.startswith("-")
    assert once.expiry_value >= 0
    if once.is_live:
        assert once.end > now
        assert once.value == base + sum(o.overriding_hosts for o in given_orders) >= 0
        assert once.expiry_value == max(base, lower_bound or 0)
        assert once.status is not OverrideStatus.APPROVED or once.start > now
