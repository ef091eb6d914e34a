"""Which events a slot of the schedule starts a run for (7.0.9, 7.0.9a)."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from services.hotw_svc.domain.inputs import OrderDates
from services.hotw_svc.domain.runs.schedule import scheduled_from, takes_slot
from tests.support.hotw_inputs import fortress

FIRST = datetime(2024, 5, 15, tzinfo=UTC)  # the reference's SPCOStartDate in us-east-1
PEAK_END = datetime(2024, 7, 18, tzinfo=UTC)
MOMENT = timedelta(microseconds=1)


@pytest.mark.parametrize(
    ("slot", "now", "taken"),
    [
        (FIRST, FIRST, True),
        (FIRST - MOMENT, FIRST, False),
        (FIRST, FIRST + timedelta(hours=24), True),
        (PEAK_END - MOMENT, PEAK_END - MOMENT, True),
        (PEAK_END - MOMENT, PEAK_END, False),
    ],
)
def test_a_slot_counts_from_the_first_day_of_orders_until_the_peak_ends(
    slot: datetime, now: datetime, taken: bool
) -> None:
    event = fortress(event={"order_dates": {"us-east-1": OrderDates(date(2024, 5, 15), date(2024, 7, 20))}}).event
    assert takes_slot(event, slot, now) is taken


def test_the_first_of_all_regions_days_counts_and_else_60_days_before_the_peak() -> None:
    late, early = OrderDates(date(2024, 6, 1), None), OrderDates(date(2024, 5, 2), None)
    dates = {"us-east-1": late, "eu-west-1": early, "us-west-2": OrderDates(None, date(2024, 7, 1))}
    assert scheduled_from(fortress(event={"order_dates": dates}).event) == datetime(2024, 5, 2, tzinfo=UTC)
    only_ends = {"us-west-2": OrderDates(None, date(2024, 7, 1))}
    for none in ({}, only_ends):
        assert scheduled_from(fortress(event={"order_dates": none}).event) == datetime(2024, 5, 17, tzinfo=UTC)


def test_an_inactive_event_takes_no_slot() -> None:
    event = fortress(event={"is_active": False}).event
    assert not takes_slot(event, datetime(2024, 6, 15, tzinfo=UTC), datetime(2024, 6, 15, tzinfo=UTC))
