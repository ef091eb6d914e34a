"""The combined curve of a group and the scheduled actions that bring it (7.8.37 to 7.8.42, 7.9.13, 7.9.14)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from services.hotw_svc.domain.orders.override import Override, OverrideStatus
from services.hotw_svc.domain.providers.actions import (
    LEAD,
    Action,
    GroupSizes,
    GroupState,
    action_name,
    actions_of,
    drift_of,
    is_epics,
    still_to_run,
)
from services.hotw_svc.domain.providers.curve import combined_curve
from tests.support.hotw_inputs import asg_name, override

DAY = datetime(2024, 7, 10, tzinfo=UTC)
NAME = asg_name("a")
SIZES = GroupSizes(5, 60)


def days(count: float) -> datetime:
    return DAY + timedelta(days=count)


def over(
    event: str, start: float, end: float, value: int, status: OverrideStatus = OverrideStatus.APPROVED
) -> Override:
    return override("a", event_id=event, start=days(start), end=days(end), value=value, status=status)


def curve(*overrides: Override) -> list[tuple[datetime, str, int, int | None]]:
    return [(step.at, step.event_id, step.number, step.value) for step in combined_curve(overrides)]


def actions(*overrides: Override) -> tuple[Action, ...]:
    return actions_of(NAME, combined_curve(overrides), SIZES)


def test_one_event_raises_its_group_and_gives_it_back() -> None:
    """7.8.39 to 7.8.42."""
    first, last = actions(over("PD2024", 1, 4, 70))
    assert first == Action(f"PD2024-{NAME}-1", "PD2024", days(1), 70, 70, 70)
    assert last == Action(f"PD2024-{NAME}-2", "PD2024", days(4), 5, 50, 60, restores=True)


def test_a_raise_below_max_instance_leaves_that_as_it_is() -> None:
    """7.8.41."""
    assert [action.max_size for action in actions(over("PD2024", 1, 4, 55))] == [60, 60]


def test_three_overlapping_events_give_their_maximum_without_a_dip() -> None:
    """7.9.13, 7.9.14: each step is the cause's own, numbered from 1."""
    assert curve(over("A", 1, 5, 60), over("B", 3, 8, 80), over("C", 7, 9, 70)) == [
        (days(1), "A", 1, 60),
        (days(3), "B", 1, 80),
        (days(8), "B", 2, 70),
        (days(9), "C", 1, None),
    ]


def test_adjacent_windows_are_one_step_where_they_meet() -> None:
    """7.8.38: a group takes one action at a time; 7.9.14."""
    assert curve(over("A", 1, 3, 60), over("B", 3, 5, 60)) == [(days(1), "A", 1, 60), (days(5), "B", 1, None)]
    assert curve(over("A", 1, 3, 60), over("B", 3, 5, 70))[1] == (days(3), "B", 1, 70)


def test_what_is_not_in_force_raises_nothing() -> None:
    for status in (OverrideStatus.PROPOSED, OverrideStatus.SUPERSEDED, OverrideStatus.CANCELLED):
        assert curve(over("A", 1, 3, 60, status)) == []


OVERRIDES = st.lists(
    st.builds(
        lambda event, start, length, value: over(event, start, start + length, value),
        st.sampled_from("ABC"),
        st.integers(0, 9),
        st.integers(1, 5),
        st.integers(51, 55),
    ),
    max_size=6,
    unique_by=lambda item: item.event_id,
)


@given(OVERRIDES)
def test_the_curve_is_the_maximum_at_every_instant_and_ends(overrides: Sequence[Override]) -> None:
    """7.9.12, 7.9.13: against brute force, hour by hour."""
    steps = combined_curve(overrides)
    assert len({step.at for step in steps}) == len(steps)
    assert len({(step.event_id, step.number) for step in steps}) == len(steps)
    assert not steps or steps[-1].value is None
    for hour in range(0, 24 * 16, 12):
        moment = DAY + timedelta(hours=hour)
        expected = max((o.value for o in overrides if o.start <= moment < o.end), default=None)
        found = [step.value for step in steps if step.at <= moment]
        assert (found[-1] if found else None) == expected


def test_what_is_past_is_asked_for_as_soon_as_it_can_be() -> None:
    """An override that is approved after its start; once it was asked for it is not asked for again."""
    wanted = actions(over("PD2024", 1, 4, 70))
    now = days(2)
    first = still_to_run(wanted, (), now)
    assert [(action.name, action.at) for action in first] == [
        (f"PD2024-{NAME}-1", now + LEAD),
        (f"PD2024-{NAME}-2", days(4)),
    ]
    assert still_to_run(wanted, first, now + timedelta(seconds=30)) == first
    assert still_to_run(wanted, first, now + LEAD) == first[1:]


def test_a_group_that_was_never_raised_is_not_given_back() -> None:
    wanted = actions(over("PD2024", 1, 4, 70))
    assert still_to_run(wanted, (), days(5)) == ()


def test_an_override_that_ends_early_is_given_back_at_once() -> None:
    """7.9.7: its orders were rejected after it had begun."""
    asked = actions(over("PD2024", 1, 4, 70))
    wanted = actions(over("PD2024", 1, 2, 70))
    (end,) = still_to_run(wanted, asked, days(2.5))
    assert (end.at, end.restores, end.desired_capacity) == (days(2.5) + LEAD, True, 50)


def test_steps_within_one_second_are_one_action() -> None:
    """7.8.38."""
    millisecond = timedelta(milliseconds=1)
    one = override("a", start=days(1) + millisecond, end=days(2), value=60)
    two = override("a", event_id="B", start=days(1) + 2 * millisecond, end=days(3), value=70)
    assert [action.at for action in actions(one, two)] == [days(1) + timedelta(seconds=1), days(3)]


def test_unknown_sizes_are_left_as_they_are() -> None:
    """What nobody has said cannot be restored; the minimum never stays above what the group goes back to."""
    first, last = actions_of(NAME, combined_curve([over("PD2024", 1, 4, 70)]), GroupSizes(None, None))
    assert (first.max_size, last.min_size, last.max_size) == (70, 50, None)


def test_epics_names_are_known_again_and_never_too_long() -> None:
    """7.8.39."""
    assert action_name("PD2024", NAME, 2) == f"PD2024-{NAME}-2"
    long = "g" * 255
    for group in (NAME, long):
        name = action_name("E" * 128, group, 12)
        assert (len(name) <= 255, is_epics(name, group), is_epics(name, "other")) == (True, True, False)
    assert not is_epics("scale-out-at-nine", NAME)


def test_a_group_drifts_when_its_capacity_or_a_scheduled_action_is_another() -> None:
    """7.9.26."""
    asked = actions(over("PD2024", 1, 4, 70))
    as_asked = GroupState(70, 70, 70, asked[1:])
    assert drift_of(as_asked, asked, days(2)) is None
    assert drift_of(GroupState(5, 70, 70, asked[1:]), asked, days(2)) == (
        "it has 70 hosts, at least 5; 70, at least 70, were asked for"
    )
    assert drift_of(GroupState(70, 70, 70), asked, days(2)) == (
        f"the scheduled action PD2024-{NAME}-2 is not there as it was asked for"
    )
    assert drift_of(None, asked, days(2)) == "the provider has no such group"
    assert drift_of(GroupState(1, 1, 1, asked), asked, days(0)) is None, "before the first action it is its owner's"
    assert drift_of(GroupState(1, 1, 1), asked, days(5)) is None, "and after the last"
    assert drift_of(GroupState(1, 1, 1, asked[1:]), asked, days(1)) is None, "the action may be about to run"
