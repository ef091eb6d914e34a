from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.eventplan_svc.app.plan_codec import encode_plan
from services.eventplan_svc.domain.changes import check_keys
from services.eventplan_svc.domain.milestones import roll_up
from services.eventplan_svc.domain.plan import Plan
from shared.errors import BadInput, Conflict
from shared.schemas.eventplan_svc import MilestoneId, MilestoneStatus, SetMilestone
from tests.support import plans
from tests.support.plans import (
    FLEET_ID,
    KEYS,
    a_plan,
    at,
    facts,
    hardware,
    inputs,
    order,
    projection,
    refresh,
    state,
    status,
    stored,
)

NOW = at("06-20")
put_status = partial(plans.put_status, now=NOW)
put_details = partial(plans.put_details, now=NOW)
put_list = partial(plans.put_list, now=NOW)


def as_read(plan: Plan) -> dict[str, Any]:
    """The lists of a plan as a reader gets them, to be changed and sent back."""
    state = encode_plan(stored(plan))
    return {name: state[name] for name in ("EventMilestone", "EventDescaleMilestone")}


def pointer_of(change: Callable[[], Plan]) -> str:
    with pytest.raises(BadInput) as caught:
        change()
    (error,) = caught.value.errors
    return error.pointer


def test_a_person_sets_a_status_with_a_message() -> None:
    plan = put_status(a_plan(), "CommunicateTPMToDownstream", "InProgress", MilestoneMessage="mailing them")
    milestone = plan.milestone(MilestoneId("CommunicateTPMToDownstream"))
    assert milestone.message == "mailing them"
    assert (milestone.source, milestone.last_updated) == ("Human", "2024-06-20T09:00:00.000Z")
    assert milestone.colour == "Yellow"


@given(st.sampled_from(MilestoneStatus), st.sampled_from(MilestoneStatus))
def test_a_leaf_goes_from_any_status_to_any(before: MilestoneStatus, after: MilestoneStatus) -> None:
    plan = put_status(put_status(a_plan(), "RestoreThrottling", before), "RestoreThrottling", after)
    assert status(plan, "RestoreThrottling") == after
    plan = put_status(put_status(a_plan(), "HardwareOrderApproval", before), "HardwareOrderApproval", after)
    assert status(plan, "HardwareOrderApproval") == after
    assert status(plan, "HardwareOrder") == roll_up([MilestoneStatus.NOT_STARTED, after])


def test_what_is_not_in_the_body_stays() -> None:
    plan = refresh(a_plan(), facts(hardware(1, order())))
    assert state(put_status(plan, "HardwareFulfillment", "Blocked"), "HardwareFulfillment") == (
        "Blocked",
        "1 of 1 orders pending",
    )


def test_a_null_message_is_removed() -> None:
    plan = put_status(a_plan(), "HardwareFulfillment", "Blocked", MilestoneMessage="a strike")
    assert state(put_details(plan, "HardwareFulfillment", MilestoneMessage=None), "HardwareFulfillment") == (
        "Blocked",
        None,
    )


@pytest.mark.parametrize(
    "change",
    [
        lambda plan: put_status(plan, "HardwareFulfillment", "NotStarted"),
        lambda plan: put_details(plan, "HardwareFulfillment", ETA="2024-07-06", MilestoneMessage=None),
        lambda plan: put_details(plan, "HardwareFulfillment"),
        lambda plan: put_details(plan, "HardwareFulfillment", ETA=None),
        lambda plan: put_status(plan, "HardwareOrder", "NotStarted"),
        lambda plan: put_list(plan, as_read(plan)),
    ],
)
def test_a_change_that_changes_nothing_gives_back_the_same_plan(change: Callable[[Plan], Plan]) -> None:
    plan = a_plan(now=NOW)
    assert change(plan) is plan


def test_a_parent_may_not_be_set_against_its_subs() -> None:
    with pytest.raises(Conflict) as caught:
        put_status(a_plan(), "HardwareOrder", "Completed")
    assert (caught.value.slug, caught.value.status) == ("parent-status", 409)
    assert "HardwareOrder is NotStarted" in caught.value.detail


def test_a_parents_message_and_eta_are_a_persons_to_set() -> None:
    plan = put_details(a_plan(), "HardwareOrder", MilestoneMessage="with AWS since Monday", ETA="2024-06-18")
    assert plan.milestone(MilestoneId("HardwareOrder")).eta == "2024-06-18"
    assert state(plan, "HardwareOrder") == ("NotStarted", "with AWS since Monday")


def test_a_null_eta_is_automatic_again() -> None:
    plan = put_details(a_plan(), "UpdateThrottlingInSDC", ETA="2024-07-12")
    moved = inputs(event={"peak_start": "2024-07-18", "peak_end": "2024-07-19"})
    by_hand = refresh(plan, of=moved)
    assert by_hand.milestone(MilestoneId("UpdateThrottlingInSDC")).eta == "2024-07-12"
    automatic = put_details(by_hand, "UpdateThrottlingInSDC", ETA=None)
    assert automatic.milestone(MilestoneId("UpdateThrottlingInSDC")).eta == "2024-07-11"
    assert refresh(automatic).milestone(MilestoneId("UpdateThrottlingInSDC")).eta == "2024-07-09"


def test_a_descale_milestone_takes_an_eta_and_a_status() -> None:
    plan = put_details(a_plan(), "PlaceDescaleOrder", ETA="2024-08-01", MilestoneCompletionStatus="InProgress")
    milestone = plan.milestone(MilestoneId("PlaceDescaleOrder"))
    assert (milestone.eta, milestone.status) == ("2024-08-01", "InProgress")


def test_a_null_status_is_refused() -> None:
    assert pointer_of(lambda: put_details(a_plan(), "HardwareFulfillment", MilestoneCompletionStatus=None)) == (
        "/MilestoneCompletionStatus"
    )


def test_a_sub_goes_by_the_eta_of_its_parent() -> None:
    plan = a_plan(now=NOW)
    with pytest.raises(Conflict) as caught:
        put_details(plan, "PlaceHardwareOrder", ETA="2024-07-01")
    assert (caught.value.slug, caught.value.errors[0].pointer) == ("parent-eta", "/ETA")
    assert put_details(plan, "PlaceHardwareOrder", ETA=None) is plan


@pytest.mark.parametrize(("member", "value"), [("EventPlanId", f"PD2023#{FLEET_ID}"), ("ServiceId", "Another")])
def test_the_ids_in_a_request_must_be_the_plans_own(member: str, value: str) -> None:
    body = {**KEYS, "EventMilestoneId": "HardwareFulfillment"}
    own = {"EventPlanId": f"PD2024#{FLEET_ID}", "ServiceId": "FORTRESSService"}
    check_keys(a_plan(), SetMilestone.model_validate({**body, **own}))
    with pytest.raises(BadInput) as caught:
        check_keys(a_plan(), SetMilestone.model_validate({**body, **own, member: value}))
    assert [error.pointer for error in caught.value.errors] == [f"/{member}"]


def test_the_whole_list_is_replaced() -> None:
    plan = put_status(a_plan(), "HardwareFulfillment", "Blocked", MilestoneMessage="a strike")
    body = as_read(plan)
    body["EventMilestone"][2] = {"EventMilestoneId": "HardwareFulfillment", "MilestoneCompletionStatus": "InProgress"}
    body["EventDescaleMilestone"][0]["MilestoneCompletionStatus"] = "Completed"
    plan = put_list(plan, body)
    assert state(plan, "HardwareFulfillment") == ("InProgress", None)
    assert status(plan, "GatherDescaleProjections") == "Completed"
    assert plan.milestone(MilestoneId("HardwareFulfillment")).eta == "2024-07-06"
    assert plan.milestone(MilestoneId("CommunicateTPMToDownstream")).source == "Automated"


def test_of_the_descale_milestones_those_that_are_given_are_replaced() -> None:
    """6.2.20, 6.2.21."""
    plan = put_details(a_plan(), "RestoreThrottling", MilestoneMessage="by the owner", ETA="2024-08-02")
    body = as_read(plan)
    done = {"MilestoneCompletionStatus": "Completed"}
    body["EventDescaleMilestone"] = [
        {"EventMilestoneId": "GatherDescaleProjections", **done},
        {"EventMilestoneId": "DescaleFulfillment", **done, "MilestoneMessage": "all gone"},
    ]
    after = put_list(plan, body)
    assert [milestone.status for milestone in after.descale_milestones] == [
        "Completed",
        "NotStarted",
        "Completed",
        "NotStarted",
    ]
    assert state(after, "DescaleFulfillment") == ("Completed", "all gone")
    assert after.descale_milestones[3] == plan.descale_milestones[3]
    assert put_list(plan, {**body, "EventDescaleMilestone": []}) is plan


def test_an_eta_sent_back_as_read_stays_automatic() -> None:
    plan = a_plan()
    body = as_read(plan)
    body["EventMilestone"][0]["MilestoneCompletionStatus"] = "Completed"
    moved = refresh(put_list(plan, body), of=inputs(event={"peak_start": "2024-07-17"}))
    assert moved.milestone(MilestoneId("GatherProjectionFromUpstream")).eta == "2024-06-02"


def test_a_parent_may_be_sent_as_read_while_its_subs_change() -> None:
    plan = a_plan()
    body = as_read(plan)
    for sub in body["EventMilestone"][1]["SubMilestones"]:
        sub["MilestoneCompletionStatus"] = "Completed"
    assert status(put_list(plan, body), "HardwareOrder") == "Completed"
    body["EventMilestone"][1]["MilestoneCompletionStatus"] = "Blocked"
    with pytest.raises(Conflict, match="HardwareOrder is Completed"):
        put_list(plan, body)


def _without_one(body: dict[str, Any]) -> None:
    body["EventMilestone"].pop()


def _out_of_order(body: dict[str, Any]) -> None:
    body["EventMilestone"].reverse()


def _twice(body: dict[str, Any]) -> None:
    body["EventMilestone"].append(body["EventMilestone"][0])


def _without_subs(body: dict[str, Any]) -> None:
    del body["EventMilestone"][1]["SubMilestones"]


def _subs_out_of_order(body: dict[str, Any]) -> None:
    body["EventMilestone"][1]["SubMilestones"].reverse()


def _subs_of_a_leaf(body: dict[str, Any]) -> None:
    body["EventMilestone"][0]["SubMilestones"] = body["EventMilestone"][1]["SubMilestones"]


def _descale_out_of_order(body: dict[str, Any]) -> None:
    body["EventDescaleMilestone"] = body["EventDescaleMilestone"][2:0:-1]


def _descale_twice(body: dict[str, Any]) -> None:
    body["EventDescaleMilestone"] = body["EventDescaleMilestone"][:1] * 2


def _no_descale(body: dict[str, Any]) -> None:
    body["EventDescaleMilestone"] = body["EventMilestone"][:1]


@pytest.mark.parametrize(
    ("spoil", "pointer"),
    [
        (_without_one, "/EventMilestone"),
        (_out_of_order, "/EventMilestone"),
        (_twice, "/EventMilestone"),
        (_without_subs, "/EventMilestone/1/SubMilestones"),
        (_subs_out_of_order, "/EventMilestone/1/SubMilestones"),
        (_subs_of_a_leaf, "/EventMilestone/0/SubMilestones"),
        (_descale_out_of_order, "/EventDescaleMilestone"),
        (_descale_twice, "/EventDescaleMilestone"),
        (_no_descale, "/EventDescaleMilestone"),
    ],
)
def test_a_list_must_hold_exactly_the_known_milestones_in_order(
    spoil: Callable[[dict[str, Any]], None], pointer: str
) -> None:
    body = as_read(a_plan())
    spoil(body)
    assert pointer_of(lambda: put_list(a_plan(), body)) == pointer


def test_a_closed_plan_refuses_peoples_changes_saying_why() -> None:
    plan = refresh(a_plan(), of=inputs(fleet={"region": "us-west-1"}))
    with pytest.raises(Conflict, match="region us-west-1 is not in the RegionList of PD2024") as caught:
        put_status(plan, "HardwareFulfillment", "Completed")
    assert caught.value.slug == "plan-closed"
    with pytest.raises(Conflict):
        put_details(plan, "HardwareFulfillment", ETA="2024-07-01")
    with pytest.raises(Conflict):
        put_list(plan, as_read(plan))


def test_no_change_touches_the_plan_it_starts_from() -> None:
    plan = refresh(a_plan(), facts(projection(), hardware(1, order())))
    before = stored(plan)
    body = as_read(plan)
    body["EventMilestone"][0]["MilestoneMessage"] = "by hand"
    put_list(plan, body)
    put_status(plan, "PlaceHardwareOrder", "Blocked")
    put_details(plan, "PlaceDescaleOrder", ETA="2024-08-02")
    assert plan == before


WISHES = st.lists(
    st.tuples(
        st.sampled_from(["PlaceHardwareOrder", "HardwareOrderApproval", "HardwareFulfillment"]),
        st.sampled_from(MilestoneStatus),
    ),
    max_size=6,
)


@given(WISHES)
def test_after_any_changes_the_parent_follows_its_subs(wishes: list[tuple[str, str]]) -> None:
    plan = a_plan()
    for milestone_id, status_ in wishes:
        plan = put_status(plan, milestone_id, status_)
    subs = [MilestoneStatus(status(plan, name)) for name in ("PlaceHardwareOrder", "HardwareOrderApproval")]
    assert status(plan, "HardwareOrder") == roll_up(subs)
