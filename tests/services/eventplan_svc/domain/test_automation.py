from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from services.eventplan_svc.app.plan_codec import encode_plan
from services.eventplan_svc.domain.facts import Projection
from services.eventplan_svc.domain.milestones import utc_day
from services.eventplan_svc.domain.readiness import coloured
from shared.schemas.eventplan_svc import EventPlan, MilestoneId
from tests.support.plans import (
    FLEET_ID,
    FULFILLMENT,
    GATHER,
    THROTTLING,
    a_plan,
    at,
    by_hand,
    downstream,
    facts,
    hardware,
    inputs,
    order,
    projection,
    put_details,
    refresh,
    revision,
    state,
    status,
)
from tests.support.reference import PLAN


def test_the_references_plan_comes_out_of_its_facts() -> None:
    orders = [order("Fulfilled", hosts, number=n) for n, hosts in enumerate((20, 15, 10), 1)]
    known = facts(projection(3), hardware(8, *orders, order("Approved", 5, number=4)), downstream("CheckoutService"))
    plan = encode_plan(coloured(refresh(a_plan(), known, now=at("06-15")), utc_day(at("06-15"))))
    assert plan["EventPlanId"] == f"PD2024#{FLEET_ID}"
    members = ("EventMilestoneId", "MilestoneCompletionStatus", "MilestoneMessage", "PeakReadyStatus", "SubMilestones")

    def as_there(milestones: list[dict[str, Any]]) -> list[dict[str, Any]]:
        kept = [{member: one[member] for member in members if member in one} for one in milestones]
        return [
            {**one, "SubMilestones": as_there(one["SubMilestones"])} if "SubMilestones" in one else one for one in kept
        ]

    assert as_there(plan["EventMilestone"]) == as_there(PLAN["EventMilestone"])
    assert plan["EventMilestone"][0]["ETA"] == "2024-06-01"
    assert EventPlan.model_validate(plan, extra="ignore").wire()["EventMilestone"] == plan["EventMilestone"]


def test_a_projection_that_somebody_has_yet_to_verify_waits_for_them_by_name() -> None:
    plan = refresh(a_plan(), facts(projection(owner=False, upstream=False)))
    assert state(plan, GATHER) == ("PendingOnServiceOwner", "Not verified yet by the owner, OrderService")


def test_a_projection_without_upstreams_needs_its_owner_only() -> None:
    plan = refresh(a_plan(), facts(projection(upstream=None)))
    assert state(plan, GATHER) == ("Completed", "All upstream projections verified")


def test_a_deleted_projection_is_to_be_gathered_anew() -> None:
    plan = refresh(a_plan(), facts(projection(1)))
    assert state(refresh(plan, facts(projection(2, deleted=True))), GATHER) == ("NotStarted", None)


def test_hotw_signs_hardware_milestones_and_epic_the_others() -> None:
    placed = revision(a_plan(), facts(hardware(1, order("Pending"))))
    assert placed is not None
    assert (placed.user, placed.message) == ("HOTWAutomation", "HOTW placed hardware order")
    verified = revision(a_plan(), facts(projection()))
    assert verified is not None
    written = "GatherProjectionFromUpstream Completed, CommunicateTPMToDownstream Completed"
    assert (verified.user, verified.message) == ("EPICAutomation", written)


def test_every_milestone_keeps_who_wrote_it_and_when() -> None:
    plan = refresh(a_plan(), facts(hardware(1, order("Pending"))), now=at("06-15"))
    milestone = plan.milestone(MilestoneId("PlaceHardwareOrder"))
    assert (milestone.source, milestone.last_updated) == ("Automated", "2024-06-15T09:00:00.000Z")
    plan = by_hand(plan, "PlaceHardwareOrder", "Blocked", "06-16")
    milestone = plan.milestone(MilestoneId("PlaceHardwareOrder"))
    assert (milestone.source, milestone.last_updated) == ("Human", "2024-06-16T09:00:00.000Z")
    assert status(plan, "HardwareOrder") == "Blocked"


def test_the_same_facts_again_change_nothing() -> None:
    known = facts(projection(), hardware(1, order("Pending")))
    plan = refresh(a_plan(), known)
    assert revision(plan, known, "05-02") is None


def test_a_fact_that_says_the_same_again_undoes_no_persons_change() -> None:
    plan = refresh(a_plan(), facts(hardware(1, order("Pending"), when="06-10")))
    plan = by_hand(plan, FULFILLMENT, "Completed", "06-11")
    plan = refresh(plan, facts(hardware(2, order("Approved"), when="06-12")))
    assert status(plan, FULFILLMENT) == "Completed"
    assert status(plan, "HardwareOrderApproval") == "Completed"


def test_a_newer_fact_that_says_something_else_prevails_over_a_person() -> None:
    plan = refresh(a_plan(), facts(hardware(1, order(number=1), order(number=2), when="06-10")))
    plan = by_hand(plan, FULFILLMENT, "Completed", "06-11")
    plan = refresh(plan, facts(hardware(2, order("Fulfilled", number=1), order(number=2), when="06-12")))
    assert state(plan, FULFILLMENT) == ("InProgress", "1 of 2 orders pending")


def test_a_fact_older_than_a_persons_change_leaves_it_and_changes_nothing_later() -> None:
    plan = by_hand(a_plan(), FULFILLMENT, "Completed", "06-11")
    plan = refresh(plan, facts(hardware(1, order(), when="06-10")))
    assert status(plan, FULFILLMENT) == "Completed"
    assert status(plan, "PlaceHardwareOrder") == "Completed"
    plan = refresh(plan, facts(hardware(2, order(hosts=30), when="06-12")))
    assert status(plan, FULFILLMENT) == "Completed"


def test_an_eta_a_person_moves_does_not_make_the_milestone_theirs() -> None:
    plan = put_details(a_plan(), FULFILLMENT, ETA="2024-07-01", now=at("06-20"))
    plan = refresh(plan, facts(hardware(1, order(), when="06-10")))
    assert state(plan, FULFILLMENT) == ("InProgress", "1 of 1 orders pending")
    assert plan.milestone(MilestoneId(FULFILLMENT)).eta == "2024-07-01"


def test_what_was_derived_is_remembered_through_a_persons_put() -> None:
    plan = refresh(a_plan(), facts(projection()))
    after = by_hand(plan, THROTTLING, "InProgress", "06-01")
    assert after.automation.derived == plan.automation.derived


def test_moved_dates_derive_the_hardware_milestones_anew() -> None:
    known = facts(hardware(1, order(FulfillmentDate="2024-07-10")))
    plan = refresh(a_plan(), known)
    assert status(plan, FULFILLMENT) == "InProgress"
    sooner = inputs(
        event={"peak_start": "2024-07-09", "peak_end": "2024-07-10", "changed_at": "2024-06-20T00:00:00.000Z"}
    )
    plan = refresh(plan, known, of=sooner)
    assert state(plan, FULFILLMENT) == ("Blocked", "arrives after the peak")
    assert status(refresh(plan, known), FULFILLMENT) == "InProgress"


def test_moved_dates_are_newer_than_a_person_who_spoke_before_them() -> None:
    known = facts(hardware(1, order(FulfillmentDate="2024-07-10"), when="06-10"))
    plan = by_hand(refresh(a_plan(), known), FULFILLMENT, "Completed", "06-15")
    sooner = inputs(event={"peak_start": "2024-07-09", "changed_at": "2024-06-20T00:00:00.000Z"})
    assert status(refresh(plan, known, of=sooner), FULFILLMENT) == "Blocked"
    earlier = inputs(event={"peak_start": "2024-07-09", "changed_at": "2024-06-12T00:00:00.000Z"})
    assert status(refresh(plan, known, of=earlier), FULFILLMENT) == "Completed"


@given(st.permutations(("first", "second", "person")), st.tuples(st.booleans(), st.booleans(), st.booleans()))
def test_facts_that_come_late_leave_a_persons_change_as_if_in_time(
    arrivals: list[str], verified: tuple[bool, bool, bool]
) -> None:
    first, second = projection(1, owner=verified[0], when="05-10"), projection(2, owner=verified[1], when="05-20")
    last = projection(3, owner=verified[2], when="06-05")

    def played(steps: list[str]) -> tuple[str, str]:
        plan, arrived = a_plan(), list[Projection]()
        for step in [*steps, "last"]:
            if step == "person":
                plan = by_hand(plan, GATHER, "Blocked", "06-01")
                continue
            arrived.append({"first": first, "second": second, "last": last}[step])
            plan = refresh(plan, facts(*arrived))
        milestone = plan.milestone(MilestoneId(GATHER))
        return milestone.status, milestone.source

    assert played(arrivals) == played(["first", "second", "person"])
