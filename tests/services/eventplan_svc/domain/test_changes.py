from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.eventplan_svc.domain.changes import replace_milestones, set_milestone, set_milestone_status
from services.eventplan_svc.domain.errors import BadValue, RefusedByRule
from services.eventplan_svc.domain.facts import FactSheet
from services.eventplan_svc.domain.milestones import STATUSES, Plan, by_id, roll_up
from services.eventplan_svc.domain.plan import shown
from tests.services.eventplan_svc.domain.sample import (
    FLEET_ID,
    at,
    hardware,
    new_plan,
    order,
    projection,
    said,
    settled,
    sheet,
    status,
    stored,
    world,
)

NOW = at("06-20")
NONE = FactSheet()


def put_status(plan: Plan, milestone_id: str, status_: str, **members: Any) -> Plan:
    wish = {"EventMilestoneId": milestone_id, "MilestoneCompletionStatus": status_, **members}
    return set_milestone_status(plan, wish, facts=NONE, now=NOW)


def put_detail(plan: Plan, milestone_id: str, **members: Any) -> Plan:
    return set_milestone(plan, {"EventMilestoneId": milestone_id, **members}, facts=NONE, now=NOW)


def put_list(plan: Plan, body: dict[str, Any]) -> Plan:
    return replace_milestones(plan, body, facts=NONE, now=NOW)


def as_read(plan: Plan) -> dict[str, Any]:
    """The plan as a reader gets it, to be changed and sent back."""
    return {**stored(shown(plan, NOW)), "VersionId": 8, "LatestVersionId": 8, "AuditMetadata": {"Message": "mine"}}


def refusal(change: Callable[[], Plan]) -> tuple[str, str]:
    with pytest.raises(BadValue) as caught:
        change()
    (error,) = caught.value.errors
    return error.pointer, error.detail


def test_a_person_sets_a_status_with_a_message() -> None:
    plan = put_status(new_plan(), "CommunicateTPMToDownstream", "InProgress", MilestoneMessage="mailing them")
    milestone = by_id(plan)["CommunicateTPMToDownstream"]
    assert milestone["MilestoneMessage"] == "mailing them"
    assert (milestone["Source"], milestone["LastUpdatedTimestamp"]) == ("Human", "2024-06-20T09:00:00.000Z")
    assert milestone["PeakReadyStatus"] == "Yellow"


@given(st.sampled_from(STATUSES), st.sampled_from(STATUSES))
def test_a_leaf_goes_from_any_status_to_any(before: str, after: str) -> None:
    plan = put_status(put_status(new_plan(), "RestoreThrottling", before), "RestoreThrottling", after)
    assert status(plan, "RestoreThrottling") == after
    plan = put_status(put_status(new_plan(), "HardwareOrderApproval", before), "HardwareOrderApproval", after)
    assert status(plan, "HardwareOrderApproval") == after
    assert status(plan, "HardwareOrder") == roll_up(["NotStarted", after])


def test_what_is_not_in_the_body_stays() -> None:
    plan = settled(new_plan(), sheet(hardware(1, order())))
    assert said(put_status(plan, "HardwareFulfillment", "Blocked"), "HardwareFulfillment") == (
        "Blocked",
        "1 of 1 orders pending",
    )


def test_a_null_message_is_removed() -> None:
    plan = put_status(new_plan(), "HardwareFulfillment", "Blocked", MilestoneMessage="a strike")
    assert said(put_detail(plan, "HardwareFulfillment", MilestoneMessage=None), "HardwareFulfillment") == (
        "Blocked",
        None,
    )


@pytest.mark.parametrize(
    "change",
    [
        lambda plan: put_status(plan, "HardwareFulfillment", "NotStarted"),
        lambda plan: put_detail(plan, "HardwareFulfillment", ETA="2024-07-06", MilestoneMessage=None),
        lambda plan: put_detail(plan, "HardwareFulfillment"),
        lambda plan: put_detail(plan, "HardwareFulfillment", ETA=None),
        lambda plan: put_status(plan, "HardwareOrder", "NotStarted"),
        lambda plan: put_list(plan, as_read(plan)),
    ],
)
def test_a_change_that_changes_nothing_gives_back_the_same_plan(change: Callable[[Plan], Plan]) -> None:
    plan = new_plan(now=NOW)
    assert change(plan) is plan


def test_a_parent_may_not_be_set_against_its_subs() -> None:
    with pytest.raises(RefusedByRule) as caught:
        put_status(new_plan(), "HardwareOrder", "Completed")
    assert (caught.value.slug, caught.value.status) == ("parent-status", 409)
    assert "HardwareOrder is NotStarted" in caught.value.detail


def test_a_parents_message_and_eta_are_a_persons_to_set() -> None:
    plan = put_detail(new_plan(), "HardwareOrder", MilestoneMessage="with AWS since Monday", ETA="2024-06-18")
    assert by_id(plan)["HardwareOrder"]["ETA"] == "2024-06-18"
    assert said(plan, "HardwareOrder") == ("NotStarted", "with AWS since Monday")


def test_a_null_eta_is_automatic_again() -> None:
    plan = put_detail(new_plan(), "UpdateThrottlingInSDC", ETA="2024-07-12")
    moved = world(event={"peak_start": "2024-07-18", "peak_end": "2024-07-19"})
    by_hand = settled(plan, NONE, world=moved)
    assert by_id(by_hand)["UpdateThrottlingInSDC"]["ETA"] == "2024-07-12"
    automatic = put_detail(by_hand, "UpdateThrottlingInSDC", ETA=None)
    assert by_id(automatic)["UpdateThrottlingInSDC"]["ETA"] == "2024-07-11"
    assert by_id(settled(automatic, NONE))["UpdateThrottlingInSDC"]["ETA"] == "2024-07-09"


def test_a_descale_milestone_takes_an_eta_and_a_status() -> None:
    plan = put_detail(new_plan(), "PlaceDescaleOrder", ETA="2024-08-01", MilestoneCompletionStatus="InProgress")
    milestone = by_id(plan)["PlaceDescaleOrder"]
    assert (milestone["ETA"], milestone["MilestoneCompletionStatus"]) == ("2024-08-01", "InProgress")


@pytest.mark.parametrize(
    ("members", "pointer"),
    [
        ({"EventMilestoneId": "BuyHardware"}, "/EventMilestoneId"),
        ({"EventMilestoneId": None}, "/EventMilestoneId"),
        ({"MilestoneCompletionStatus": "Done"}, "/MilestoneCompletionStatus"),
        ({"MilestoneCompletionStatus": None}, "/MilestoneCompletionStatus"),
        ({"MilestoneMessage": 5}, "/MilestoneMessage"),
        ({"ETA": "tomorrow"}, "/ETA"),
        ({"ETA": "2024-02-30"}, "/ETA"),
        ({"ETA": "20240701"}, "/ETA"),
        ({"EventMilestoneId": "PlaceHardwareOrder", "ETA": "2024-07-01"}, "/ETA"),
        ({"Colour/": "Green"}, "/Colour~1"),
        ({"FleetId": "other"}, "/FleetId"),
        ({"EventPlanId": f"PD2023#{FLEET_ID}"}, "/EventPlanId"),
    ],
)
def test_a_bad_member_is_named(members: dict[str, Any], pointer: str) -> None:
    wish = {"EventMilestoneId": "HardwareFulfillment", **members}
    assert refusal(lambda: set_milestone(new_plan(), wish, facts=NONE, now=NOW))[0] == pointer


def test_a_status_has_to_be_given_and_an_eta_goes_another_way() -> None:
    wish: dict[str, Any] = {"EventMilestoneId": "HardwareFulfillment"}
    assert (
        refusal(lambda: set_milestone_status(new_plan(), wish, facts=NONE, now=NOW))[0] == "/MilestoneCompletionStatus"
    )
    wish = {**wish, "MilestoneCompletionStatus": "Blocked", "ETA": "2024-07-01"}
    assert refusal(lambda: set_milestone_status(new_plan(), wish, facts=NONE, now=NOW))[0] == "/ETA"


def test_a_commands_ids_may_stand_in_the_body() -> None:
    plan = put_status(new_plan(), "HardwareFulfillment", "Blocked", EventId="PD2024", FleetId=FLEET_ID)
    assert status(plan, "HardwareFulfillment") == "Blocked"


def test_the_whole_list_is_replaced() -> None:
    plan = put_status(new_plan(), "HardwareFulfillment", "Blocked", MilestoneMessage="a strike")
    body = as_read(plan)
    body["EventMilestone"][2] = {"EventMilestoneId": "HardwareFulfillment", "MilestoneCompletionStatus": "InProgress"}
    body["EventDescaleMilestone"][0]["MilestoneCompletionStatus"] = "Completed"
    plan = put_list(plan, body)
    assert said(plan, "HardwareFulfillment") == ("InProgress", None)
    assert status(plan, "GatherDescaleProjections") == "Completed"
    assert by_id(plan)["HardwareFulfillment"]["ETA"] == "2024-07-06"
    assert by_id(plan)["CommunicateTPMToDownstream"]["Source"] == "Automated"


def test_an_eta_sent_back_as_read_stays_automatic() -> None:
    plan = new_plan()
    body = as_read(plan)
    body["EventMilestone"][0]["MilestoneCompletionStatus"] = "Completed"
    moved = settled(put_list(plan, body), NONE, world=world(event={"peak_start": "2024-07-17"}))
    assert by_id(moved)["GatherProjectionFromUpstream"]["ETA"] == "2024-06-02"


def test_a_parent_may_be_sent_as_read_while_its_subs_change() -> None:
    plan = new_plan()
    body = as_read(plan)
    for sub in body["EventMilestone"][1]["SubMilestones"]:
        sub["MilestoneCompletionStatus"] = "Completed"
    assert status(put_list(plan, body), "HardwareOrder") == "Completed"
    body["EventMilestone"][1]["MilestoneCompletionStatus"] = "Blocked"
    with pytest.raises(RefusedByRule, match="HardwareOrder is Completed"):
        put_list(plan, body)


def _without_one(body: dict[str, Any]) -> None:
    body["EventMilestone"].pop()


def _out_of_order(body: dict[str, Any]) -> None:
    body["EventMilestone"].reverse()


def _unknown_id(body: dict[str, Any]) -> None:
    body["EventMilestone"][0]["EventMilestoneId"] = "BuyHardware"


def _twice(body: dict[str, Any]) -> None:
    body["EventMilestone"].append(body["EventMilestone"][0])


def _without_subs(body: dict[str, Any]) -> None:
    del body["EventMilestone"][1]["SubMilestones"]


def _subs_out_of_order(body: dict[str, Any]) -> None:
    body["EventMilestone"][1]["SubMilestones"].reverse()


def _subs_of_a_leaf(body: dict[str, Any]) -> None:
    body["EventMilestone"][0]["SubMilestones"] = body["EventMilestone"][1]["SubMilestones"]


def _no_list(body: dict[str, Any]) -> None:
    body["EventMilestone"] = {"0": "GatherProjectionFromUpstream"}


def _no_objects(body: dict[str, Any]) -> None:
    body["EventMilestone"] = ["GatherProjectionFromUpstream"]


def _descale_short(body: dict[str, Any]) -> None:
    body["EventDescaleMilestone"].pop()


def _missing(body: dict[str, Any]) -> None:
    del body["EventMilestone"]


def _bad_status(body: dict[str, Any]) -> None:
    body["EventMilestone"][1]["SubMilestones"][1]["MilestoneCompletionStatus"] = "Done"


def _no_status(body: dict[str, Any]) -> None:
    del body["EventMilestone"][4]["MilestoneCompletionStatus"]


def _unknown_member(body: dict[str, Any]) -> None:
    body["EventMilestone"][3]["Colour"] = "Green"


@pytest.mark.parametrize(
    ("spoil", "pointer"),
    [
        (_without_one, "/EventMilestone"),
        (_out_of_order, "/EventMilestone"),
        (_unknown_id, "/EventMilestone"),
        (_twice, "/EventMilestone"),
        (_without_subs, "/EventMilestone/1/SubMilestones"),
        (_subs_out_of_order, "/EventMilestone/1/SubMilestones"),
        (_subs_of_a_leaf, "/EventMilestone/0/SubMilestones"),
        (_no_list, "/EventMilestone"),
        (_no_objects, "/EventMilestone"),
        (_missing, "/EventMilestone"),
        (_descale_short, "/EventDescaleMilestone"),
        (_bad_status, "/EventMilestone/1/SubMilestones/1/MilestoneCompletionStatus"),
        (_no_status, "/EventMilestone/4/MilestoneCompletionStatus"),
        (_unknown_member, "/EventMilestone/3/Colour"),
    ],
)
def test_a_list_must_hold_exactly_the_known_milestones_in_order(
    spoil: Callable[[dict[str, Any]], None], pointer: str
) -> None:
    body = as_read(new_plan())
    spoil(body)
    assert refusal(lambda: put_list(new_plan(), body))[0] == pointer


def test_a_closed_plan_refuses_peoples_changes_saying_why() -> None:
    plan = settled(new_plan(), NONE, world=world(fleet={"region": "us-west-1"}))
    with pytest.raises(RefusedByRule, match="region us-west-1 is not in the RegionList of PD2024") as caught:
        put_status(plan, "HardwareFulfillment", "Completed")
    assert caught.value.slug == "plan-closed"
    with pytest.raises(RefusedByRule):
        put_detail(plan, "HardwareFulfillment", ETA="2024-07-01")
    with pytest.raises(RefusedByRule):
        put_list(plan, as_read(plan))


def test_no_change_touches_the_plan_it_starts_from() -> None:
    plan = settled(new_plan(), sheet(projection(), hardware(1, order())))
    before = stored(plan)
    body = as_read(plan)
    body["EventMilestone"][0]["MilestoneMessage"] = "by hand"
    put_list(plan, body)
    put_status(plan, "PlaceHardwareOrder", "Blocked")
    put_detail(plan, "PlaceDescaleOrder", ETA="2024-08-02")
    assert plan == before


WISHES = st.lists(
    st.tuples(
        st.sampled_from(["PlaceHardwareOrder", "HardwareOrderApproval", "HardwareFulfillment"]),
        st.sampled_from(STATUSES),
    ),
    max_size=6,
)


@given(WISHES)
def test_after_any_changes_the_parent_follows_its_subs(wishes: list[tuple[str, str]]) -> None:
    plan = new_plan()
    for milestone_id, status_ in wishes:
        plan = put_status(plan, milestone_id, status_)
    subs = [status(plan, "PlaceHardwareOrder"), status(plan, "HardwareOrderApproval")]
    assert status(plan, "HardwareOrder") == roll_up(subs)
