from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.eventplan_svc.domain.changes import set_milestone, set_milestone_status
from services.eventplan_svc.domain.facts import FactSheet
from services.eventplan_svc.domain.milestones import COMPLETED, STATUSES, UPSCALE_IDS, Plan
from services.eventplan_svc.domain.plan import shown, turn
from services.eventplan_svc.domain.readiness import (
    became_ready,
    coloured,
    is_ready,
    milestone_colour,
    next_turn,
    plan_colour,
    worst,
)
from tests.services.eventplan_svc.domain.sample import (
    at,
    hardware,
    new_plan,
    order,
    projection,
    settled,
    sheet,
    world,
)

LEAVES = (*(name for name in UPSCALE_IDS if name != "HardwareOrder"), "PlaceHardwareOrder", "HardwareOrderApproval")


def set_to(plan: Plan, milestone_id: str, status: str, day: str = "05-02") -> Plan:
    wish = {"EventMilestoneId": milestone_id, "MilestoneCompletionStatus": status}
    return set_milestone_status(plan, wish, facts=FactSheet(), now=at(day))


def all_completed(plan: Plan) -> Plan:
    for name in LEAVES:
        plan = set_to(plan, name, COMPLETED)
    return plan


@pytest.mark.parametrize(
    ("status", "before", "after"),
    [
        ("Completed", "Green", "Green"),
        ("InProgress", "Yellow", "Red"),
        ("PendingOnEPIC", "Yellow", "Red"),
        ("PendingOnServiceOwner", "Yellow", "Red"),
        ("NotStarted", "Red", "Red"),
        ("Blocked", "Red", "Red"),
    ],
)
def test_the_colour_goes_by_the_status_until_the_eta_passed(status: str, before: str, after: str) -> None:
    milestone = {"MilestoneCompletionStatus": status, "ETA": "2024-06-16"}
    assert milestone_colour(milestone, "2024-06-16") == before
    assert milestone_colour(milestone, "2024-06-17") == after


@given(st.lists(st.sampled_from(STATUSES), min_size=5, max_size=5), st.dates())
def test_a_plan_has_its_worst_milestones_colour(statuses: list[str], day: object) -> None:
    today = str(day)
    milestones = [{"MilestoneCompletionStatus": status, "ETA": "2024-06-16"} for status in statuses]
    colours = [milestone_colour(milestone, today) for milestone in milestones]
    expected = next(colour for colour in ("Red", "Yellow", "Green") if colour in colours)
    assert plan_colour({"EventMilestone": milestones}, today) == expected == worst(colours)


@given(st.lists(st.tuples(st.sampled_from(STATUSES), st.dates()), min_size=5, max_size=5), st.dates(), st.dates())
def test_a_plan_turns_when_the_first_eta_that_can_turn_it_has_passed(
    milestones: list[tuple[str, object]], day: object, later: object
) -> None:
    stored_on, today = sorted((str(day), str(later)))
    plan = coloured(
        {"EventMilestone": [{"MilestoneCompletionStatus": status, "ETA": str(eta)} for status, eta in milestones]},
        stored_on,
    )
    turns = next_turn(plan)
    assert (coloured(plan, today) is not plan) == (turns is not None and turns < today)


def test_an_eta_passes_at_its_midnight_utc() -> None:
    plan = set_to(new_plan(), "GatherProjectionFromUpstream", "InProgress")
    assert shown(plan, at("06-01", "23:59:59.999"))["EventMilestone"][0]["PeakReadyStatus"] == "Yellow"
    assert shown(plan, at("06-02", "00:00:00"))["EventMilestone"][0]["PeakReadyStatus"] == "Red"


def test_descale_milestones_never_colour_a_plan() -> None:
    plan = all_completed(new_plan())
    assert shown(plan, at("08-30"))["PeakReadyStatus"] == "Green"
    assert all("PeakReadyStatus" not in milestone for milestone in plan["EventDescaleMilestone"])


def test_the_sweep_after_midnight_writes_a_plan_once_and_only_when_a_colour_turned() -> None:
    plan = set_to(new_plan(), "GatherProjectionFromUpstream", "InProgress")
    assert turn(plan, at("06-01")) is None
    revision = turn(plan, at("06-02", "00:00:01"))
    assert revision is not None
    assert revision.plan["EventMilestone"][0]["PeakReadyStatus"] == "Red"
    assert revision.message == "Colours of the day: GatherProjectionFromUpstream"
    assert revision.user == "EPICAutomation"
    assert turn(revision.plan, at("06-03")) is None


def test_the_sweep_passes_closed_plans_by() -> None:
    plan = set_to(new_plan(), "GatherProjectionFromUpstream", "InProgress")
    inactive = world(event={"active": False})
    closed = settled(plan, FactSheet(), world=inactive)
    assert turn(closed, at("06-02")) is None


def test_a_plan_is_ready_each_time_all_its_milestones_become_completed() -> None:
    done = all_completed(new_plan())
    nearly = set_to(done, "UpdateThrottlingInSDC", "InProgress")
    assert not became_ready(None, new_plan())
    assert became_ready(nearly, done)
    assert not became_ready(done, nearly)
    assert not became_ready(done, set_to(done, "GatherDescaleProjections", "InProgress"))
    assert became_ready(nearly, set_to(nearly, "UpdateThrottlingInSDC", "Completed"))


def test_a_closed_plan_is_ready_only_when_it_reopens() -> None:
    done = all_completed(new_plan())
    closed = settled(done, FactSheet(), world=world(event={"active": False}))
    assert not is_ready(closed)
    assert became_ready(closed, settled(closed, FactSheet()))


def test_a_plan_made_from_facts_is_coloured_at_once() -> None:
    plan = new_plan(sheet(projection(), hardware(1, order("Fulfilled"))))
    assert [milestone["PeakReadyStatus"] for milestone in plan["EventMilestone"]] == [
        "Green", "Green", "Green", "Red", "Red"
    ]  # fmt: skip


def test_a_later_eta_of_a_persons_choice_turns_the_milestone_back() -> None:
    plan = set_to(new_plan(), "GatherProjectionFromUpstream", "InProgress", day="06-05")
    assert plan["EventMilestone"][0]["PeakReadyStatus"] == "Red"
    wish = {"EventMilestoneId": "GatherProjectionFromUpstream", "ETA": "2024-06-20"}
    plan = set_milestone(plan, wish, facts=FactSheet(), now=at("06-05"))
    assert plan["EventMilestone"][0]["PeakReadyStatus"] == "Yellow"
