"""The numbers of a fleet at the end of each day (4.224)."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from services.hotw_svc.domain.orders.order import Order, decide, deliver
from services.hotw_svc.domain.orders.series import Day, Moment, days
from shared.schemas.hotw_svc import Decision
from tests.support.hotw_inputs import order

BEGIN = datetime(2024, 6, 15, 9, tzinfo=UTC)


def after(hours: float) -> datetime:
    return BEGIN + timedelta(hours=hours)


def placed(value: int = 20, hours: float = 0) -> Order:
    return replace(order(value=value), placed_at=after(hours), status_since=after(hours))


def series(
    orders: list[Order], *, until: int = 3, needed: tuple[Moment, ...] = (), gaps: tuple[Moment, ...] = ()
) -> list[Day]:
    return list(days(needed=needed, orders=orders, gaps=gaps, last=date(2024, 6, 15) + timedelta(days=until)))


def test_there_is_no_day_before_the_first_execution() -> None:
    assert series([]) == []
    assert [day.day.day for day in series([], needed=(Moment(after(30), 7),))] == [16, 17, 18]


def test_a_number_counts_on_the_day_on_which_it_came_until_another_comes() -> None:
    needed = (Moment(after(0), 220), Moment(after(14.99), 230), Moment(after(15), 240))  # 24:00 belongs to the next day
    gaps = (Moment(after(20), 9), Moment(after(50), 0))
    assert [(day.needed, day.gap) for day in series([], needed=needed, gaps=gaps)] == [
        (230, 0),
        (240, 9),
        (240, 0),
        (240, 0),
    ]


def test_an_order_counts_until_it_is_lost_and_what_it_delivered_for_good() -> None:
    approved = decide(placed(), Decision.APPROVE, now=after(24), user="ann")
    part = deliver(approved, fulfilled_hosts=5, now=after(48), delivered_at=None)
    lost = decide(part, Decision.CANCEL, now=after(72), user="ann")
    assert [(day.ordered, day.approved, day.delivered) for day in series([lost])] == [
        (20, 0, 0),
        (20, 20, 0),
        (20, 20, 5),
        (0, 0, 5),
    ]


@given(
    st.lists(
        st.tuples(
            st.integers(1, 50),
            st.floats(0, 60),
            st.sampled_from(["no", "Approve", "Reject", "Delay"]),
            st.floats(0, 60),
        ),
        max_size=6,
    )
)
def test_each_day_is_what_was_true_then(given_orders: list[tuple[int, float, str, float]]) -> None:
    """Against the orders as they stood at each day's end."""
    histories: list[list[tuple[datetime, Order]]] = []
    for value, at, decision, later in given_orders:
        first = placed(value, at)
        history = [(first.placed_at, first)]
        if decision != "no":
            when = after(at + later)
            history.append((when, decide(first, Decision(decision), now=when, user="ann")))
        histories.append(history)
    for day in series([history[-1][1] for history in histories], until=7):
        end = datetime(day.day.year, day.day.month, day.day.day, tzinfo=UTC) + timedelta(days=1)
        then = [[one for at, one in history if at < end] for history in histories]
        live = [states[-1] for states in then if states and states[-1].is_live]
        assert day.ordered == sum(one.value for one in live)
        assert day.approved == sum(one.value for one in live if one.is_granted)
