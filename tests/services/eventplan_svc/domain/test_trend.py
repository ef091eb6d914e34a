"""Which days a trend has, and the instant that stands for a day (6.6.26)."""

from __future__ import annotations

from datetime import date, timedelta

from services.eventplan_svc.domain.trend import DAYS_AFTER_PEAK, MAX_DAYS, end_of, kept_days, last_ended
from shared.clock import iso, parse_instant

MAY_1, MAY_3 = date(2024, 5, 1), date(2024, 5, 3)


def test_a_day_is_the_state_just_before_its_24_00() -> None:
    assert iso(end_of(MAY_1)) == "2024-05-01T23:59:59.999Z"
    assert last_ended(parse_instant("2024-05-02T00:00:00Z")) == MAY_1
    assert last_ended(parse_instant("2024-05-02T23:59:59Z")) == MAY_1


def test_days_are_kept_from_the_first_on_which_the_event_is_known() -> None:
    peak_end = date(2024, 7, 17)
    assert kept_days(MAY_1, peak_end, MAY_3) == [MAY_1, date(2024, 5, 2), MAY_3]
    assert kept_days(MAY_3, peak_end, MAY_1) == []


def test_the_days_are_bounded_after_the_peak_and_before_it() -> None:
    assert kept_days(MAY_1, MAY_3, date(2030, 1, 1))[-1] == MAY_3 + timedelta(days=DAYS_AFTER_PEAK)
    far = kept_days(date(2000, 1, 1), date(2040, 1, 1), MAY_3)
    assert (len(far), far[-1]) == (MAX_DAYS, MAY_3)
