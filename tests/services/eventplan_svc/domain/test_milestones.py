from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.eventplan_svc.domain.milestones import (
    ALL_IDS,
    BLOCKED,
    COMPLETED,
    IN_PROGRESS,
    NOT_STARTED,
    PENDING_ON_EPIC,
    PENDING_ON_OWNER,
    STATUSES,
    automatic_etas,
    roll_up,
)
from shared.schemas.eventplan_svc import MilestoneId, MilestoneStatus
from tests.services.eventplan_svc.domain.sample import new_plan


@pytest.mark.parametrize(
    ("subs", "parent"),
    [
        ([COMPLETED, COMPLETED], COMPLETED),
        ([COMPLETED, BLOCKED], BLOCKED),
        ([PENDING_ON_EPIC, BLOCKED], BLOCKED),
        ([COMPLETED, PENDING_ON_EPIC], PENDING_ON_EPIC),
        ([PENDING_ON_OWNER, PENDING_ON_EPIC], PENDING_ON_OWNER),
        ([NOT_STARTED, PENDING_ON_EPIC], PENDING_ON_EPIC),
        ([NOT_STARTED, NOT_STARTED], NOT_STARTED),
        ([COMPLETED, NOT_STARTED], IN_PROGRESS),
        ([IN_PROGRESS, NOT_STARTED], IN_PROGRESS),
    ],
)
def test_a_parent_follows_its_subs(subs: list[str], parent: str) -> None:
    assert roll_up(subs) == parent


@given(st.lists(st.sampled_from(STATUSES), min_size=1, max_size=4))
def test_a_parent_is_completed_only_with_all_its_subs_and_blocked_with_any(subs: list[str]) -> None:
    parent = roll_up(subs)
    assert (parent == COMPLETED) == (set(subs) == {COMPLETED})
    assert (parent == BLOCKED) == (BLOCKED in subs)
    assert (parent == NOT_STARTED) == (set(subs) == {NOT_STARTED})
    if parent in (PENDING_ON_EPIC, PENDING_ON_OWNER):
        assert next(sub for sub in subs if sub in (PENDING_ON_EPIC, PENDING_ON_OWNER)) == parent


def test_the_etas_of_prime_day_hang_on_its_dates() -> None:
    assert dict(automatic_etas("2024-07-16", "2024-07-17")) == {
        "GatherProjectionFromUpstream": "2024-06-01",
        "HardwareOrder": "2024-06-16",
        "CommunicateTPMToDownstream": "2024-07-02",
        "HardwareFulfillment": "2024-07-06",
        "UpdateThrottlingInSDC": "2024-07-09",
        "GatherDescaleProjections": "2024-07-20",
        "PlaceDescaleOrder": "2024-07-22",
        "DescaleFulfillment": "2024-07-31",
        "RestoreThrottling": "2024-07-31",
    }


def test_the_milestones_stand_in_order_with_both_subs_and_the_descale_ones_apart() -> None:
    plan = new_plan()
    assert [milestone["EventMilestoneId"] for milestone in plan["EventMilestone"]] == [
        "GatherProjectionFromUpstream",
        "HardwareOrder",
        "HardwareFulfillment",
        "CommunicateTPMToDownstream",
        "UpdateThrottlingInSDC",
    ]
    assert [sub["EventMilestoneId"] for sub in plan["EventMilestone"][1]["SubMilestones"]] == [
        "PlaceHardwareOrder",
        "HardwareOrderApproval",
    ]
    assert [milestone["EventMilestoneId"] for milestone in plan["EventDescaleMilestone"]] == [
        "GatherDescaleProjections",
        "PlaceDescaleOrder",
        "DescaleFulfillment",
        "RestoreThrottling",
    ]


def test_the_contract_knows_the_same_ids_and_statuses() -> None:
    assert tuple(MilestoneId) == ALL_IDS
    assert tuple(MilestoneStatus) == STATUSES
