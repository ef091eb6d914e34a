from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.eventplan_svc.domain.milestones import automatic_etas, roll_up
from shared.schemas.eventplan_svc import MilestoneId, MilestoneStatus
from tests.support.plans import a_plan

BLOCKED, COMPLETED, IN_PROGRESS = MilestoneStatus.BLOCKED, MilestoneStatus.COMPLETED, MilestoneStatus.IN_PROGRESS
NOT_STARTED, PENDING_ON_EPIC = MilestoneStatus.NOT_STARTED, MilestoneStatus.PENDING_ON_EPIC
PENDING_ON_OWNER = MilestoneStatus.PENDING_ON_SERVICE_OWNER


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
def test_a_parent_follows_its_subs(subs: list[MilestoneStatus], parent: MilestoneStatus) -> None:
    assert roll_up(subs) == parent


@given(st.lists(st.sampled_from(MilestoneStatus), min_size=1, max_size=4))
def test_a_parent_is_completed_only_with_all_its_subs_and_blocked_with_any(subs: list[MilestoneStatus]) -> None:
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


def test_an_events_own_days_win_over_the_default_ones() -> None:
    """6.1.7, 6.1.7a."""
    own = ((MilestoneId.HARDWARE_ORDER, 40), (MilestoneId.COMMUNICATE_TPM, 0))
    etas = automatic_etas("2024-07-16", "2024-07-17", own)
    assert etas[MilestoneId.HARDWARE_ORDER] == "2024-06-06"
    assert etas[MilestoneId.COMMUNICATE_TPM] == "2024-07-16"
    assert etas[MilestoneId.GATHER_PROJECTION] == "2024-06-01"


def test_an_eta_is_a_day_that_a_plan_can_hold() -> None:
    etas = automatic_etas("1971-01-20", "9000-12-25", ((MilestoneId.HARDWARE_ORDER, 3650),))
    assert {etas[name] for name in (MilestoneId.GATHER_PROJECTION, MilestoneId.HARDWARE_ORDER)} == {"1971-01-01"}
    assert etas[MilestoneId.UPDATE_THROTTLING] == "1971-01-13"
    assert etas[MilestoneId.RESTORE_THROTTLING] == "9000-12-31"


def test_the_milestones_stand_in_order_with_both_subs_and_the_descale_ones_apart() -> None:
    plan = a_plan()
    assert [milestone.id for milestone in plan.milestones] == [
        "GatherProjectionFromUpstream",
        "HardwareOrder",
        "HardwareFulfillment",
        "CommunicateTPMToDownstream",
        "UpdateThrottlingInSDC",
    ]
    assert [sub.id for sub in plan.milestones[1].subs] == ["PlaceHardwareOrder", "HardwareOrderApproval"]
    assert [milestone.id for milestone in plan.descale_milestones] == [
        "GatherDescaleProjections",
        "PlaceDescaleOrder",
        "DescaleFulfillment",
        "RestoreThrottling",
    ]
