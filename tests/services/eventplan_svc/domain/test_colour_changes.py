"""Which writes change a plan's colour, and why (4.155)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from services.eventplan_svc.domain.colour_changes import ColourChange, colour_change
from services.eventplan_svc.domain.lifecycle import turned
from services.eventplan_svc.domain.milestones import ALL_UPSCALE_IDS, SUB_IDS
from services.eventplan_svc.domain.plan import Closed, Plan
from shared.clock import parse_instant
from shared.schemas.eventplan_svc import MilestoneId, PeakReadyStatus
from tests.support.plans import a_plan, execution, facts, hardware, projection, put_details, put_status, refresh

LEAVES = [name.value for name in ALL_UPSCALE_IDS if name not in SUB_IDS]
GREEN, YELLOW, RED = PeakReadyStatus.GREEN, PeakReadyStatus.YELLOW, PeakReadyStatus.RED


def with_all(status: str, **others: str) -> Plan:
    plan = a_plan()
    for name in LEAVES:
        plan = put_status(plan, name, others.get(name, status))
    return plan


def test_the_last_milestone_that_leaves_the_former_colour_made_it_better() -> None:
    before = with_all("Completed", HardwareOrderApproval="NotStarted")
    before = put_status(before, "HardwareOrderApproval", "PendingOnEPIC")
    after = put_status(before, "HardwareOrderApproval", "Completed")
    assert colour_change(before, after) == ColourChange(YELLOW, GREEN, MilestoneId.HARDWARE_ORDER_APPROVAL, "Completed")


def test_the_first_milestone_with_the_new_colour_made_it_worse() -> None:
    before = a_plan(facts(projection()))
    for name in LEAVES[3:]:
        before = put_status(before, name, "InProgress")
    before = put_status(put_status(before, LEAVES[1], "InProgress"), LEAVES[2], "InProgress")
    assert before.colour is YELLOW
    after = refresh(before, facts(projection(), hardware(1, run=execution("Fail", Reasoning="no eligible ASG"))))
    assert colour_change(before, after) == ColourChange(
        YELLOW, RED, MilestoneId.PLACE_HARDWARE_ORDER, "Blocked: no eligible ASG"
    )


def test_a_change_by_the_clock_names_the_eta_that_passed() -> None:
    before = with_all("InProgress")
    revision = turned(before, parse_instant("2024-06-02T00:00:00Z"))
    assert revision is not None
    assert colour_change(before, revision.plan) == ColourChange(
        YELLOW, RED, MilestoneId.GATHER_PROJECTION, "ETA 2024-06-01 has passed"
    )
    later = put_details(revision.plan, "GatherProjectionFromUpstream", ETA="2024-06-20")
    assert colour_change(revision.plan, later) == ColourChange(
        RED, YELLOW, MilestoneId.GATHER_PROJECTION, "ETA moved from 2024-06-01 to 2024-06-20"
    )


def test_an_eta_that_is_moved_into_the_past_says_so() -> None:
    before = with_all("InProgress")
    after = put_details(before, "UpdateThrottlingInSDC", ETA="2024-04-01")
    change = colour_change(before, after)
    assert change is not None
    assert change.reason == "ETA moved from 2024-07-09 to 2024-04-01, which has passed"


@pytest.mark.parametrize("status", ["InProgress", "PendingOnEPIC"])
def test_another_status_of_the_same_colour_is_no_change(status: str) -> None:
    before = with_all("PendingOnServiceOwner")
    assert colour_change(before, put_status(before, LEAVES[0], status)) is None


def test_a_closed_plan_is_outside_and_one_that_reopens_in_another_colour_is_not() -> None:
    before, after = with_all("Completed"), with_all("Completed", UpdateThrottlingInSDC="Blocked")
    closed = Closed("event PD2024 is not active", "2024-05-01T09:00:00.000Z")
    assert colour_change(before, replace(after, closed=closed)) is None
    change = colour_change(replace(before, closed=closed), after)
    assert change is not None
    assert (change.before, change.after) == (GREEN, RED)
