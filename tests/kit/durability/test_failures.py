"""What is transient, how long is waited, and when so many fail that a consumer must stop."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.durability.backoff import Backoff
from shared.durability.failures import StopLimit, is_transient
from shared.errors import Conflict, Poison, Unavailable, UnderWay


@pytest.mark.parametrize(
    "error",
    [Unavailable("the store is away"), UnderWay("being worked on"), ConnectionResetError()],
)
def test_what_is_away_for_a_while_is_transient(error: Exception) -> None:
    assert is_transient(error)


@pytest.mark.parametrize(
    "error",
    [Conflict("no"), Poison("never"), ValueError("bug"), FileNotFoundError("template.md")],
)
def test_what_the_record_itself_brings_about_is_not(error: Exception) -> None:
    assert not is_transient(error)


@given(st.integers(1, 10_000))
def test_a_wait_grows_up_to_its_longest_and_is_jittered(attempt: int) -> None:
    backoff = Backoff(0.1, 5.0)
    whole = min(5.0, 0.1 * 2 ** min(attempt - 1, 30))

    assert whole / 2 <= backoff.before(attempt) <= whole


def test_over_half_of_the_last_200_over_more_than_20_keys_is_too_many() -> None:
    limit = StopLimit()

    stops = [limit.failed(f"key-{number % 21}") for number in range(101)]

    assert stops == [False] * 100 + [True]


def test_one_bad_key_never_stops_a_consumer() -> None:
    limit = StopLimit()

    assert not any(limit.failed(f"key-{number % 20}") for number in range(1_000))


def test_half_of_them_is_not_too_many() -> None:
    limit, stops = StopLimit(), []
    for number in range(1_000):
        limit.passed()
        stops.append(limit.failed(f"key-{number}"))

    assert not any(stops)


def test_failures_long_past_do_not_count() -> None:
    limit = StopLimit()
    for number in range(100):
        limit.failed(f"key-{number}")
    limit.passed(200)

    assert not any(limit.failed(f"key-{number}") for number in range(100))
    assert limit.failed("one-more")


@given(st.lists(st.one_of(st.none(), st.integers(0, 60)), max_size=600))
def test_it_is_a_window_of_the_last_200(course: list[int | None]) -> None:
    limit, seen = StopLimit(), []
    for key in course:
        seen.append(key)
        if key is None:
            limit.passed()
            continue
        failed = [one for one in seen[-200:] if one is not None]
        assert limit.failed(str(key)) == (len(failed) > 100 and len(set(failed)) > 20)
