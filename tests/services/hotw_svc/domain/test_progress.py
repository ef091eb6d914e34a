"""How a run's share, pace and remaining time are worked out (7.13.6)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from services.hotw_svc.domain.runs.progress import NOTHING_DONE, Tally, pace

BEGUN = datetime(2024, 6, 15, 9, tzinfo=UTC)


def after(seconds: float, tally: Tally, *, fleets: int = 20_000, ended: float | None = None) -> tuple[object, ...]:
    end = None if ended is None else BEGUN + timedelta(seconds=ended)
    now = BEGUN + timedelta(seconds=seconds)
    found = pace(tally, fleets=fleets, begun=BEGUN, ended=end, now=now)
    return found.share, found.fleets_per_second, found.remaining_seconds


@pytest.mark.parametrize(
    ("seconds", "tally", "expected"),
    [
        (0, NOTHING_DONE, (0.0, None, None)),
        (10, NOTHING_DONE, (0.0, 0.0, None)),
        (10, Tally({"Success": 4000, "Fail": 1000}, recent=5000), (0.25, 500.0, 30)),
        (120, Tally({"Success": 12_000}, recent=600), (0.6, 10.0, 800)),
        (3600, Tally({"Success": 19_999}, recent=0), (0.9999, 0.0, None)),
        (120, Tally({"Success": 20_000}, recent=6000), (1.0, 100.0, 0)),
    ],
)
def test_a_running_run_goes_at_the_pace_of_its_last_minute(
    seconds: float, tally: Tally, expected: tuple[object, ...]
) -> None:
    assert after(seconds, tally) == expected


def test_the_share_is_1_only_when_every_fleet_is_done() -> None:
    assert after(60, Tally({"Success": 19_999}), fleets=20_000)[0] == 0.9999
    assert after(60, Tally({"Success": 299_999}), fleets=300_000)[0] == 0.9999
    assert after(0, NOTHING_DONE, fleets=0)[0] == 1.0


def test_the_remaining_time_is_rounded_up() -> None:
    assert after(3, Tally({"Success": 3}, recent=3), fleets=10)[1:] == (1.0, 7)
    assert after(3, Tally({"Success": 4}, recent=4), fleets=10)[1:] == (1.33, 5)


def test_a_run_that_has_ended_has_nothing_left_and_its_whole_pace() -> None:
    assert after(9000, Tally({"Success": 5000}), ended=50) == (0.25, 100.0, 0)
    assert after(9000, NOTHING_DONE, fleets=0, ended=0) == (1.0, None, 0)
