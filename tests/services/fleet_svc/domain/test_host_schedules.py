"""When a BAUHostJob falls due, also where the clock on the wall is changed (4.560, 7.0.11 to 7.0.13)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.fleet_svc.domain.host_schedule import check_schedule
from shared.clock import iso, parse_instant
from shared.cron import newest_slot, next_slot
from shared.errors import BadInput

BERLIN = "Europe/Berlin"  # 2024-03-31 02:00 becomes 03:00, 2024-10-27 03:00 becomes 02:00


def slots(schedule: str, zone: str | None, after: str, many: int) -> list[str]:
    """The next so many slots, to the minute."""
    instant, found = parse_instant(after), list[str]()
    for _ in range(many):
        instant = next_slot(schedule, zone, instant)
        found.append(iso(instant)[:16])
    return found


def test_a_slot_is_by_the_clock_on_the_wall_of_the_time_zone() -> None:
    assert slots("0 9 * * 1-5", BERLIN, "2024-06-14T12:00:00Z", 2) == ["2024-06-17T07:00", "2024-06-18T07:00"]
    assert slots("0 9 * * *", BERLIN, "2024-01-14T12:00:00Z", 1) == ["2024-01-15T08:00"]
    assert slots("0 9 * * *", None, "2024-01-14T12:00:00Z", 1) == ["2024-01-15T09:00"]


def test_a_slot_is_after_the_instant_whatever_its_seconds() -> None:
    assert slots("*/5 * * * *", None, "2024-06-15T09:00:00Z", 1) == ["2024-06-15T09:05"]
    assert slots("*/5 * * * *", None, "2024-06-15T08:59:59.999Z", 1) == ["2024-06-15T09:00"]


def test_a_time_that_spring_skips_falls_due_at_the_end_of_the_gap() -> None:
    assert slots("30 2 * * *", BERLIN, "2024-03-30T12:00:00Z", 2) == ["2024-03-31T01:00", "2024-04-01T00:30"]


def test_a_day_that_comes_once_in_forty_years_has_a_next_slot() -> None:
    """29 February 2024 is a fifth Thursday; the next such one is in 2052."""
    check_schedule("0 0 * 2 thu#5", None)
    assert slots("0 0 * 2 thu#5", None, "2024-03-01T00:00:00Z", 1) == ["2052-02-29T00:00"]


def test_several_times_in_one_gap_are_one_slot() -> None:
    quarters = ["2024-03-31T00:45", "2024-03-31T01:00", "2024-03-31T01:15"]
    assert slots("*/15 * * * *", BERLIN, "2024-03-31T00:30:00Z", 3) == quarters


def test_a_time_that_autumn_repeats_falls_due_the_first_time_only() -> None:
    assert slots("30 2 * * *", BERLIN, "2024-10-26T12:00:00Z", 2) == ["2024-10-27T00:30", "2024-10-28T01:30"]
    halves = ["2024-10-27T00:00", "2024-10-27T00:30", "2024-10-27T02:00"]
    assert slots("*/30 * * * *", BERLIN, "2024-10-26T23:30:00Z", 3) == halves


def test_nothing_falls_due_again_in_the_hour_that_comes_a_second_time() -> None:
    second_time = parse_instant("2024-10-27T01:10:00Z")
    assert next_slot("30 2 * * *", BERLIN, second_time) == parse_instant("2024-10-28T01:30:00Z")
    newest = newest_slot("30 2 * * *", BERLIN, after=second_time - timedelta(hours=2), until=second_time)
    assert newest == parse_instant("2024-10-27T00:30:00Z")


def test_the_second_time_is_known_where_the_offset_becomes_zero() -> None:
    second_time = parse_instant("2024-10-27T01:10:00Z")  # 01:10 in London, as an hour before
    newest = newest_slot("30 1 * * *", "Europe/London", after=second_time - timedelta(hours=2), until=second_time)
    assert newest == parse_instant("2024-10-27T00:30:00Z")


def test_a_day_that_a_zone_skips_falls_due_at_its_end() -> None:
    assert slots("0 12 30 12 *", "Pacific/Apia", "2011-12-29T12:00:00Z", 1) == ["2011-12-30T10:00"]


def test_a_gap_of_half_an_hour_ends_at_its_own_end() -> None:
    assert slots("15 2 * * *", "Australia/Lord_Howe", "2024-10-05T12:00:00Z", 1) == ["2024-10-05T15:30"]


def test_of_missed_slots_the_newest_within_a_day_counts() -> None:
    until = parse_instant("2024-06-15T09:30:00Z")
    long_ago = until - timedelta(days=40)
    assert newest_slot("0 * * * *", None, after=long_ago, until=until) == parse_instant("2024-06-15T09:00:00Z")
    assert newest_slot("0 9 14 * *", None, after=long_ago, until=until) is None
    assert newest_slot("0 * * * *", None, after=parse_instant("2024-06-15T09:00:00Z"), until=until) is None


@pytest.mark.parametrize(
    ("schedule", "named"),
    [
        ("61 * * * *", "'61' is no minute"),
        ("* 24 * * *", "'24' is no hour"),
        ("* * 32 * *", "'32' is no day of month"),
        ("* * * foo *", "'foo' is no month"),
        ("* * * * 8", "'8' is no day of week"),
        ("R * * * *", "'R' is no minute"),
        ("H * * * *", "'H' is no minute"),
        ("5-1/0 * * * *", "'5-1/0' is no minute"),
        ("0 0 30 2 *", "no such day in any year"),
        ("* * * *", "five fields"),
        ("* * * * * *", "five fields"),
        ("@daily", "five fields"),
        ("*  * * * *", "one space"),
        ("0\t9 * * *", "five fields"),
    ],
)
def test_a_bad_expression_is_named_with_its_field(schedule: str, named: str) -> None:
    with pytest.raises(BadInput) as refused:
        check_schedule(schedule, None)
    [error] = refused.value.errors
    assert error.pointer == "/Schedule"
    assert named in error.detail
    assert "such as 0 9 * * 1-5" in error.detail


@pytest.mark.parametrize("zone", ["Berlin", "", "../../etc/passwd", "Europe", "europe/berlin", "UTC+2", "localtime"])
def test_a_time_zone_that_there_is_not_is_named(zone: str) -> None:
    with pytest.raises(BadInput) as refused:
        check_schedule("0 9 * * *", zone)
    assert [error.pointer for error in refused.value.errors] == ["/TimeZone"]


@pytest.mark.parametrize("schedule", ["0 0 29 2 *", "0 9 * * mon#1", "0 0 L * *", "0-59/7 1 * jan-mar sun"])
def test_what_cron_knows_is_taken(schedule: str) -> None:
    check_schedule(schedule, "America/New_York")
    next_slot(schedule, "America/New_York", datetime(2024, 6, 15, tzinfo=UTC))


@settings(max_examples=150, deadline=None)
@given(
    minute=st.integers(0, 59),
    hour=st.one_of(st.integers(0, 23).map(str), st.just("*")),
    after=st.datetimes(datetime(2024, 1, 1), datetime(2025, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
    zone=st.sampled_from([None, BERLIN, "Europe/London", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"]),
)
def test_the_newest_slot_until_now_is_the_last_one_that_came_next(
    minute: int, hour: str, after: datetime, zone: str | None
) -> None:
    """Both ways to a slot agree: forwards one by one, and backwards at once."""
    schedule, until = f"{minute} {hour} * * *", after + timedelta(hours=23)
    last, slot = None, next_slot(schedule, zone, after)
    while slot <= until:
        assert slot > after
        last, slot = slot, next_slot(schedule, zone, slot)
    assert newest_slot(schedule, zone, after=after, until=until) == last
