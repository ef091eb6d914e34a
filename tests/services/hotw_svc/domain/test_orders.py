"""Rule 8: what an order may become, what it refuses, and how deliveries add up."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from services.hotw_svc.domain.orders.order import (
    Order,
    decide,
    deliver,
    expected_delivery,
    expire,
    fulfillment_id,
    live_hosts,
    may_become,
)
from shared.errors import BadInput, Conflict
from shared.schemas.hotw_svc import Decision, FulfillmentStatus, OrderType
from tests.support.hotw_inputs import NOW, order

P, A, D = FulfillmentStatus.PENDING, FulfillmentStatus.APPROVED, FulfillmentStatus.DELAYED
R, C, F, E = (
    FulfillmentStatus.REJECTED,
    FulfillmentStatus.CANCELLED,
    FulfillmentStatus.FULFILLED,
    FulfillmentStatus.EXPIRED,
)
TERMINAL = {R, C, F, E}
OUTCOME = {Decision.APPROVE: A, Decision.REJECT: R, Decision.CANCEL: C, Decision.DELAY: D}
WINDOW_END = datetime(2024, 7, 19, tzinfo=UTC)


def standing(status: FulfillmentStatus, *, approved: bool = False) -> Order:
    return order(status=status, approved_at=NOW if approved or status in (A, F) else None)


def review(given_order: Order, decision: Decision, **others: object) -> Order:
    return decide(given_order, decision, now=NOW, user="jsmith", **others)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("status", "allowed"),
    [(P, {A, R, C, D, E}), (A, {D, C, F, E}), (D, {A, R, C, F, E}), (R, set()), (C, set()), (F, set()), (E, set())],
)
def test_an_order_may_become_exactly_what_the_rule_lists(
    status: FulfillmentStatus, allowed: set[FulfillmentStatus]
) -> None:
    assert {target for target in FulfillmentStatus if may_become(standing(status), target)} == allowed


@pytest.mark.parametrize(("decision", "status"), OUTCOME.items())
def test_every_decision_about_a_pending_order_is_taken_with_its_reason_user_and_time(
    decision: Decision, status: FulfillmentStatus
) -> None:
    decided = review(order(), decision, reason="as agreed")
    assert (decided.status, decided.reason, decided.decided_by, decided.status_since) == (
        status,
        "as agreed",
        "jsmith",
        NOW,
    )


@pytest.mark.parametrize(("decision", "status"), OUTCOME.items())
def test_the_same_decision_again_changes_nothing(decision: Decision, status: FulfillmentStatus) -> None:
    once = review(order(), decision, reason="as agreed")
    assert decide(once, decision, now=NOW + timedelta(hours=1), user="other", reason="again") is once
    assert once.status is status


def test_a_delay_that_names_another_day_moves_the_day_7_8_10a() -> None:
    delayed = review(order(), Decision.DELAY, fulfillment_date=date(2024, 7, 1))
    again = review(delayed, Decision.DELAY, fulfillment_date=date(2024, 7, 5))
    assert (again.status, again.fulfillment_date) == (D, date(2024, 7, 5))


def test_an_approval_that_names_another_day_changes_nothing_the_second_time_7_8_10() -> None:
    approved = review(order(), Decision.APPROVE, fulfillment_date=date(2024, 7, 1))
    assert review(approved, Decision.APPROVE, fulfillment_date=date(2024, 7, 5)) is approved


@pytest.mark.parametrize("decision", [Decision.DELAY, Decision.APPROVE])
def test_a_fulfillment_date_may_be_today_but_not_a_day_that_is_past(decision: Decision) -> None:
    """7.8.16"""
    yesterday = NOW.date() - timedelta(days=1)
    assert review(order(), decision, fulfillment_date=NOW.date()).fulfillment_date == NOW.date()
    for before in (order(), review(order(), Decision.DELAY)):
        with pytest.raises(BadInput, match="FulfillmentDate 2024-06-14 is past: today is 2024-06-15") as refusal:
            review(before, decision, fulfillment_date=yesterday)
        assert [error.pointer for error in refusal.value.errors] == ["/FulfillmentDate"]
        assert refusal.value.slug == "fulfillment-date-past"


def test_a_delay_repeated_after_its_day_has_passed_still_changes_nothing() -> None:
    """7.8.10"""
    delayed = review(order(), Decision.DELAY, fulfillment_date=date(2024, 7, 1))
    later = datetime(2024, 7, 2, tzinfo=UTC)
    again = decide(delayed, Decision.DELAY, now=later, user="jsmith", fulfillment_date=date(2024, 7, 1))
    assert again is delayed


def test_a_rejection_that_names_a_day_changes_nothing_the_second_time() -> None:
    rejected = review(order(), Decision.REJECT)
    assert review(rejected, Decision.REJECT, fulfillment_date=date(2024, 7, 5)) is rejected


def test_an_approved_order_cannot_be_rejected_even_after_a_delay() -> None:
    approved = review(order(), Decision.APPROVE)
    delayed = review(approved, Decision.DELAY)
    for given_order in (approved, delayed):
        with pytest.raises(Conflict, match="was approved and can no longer be Rejected") as refusal:
            review(given_order, Decision.REJECT)
        assert refusal.value.slug == "order-transition"


def test_an_order_delayed_before_any_approval_can_be_rejected() -> None:
    assert review(review(order(), Decision.DELAY), Decision.REJECT).status is R


def test_the_first_approval_is_kept_through_a_delay_and_a_second_approval() -> None:
    first = review(order(), Decision.APPROVE)
    later = NOW + timedelta(days=1)
    delayed = decide(first, Decision.DELAY, now=later, user="jsmith")
    again = decide(delayed, Decision.APPROVE, now=later, user="jsmith")
    assert (delayed.approved_at, again.approved_at, again.status) == (NOW, NOW, A)


@pytest.mark.parametrize("status", sorted(TERMINAL))
@pytest.mark.parametrize("decision", list(Decision))
def test_a_final_state_is_never_left(status: FulfillmentStatus, decision: Decision) -> None:
    final, target = standing(status), OUTCOME[decision]
    if status is target:
        assert review(final, decision) is final
        return
    with pytest.raises(Conflict) as refusal:
        review(final, decision)
    assert refusal.value.detail == f"Order F4-42-a is {status} and cannot become {target}."


def test_a_part_delivery_leaves_the_status_and_keeps_its_time() -> None:
    at = NOW - timedelta(hours=2)
    part = deliver(standing(A), fulfilled_hosts=5, now=NOW, delivered_at=at)
    assert (part.status, part.fulfilled_hosts, part.outstanding_hosts) == (A, 5, 15)
    assert [(d.hosts, d.delivered_at) for d in part.deliveries] == [(5, at)]


def test_each_increase_of_the_total_is_kept_with_its_time() -> None:
    once = deliver(standing(A), fulfilled_hosts=5, now=NOW)
    twice = deliver(once, fulfilled_hosts=12, now=NOW + timedelta(days=1))
    assert [(d.hosts, d.delivered_at) for d in twice.deliveries] == [(5, NOW), (7, NOW + timedelta(days=1))]


@pytest.mark.parametrize("status", [A, D])
def test_the_whole_delivery_fulfils_an_approved_or_delayed_order(status: FulfillmentStatus) -> None:
    whole = deliver(standing(status), fulfilled_hosts=20, now=NOW)
    assert (whole.status, whole.status_since, whole.outstanding_hosts) == (F, NOW, 0)


def test_the_same_total_again_changes_nothing_even_after_the_order_is_fulfilled() -> None:
    part = deliver(standing(A), fulfilled_hosts=5, now=NOW)
    whole = deliver(part, fulfilled_hosts=20, now=NOW)
    assert deliver(part, fulfilled_hosts=5, now=NOW + timedelta(days=1)) is part
    assert deliver(whole, fulfilled_hosts=20, now=NOW + timedelta(days=1)) is whole


@pytest.mark.parametrize(
    ("hosts", "slug"), [(4, "delivery-below-total"), (0, "delivery-below-total"), (21, "delivery-above-order")]
)
def test_a_total_that_falls_or_exceeds_the_order_is_refused(hosts: int, slug: str) -> None:
    part = deliver(standing(A), fulfilled_hosts=5, now=NOW)
    with pytest.raises(Conflict) as refusal:
        deliver(part, fulfilled_hosts=hosts, now=NOW)
    assert refusal.value.slug == slug


@pytest.mark.parametrize("status", [P, R, C, E])
def test_only_an_approved_or_delayed_order_takes_a_delivery(status: FulfillmentStatus) -> None:
    with pytest.raises(Conflict, match=f"is {status}; only an Approved or Delayed order"):
        deliver(standing(status), fulfilled_hosts=5, now=NOW)


def test_a_delivery_in_the_future_is_bad_input() -> None:
    with pytest.raises(BadInput) as refusal:
        deliver(standing(A), fulfilled_hosts=5, now=NOW, delivered_at=NOW + timedelta(milliseconds=1))
    assert [error.pointer for error in refusal.value.errors] == ["/DeliveredAt"]
    assert refusal.value.slug == "delivered-in-future"
    assert deliver(standing(A), fulfilled_hosts=5, now=NOW, delivered_at=NOW).fulfilled_hosts == 5


@pytest.mark.parametrize("status", [P, A, D])
def test_an_undelivered_order_expires_the_instant_its_override_ends(status: FulfillmentStatus) -> None:
    just_before = expire(standing(status), window_end=WINDOW_END, now=WINDOW_END - timedelta(milliseconds=1))
    at_the_end = expire(standing(status), window_end=WINDOW_END, now=WINDOW_END)
    assert just_before.status is status
    assert (at_the_end.status, at_the_end.reason) == (E, "20 of 20 hosts not delivered when the override ended")


@pytest.mark.parametrize("status", sorted(TERMINAL))
def test_what_is_final_does_not_expire(status: FulfillmentStatus) -> None:
    final = standing(status)
    assert expire(final, window_end=WINDOW_END, now=WINDOW_END) is final


def test_hosts_are_expected_fourteen_days_on_or_two_when_emergent() -> None:
    assert expected_delivery(OrderType.STANDARD, NOW) == date(2024, 6, 29)
    assert expected_delivery(OrderType.EMERGENT, NOW) == date(2024, 6, 17)


def test_ids_are_made_of_run_fleet_and_number() -> None:
    assert fulfillment_id(run_id=5, fleet_index_id=42, number=3) == "F5-42-3"


def test_live_hosts_are_what_live_orders_are_for() -> None:
    part = deliver(standing(A), fulfilled_hosts=5, now=NOW)
    orders = [order(), part, standing(D), deliver(standing(A), fulfilled_hosts=20, now=NOW), standing(R), standing(C)]
    assert live_hosts(orders) == 80


def test_an_order_is_lost_until_it_is_made_up_for() -> None:
    assert [status for status in FulfillmentStatus if standing(status).is_lost] == [R, C, E]
    assert not order(status=C, superseded=True).is_lost


@pytest.mark.parametrize(
    ("given_order", "hosts"),
    [
        (order(), 0),
        (standing(A), 20),
        (standing(F), 20),
        (standing(D), 0),
        (standing(D, approved=True), 20),
        (deliver(standing(D), fulfilled_hosts=5, now=NOW), 5),
        (review(deliver(standing(A), fulfilled_hosts=5, now=NOW), Decision.CANCEL), 5),
        (standing(R), 0),
    ],
)
def test_an_order_overrides_with_its_value_once_granted_else_with_what_it_delivered(
    given_order: Order, hosts: int
) -> None:
    assert given_order.overriding_hosts == hosts


class OrdersLife(RuleBasedStateMachine):
    """An order keeps its invariants whatever happens to it."""

    def __init__(self) -> None:
        super().__init__()
        self.order = order()
        self.now = NOW

    def _to(self, after: Order) -> None:
        before = self.order
        if before.status in TERMINAL:
            assert after is before, "a final state was left"
        if after.status is not before.status:
            assert may_become(before, after.status)
        assert after.fulfilled_hosts >= before.fulfilled_hosts
        assert before.approved_at is None or after.approved_at == before.approved_at
        self.order = after

    @rule(decision=st.sampled_from(Decision), days=st.integers(0, 3))
    def decides(self, decision: Decision, days: int) -> None:
        day = date(2024, 7, 1) + timedelta(days)
        try:
            self._to(decide(self.order, decision, now=self.now, user="u", fulfillment_date=day))
        except BadInput:
            assert day < self.now.date()
        except Conflict:
            assert self.order.status is not OUTCOME[decision]

    @rule(hosts=st.integers(0, 22))
    def delivers(self, hosts: int) -> None:
        try:
            self._to(deliver(self.order, fulfilled_hosts=hosts, now=self.now))
        except Conflict:
            return
        assert self.order.fulfilled_hosts == hosts

    @rule(hours=st.integers(1, 400))
    def time_passes(self, hours: int) -> None:
        self.now += timedelta(hours=hours)
        self._to(expire(self.order, window_end=WINDOW_END, now=self.now))

    @invariant()
    def delivers_no_more_than_was_ordered_and_all_of_it_when_fulfilled(self) -> None:
        assert 0 <= self.order.fulfilled_hosts <= self.order.value
        assert (self.order.fulfilled_hosts == self.order.value) == (self.order.status is F)
        assert self.order.is_open == (self.order.status in (P, A, D))

    @invariant()
    def is_never_rejected_once_approved(self) -> None:
        assert not (self.order.status is R and self.order.approved_at)


TestOrdersLife = OrdersLife.TestCase


@given(st.lists(st.integers(0, 20), max_size=6))
def test_the_kept_increases_always_add_up_to_the_highest_total(totals: list[int]) -> None:
    order = standing(A)
    for total in sorted(totals):
        order = deliver(order, fulfilled_hosts=total, now=NOW)
    assert order.fulfilled_hosts == max(totals, default=0)
    assert all(delivery.hosts > 0 for delivery in order.deliveries)
