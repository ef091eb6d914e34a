"""BAUTPM and a day's traffic: exact by the nearest rank, whatever the minutes are (4.530 to 4.535)."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, timedelta
from math import ceil

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.fleet_svc.domain.bau import DayTraffic, bau_traffic, days_of_event, ordinary_days, window_of
from services.fleet_svc.domain.traffic import (
    HIGHEST_KEPT,
    MINUTES_OF_A_DAY,
    check_minutes,
    described,
    first_kept,
    highest_in,
    pack,
    unpack,
)
from shared.errors import BadInput
from shared.schemas.base import MAX_COUNT
from shared.schemas.event_svc.event import Event
from shared.schemas.fleet_svc.traffic import Traffic

TODAY = date(2024, 6, 15)
NOW = datetime(2024, 6, 15, 9, 0, 30, tzinfo=UTC)


def minute(place: int) -> str:
    return f"{place // 60:02d}:{place % 60:02d}"


def day(*values: int) -> dict[str, int]:
    """The first minutes of a day."""
    return {minute(place): value for place, value in enumerate(values)}


def shown(series: dict[str, int]) -> DayTraffic:
    """A day as its version shows it."""
    return DayTraffic(len(series), highest_in(described(series)))


def nearest_rank(values: list[int]) -> int:
    """The definition, by which BAUTPM is judged."""
    return sorted(values)[ceil(len(values) * 95 / 100) - 1]


@settings(max_examples=60, deadline=None)
@given(
    lengths=st.lists(st.integers(1, MINUTES_OF_A_DAY), min_size=1, max_size=28),
    shape=st.sampled_from(["alike", "one day high", "rising", "constant", "few values"]),
    seed=st.integers(0, 2**32),
)
def test_bautpm_is_the_percentile_of_all_minutes_whatever_days_show(lengths: list[int], shape: str, seed: int) -> None:
    drawn = random.Random(seed)
    draw = {
        "alike": lambda number: drawn.randrange(50_000),
        "one day high": lambda number: drawn.randrange(50_000) + (MAX_COUNT - 50_000 if number == 0 else 0),
        "rising": lambda number: number * 1000 + drawn.randrange(2000),
        "constant": lambda number: 7,
        "few values": lambda number: drawn.randrange(3),
    }[shape]
    series = [day(*(draw(number) for _ in range(length))) for number, length in enumerate(lengths)]
    days = dict(zip(window_of(TODAY), map(shown, series), strict=False))
    found = bau_traffic(days)
    minutes = [value for one in series for value in one.values()]
    assert found.minutes == len(minutes)
    if len(minutes) < 1440:
        assert (found.bau_tpm, found.read_whole) == (None, frozenset())
        return
    for name in found.read_whole:
        whole = series[window_of(TODAY).index(name)]
        days[name] = DayTraffic(len(whole), sorted(whole.values()))
    decided = bau_traffic(days)
    assert (decided.bau_tpm, decided.read_whole) == (nearest_rank(minutes), frozenset())


def test_days_of_an_ordinary_month_need_not_be_read_in_full() -> None:
    drawn = random.Random(1)

    def weekday_and_weekend(number: int) -> dict[str, int]:
        height = 15_000 if number % 7 in (0, 6) else 33_000
        return day(*(int(height * drawn.uniform(0.5, 1)) for _ in range(MINUTES_OF_A_DAY)))

    days = {name: shown(weekday_and_weekend(number)) for number, name in enumerate(window_of(TODAY))}
    assert not bau_traffic(days).read_whole


def test_a_day_that_holds_all_of_the_highest_minutes_is_read_in_full_and_no_other() -> None:
    days = {name: shown(day(*range(1000, 1000 + MINUTES_OF_A_DAY))) for name in window_of(TODAY)}
    high = day(*range(900_000, 900_000 + MINUTES_OF_A_DAY))
    days[TODAY] = shown(high)
    assert bau_traffic(days).read_whole == {TODAY}


def test_it_takes_a_days_worth_of_minutes() -> None:
    assert bau_traffic({TODAY: shown(day(*[5] * 1439))}).bau_tpm is None
    assert bau_traffic({TODAY: shown(day(*[5] * 1440))}).bau_tpm == 5
    assert bau_traffic({}).minutes == 0


def test_the_window_is_four_weeks_that_end_with_today() -> None:
    window = window_of(TODAY)
    assert (window[0], window[-1], len(window)) == (TODAY, date(2024, 5, 19), 28)


def test_peak_and_game_days_of_the_region_do_not_count_and_of_others_do() -> None:
    event = Event.model_validate(
        {
            "EventId": "PD2024",
            "EventName": "Prime Day",
            "RegionList": ["us-east-1"],
            "PeakStartDate": "2024-06-01",
            "PeakEndDate": "2024-06-02",
            "SPCOEventDatesByRegion": {"us-east-1": {"GameDayDates": ["2024-06-10"]}, "eu-west-1": {}},
        }
    )
    kept = [days_of_event(event), {"EventId": "gone"}]
    excluded = {"us-east-1": {1, 2, 10}, "eu-west-1": set()}
    for region, numbers in excluded.items():
        left = ordinary_days(window_of(TODAY), kept, region)
        assert {day.day for day in window_of(TODAY) if day not in left} == numbers


@given(st.dictionaries(st.integers(0, MINUTES_OF_A_DAY - 1).map(minute), st.integers(0, MAX_COUNT), min_size=1))
def test_a_day_is_unpacked_as_it_was_packed(series: dict[str, int]) -> None:
    assert unpack(pack(series)) == series
    state = described(series)
    assert highest_in(state) == sorted(series.values())[-HIGHEST_KEPT:]
    assert state["Minutes"] == len(series)
    assert state == described(dict(reversed(series.items())))  # whatever the order of the minutes


def test_no_day_takes_more_than_its_bytes() -> None:
    drawn = random.Random(2)
    worst = day(*(drawn.randrange(MAX_COUNT) for _ in range(MINUTES_OF_A_DAY)))
    assert len(pack(worst)) < 6000
    assert len(described(worst)["_Highest"]) < 1600
    usual = day(*(30_000 + drawn.randrange(3000) for _ in range(MINUTES_OF_A_DAY)))
    assert len(pack(usual)) < 2600
    assert len(described(usual)["_Highest"]) < 500


@pytest.mark.parametrize(
    ("date_", "minutes", "pointers"),
    [
        ("2024-06-15", ["09:00"], []),
        ("2024-06-15", ["08:59", "09:01", "23:59"], ["/Series/09:01", "/Series/23:59"]),
        ("2024-06-14", ["23:59"], []),
        ("2024-06-16", ["00:00"], ["/Date"]),
        ("2024-05-12", ["00:00"], []),
        ("2024-05-11", ["00:00"], ["/Date"]),
    ],
)
def test_minutes_are_of_the_last_35_days_and_have_begun(date_: str, minutes: list[str], pointers: list[str]) -> None:
    traffic = Traffic.model_validate(
        {"FleetId": "F1", "Date": date_, "Series": dict.fromkeys(minutes, 5), "Source": "Axon"}
    )
    try:
        check_minutes(traffic, NOW)
        found = []
    except BadInput as refused:
        found = [error.pointer for error in refused.errors]
    assert found == pointers
    assert first_kept(TODAY) == TODAY - timedelta(days=34)
