"""What was known of a resource, and since when (6.6.23 to 6.6.25)."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.eventplan_svc.domain.history import MAX_KNOWN, History, Known
from services.eventplan_svc.domain.inputs import Service

FIRST = Service("Atlas", 1, "ann", "boss", registered=True, deleted=False)


def first_known(value: Service, at: str) -> History[Service]:
    """The history that begins with a version that is consumed now."""
    return History(value.version == 1, ((at, value),))


def owned(version: int, owner: str) -> Service:
    return replace(FIRST, version=version, owner=owner)


def test_the_value_of_an_instant_is_the_newest_that_was_consumed_by_then() -> None:
    history = first_known(FIRST, "2024-05-02").with_value(owned(2, "bob"), "2024-05-04")
    assert history.at("2024-05-01") == Known(None, exact=True)
    assert history.at("2024-05-02") == Known(FIRST, exact=True)
    assert history.at("2024-05-03") == Known(FIRST, exact=True)
    assert history.at("2024-05-04") == Known(owned(2, "bob"), exact=True)


def test_before_a_history_that_begins_late_its_oldest_value_stands_inexactly() -> None:
    history = first_known(owned(3, "bob"), "2024-05-02")
    assert history.at("2024-05-01") == Known(owned(3, "bob"), exact=False)
    assert history.at("2024-05-02") == Known(owned(3, "bob"), exact=True)


@pytest.mark.parametrize("again", [owned(1, "eve"), owned(2, "bob"), owned(2, "eve"), owned(3, "bob")])
def test_what_is_not_newer_or_no_different_changes_nothing(again: Service) -> None:
    history = first_known(FIRST, "1").with_value(owned(2, "bob"), "2")
    assert history.with_value(again, "3") is history


def test_a_history_is_bounded_and_says_so() -> None:
    history = first_known(FIRST, f"{1:05d}")
    for version in range(2, MAX_KNOWN + 1):
        history = history.with_value(owned(version, f"owner {version}"), f"{version:05d}")
    assert history.at("00000") == Known(None, exact=True)
    history = history.with_value(owned(MAX_KNOWN + 1, "last"), f"{MAX_KNOWN + 1:05d}")
    assert len(history.values) == MAX_KNOWN
    assert history.at("00001") == Known(owned(2, "owner 2"), exact=False)
    assert history.at("00002") == Known(owned(2, "owner 2"), exact=True)


@given(st.lists(st.sampled_from(["ann", "bob", "eve"]), min_size=1, max_size=12))
def test_at_every_instant_it_says_what_was_held_then(owners: list[str]) -> None:
    versions = [owned(number, owner) for number, owner in enumerate(owners, 1)]
    history: History[Service] = first_known(versions[0], f"{1:03d}")
    for version in versions[1:]:
        history = history.with_value(version, f"{version.version:03d}")
        history = history.with_value(versions[0], f"{version.version:03d}x")  # comes again
    for version in versions:
        known = history.at(f"{version.version:03d}")
        assert known.exact
        assert known.value is not None
        assert known.value.owner == version.owner
