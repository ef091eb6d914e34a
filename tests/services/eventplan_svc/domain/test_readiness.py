from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.eventplan_svc.domain.dashboard import standings_of
from services.eventplan_svc.domain.lifecycle import turned
from services.eventplan_svc.domain.milestones import UPSCALE_IDS, Milestone, utc_day
from services.eventplan_svc.domain.plan import Plan
from services.eventplan_svc.domain.readiness import (
    became_ready,
    coloured,
    is_ready,
    milestone_colour,
    worst,
)
from shared.schemas.eventplan_svc import MilestoneId, MilestoneStatus
from tests.support.plans import (
    a_plan,
    at,
    downstream,
    facts,
    hardware,
    inputs,
    order,
    projection,
    put_details,
    put_status,
    refresh,
)

LEAVES = (*(name for name in UPSCALE_IDS if name != "HardwareOrder"), "PlaceHardwareOrder", "HardwareOrderApproval")
GATHER = MilestoneId.GATHER_PROJECTION


def set_to(plan: Plan, milestone_id: str, status: str, day: str = "05-02") -> Plan:
    return put_status(plan, milestone_id, status, now=at(day))


def all_completed(plan: Plan) -> Plan:
    for name in LEAVES:
        plan = set_to(plan, name, "Completed")
    return plan


def with_milestones(milestones: list[tuple[MilestoneStatus, str]]) -> Plan:
    plan = a_plan()
    pairs = zip(plan.milestones, milestones, strict=True)
    changed = (replace(one, status=status, eta=eta, colour=None) for one, (status, eta) in pairs)
    return replace(plan, milestones=tuple(changed))


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
    milestone = Milestone(GATHER, MilestoneStatus(status), eta="2024-06-16")
    assert milestone_colour(milestone.status, milestone.eta, "2024-06-16") == before
    assert milestone_colour(milestone.status, milestone.eta, "2024-06-17") == after


@given(st.lists(st.sampled_from(MilestoneStatus), min_size=len(UPSCALE_IDS), max_size=len(UPSCALE_IDS)), st.dates())
def test_a_plan_has_its_worst_milestones_colour(statuses: list[MilestoneStatus], day: object) -> None:
    today = str(day)
    plan = with_milestones([(status, "2024-06-16") for status in statuses])
    colours = [milestone_colour(milestone.status, milestone.eta, today) for milestone in plan.milestones]
    expected = next(colour for colour in ("Red", "Yellow", "Green") if colour in colours)
    assert coloured(plan, today).colour == expected == worst(colours)


MILESTONES = st.lists(
    st.tuples(st.sampled_from(MilestoneStatus), st.dates()), min_size=len(UPSCALE_IDS), max_size=len(UPSCALE_IDS)
)


@given(MILESTONES, st.dates(), st.dates())
def test_a_plan_turns_when_the_first_eta_that_can_turn_it_has_passed(
    milestones: list[tuple[MilestoneStatus, object]], day: object, later: object
) -> None:
    stored_on, today = sorted((str(day), str(later)))
    plan = coloured(with_milestones([(status, str(eta)) for status, eta in milestones]), stored_on)
    standings = standings_of(plan)
    assert standings is not None
    turns = standings.upscaling.turns_after
    assert (coloured(plan, today) is not plan) == (turns is not None and turns < today)


def test_an_eta_passes_at_its_midnight_utc() -> None:
    plan = set_to(a_plan(), "GatherProjectionFromUpstream", "InProgress")
    assert coloured(plan, utc_day(at("06-01", "23:59:59.999"))).milestones[0].colour == "Yellow"
    assert coloured(plan, utc_day(at("06-02", "00:00:00"))).milestones[0].colour == "Red"


def test_descale_milestones_never_colour_a_plan() -> None:
    plan = all_completed(a_plan())
    assert coloured(plan, "2024-08-30").colour == "Green"
    assert all(milestone.colour is None for milestone in plan.descale_milestones)


def test_the_sweep_after_midnight_writes_a_plan_once_and_only_when_a_colour_turned() -> None:
    plan = set_to(a_plan(), "GatherProjectionFromUpstream", "InProgress")
    assert turned(plan, at("06-01")) is None
    revision = turned(plan, at("06-02", "00:00:01"))
    assert revision is not None
    assert revision.plan.milestones[0].colour == "Red"
    assert revision.message == "Colours of the day: GatherProjectionFromUpstream"
    assert revision.user == "EPICAutomation"
    assert turned(revision.plan, at("06-03")) is None


def test_the_sweep_passes_closed_plans_by() -> None:
    plan = set_to(a_plan(), "GatherProjectionFromUpstream", "InProgress")
    inactive = inputs(event={"active": False})
    closed = refresh(plan, of=inactive)
    assert turned(closed, at("06-02")) is None


def test_a_plan_is_ready_each_time_all_its_milestones_become_completed() -> None:
    done = all_completed(a_plan())
    nearly = set_to(done, "UpdateThrottlingInSDC", "InProgress")
    assert not became_ready(None, a_plan())
    assert became_ready(nearly, done)
    assert not became_ready(done, nearly)
    assert not became_ready(done, set_to(done, "GatherDescaleProjections", "InProgress"))
    assert became_ready(nearly, set_to(nearly, "UpdateThrottlingInSDC", "Completed"))


def test_a_closed_plan_is_ready_only_when_it_reopens() -> None:
    done = all_completed(a_plan())
    closed = refresh(done, of=inputs(event={"active": False}))
    assert not is_ready(closed)
    assert became_ready(closed, refresh(closed))


def test_a_plan_made_from_facts_is_coloured_at_once() -> None:
    plan = a_plan(facts(projection(), hardware(1, order("Fulfilled")), downstream("CheckoutService")))
    assert [milestone.colour for milestone in plan.milestones] == ["Green", "Green", "Green", "Red", "Red"]


def test_a_later_eta_of_a_persons_choice_turns_the_milestone_back() -> None:
    plan = set_to(a_plan(), "GatherProjectionFromUpstream", "InProgress", day="06-05")
    assert plan.milestones[0].colour == "Red"
    plan = put_details(plan, GATHER, ETA="2024-06-20", now=at("06-05"))
    assert plan.milestones[0].colour == "Yellow"
