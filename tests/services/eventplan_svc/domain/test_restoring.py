"""A plan is made what a former version holds: what a person may set, and by the rules of a change (3.20 to 3.20c)."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.eventplan_svc.domain.changes import restore_milestones
from services.eventplan_svc.domain.facts import NO_FACTS, Facts
from services.eventplan_svc.domain.milestones import ALL_UPSCALE_IDS, DESCALE_IDS, PARENT_OF, SUB_IDS
from services.eventplan_svc.domain.plan import Plan
from shared.errors import Conflict
from shared.schemas.eventplan_svc import MilestoneId, MilestoneStatus
from tests.support import plans
from tests.support.plans import a_plan, at, facts, hardware, inputs, order, projection, refresh, state, stored

NOW = at("06-20")
put_status = partial(plans.put_status, now=NOW)
put_details = partial(plans.put_details, now=NOW)
FULFILLMENT = "HardwareFulfillment"


def restored(plan: Plan, former: Plan, known: Facts = NO_FACTS, day: str = "06-21") -> Plan:
    return stored(restore_milestones(plan, stored(former), known, at(day)))


def settable(plan: Plan) -> list[tuple[str, str | None, str | None]]:
    return [(one.status, one.message, one.eta) for one in plan.all_milestones()]


Wish = tuple[MilestoneId, MilestoneStatus, str | None, str | None]
LEAVES = [name for name in (*ALL_UPSCALE_IDS, *DESCALE_IDS) if name not in SUB_IDS]
WISHES = st.lists(
    st.tuples(
        st.sampled_from(LEAVES),
        st.sampled_from(MilestoneStatus),
        st.none() | st.sampled_from(["soon", "late"]),
        st.none() | st.sampled_from(["2024-07-01", "2024-07-20"]),
    ),
    max_size=5,
)


def after(plan: Plan, wishes: list[Wish]) -> Plan:
    for name, status, message, eta in wishes:
        plan = put_status(plan, name, status, MilestoneMessage=message)
        if name not in PARENT_OF:
            plan = put_details(plan, name, ETA=eta)
    return plan


@given(WISHES, WISHES)
def test_whatever_was_changed_what_a_person_may_set_is_the_former_versions_3_20c(
    before: list[Wish], since: list[Wish]
) -> None:
    """Descale milestones and subs included; whose an ETA is comes back as well."""
    former = after(a_plan(), before)
    plan = restored(after(former, since), former)
    assert settable(plan) == settable(former)
    assert plan.automation.hand_etas == former.automation.hand_etas
    assert restored(plan, former) == plan, "a second time it changes nothing"


def test_who_wrote_it_and_when_are_not_restored_3_20a() -> None:
    former = refresh(a_plan(), facts(projection()), now=at("05-20"))
    assert former.milestones[0].source == "Automated"
    plan = restored(put_status(former, "GatherProjectionFromUpstream", "Blocked"), former)
    milestone = plan.milestones[0]
    assert (milestone.status, milestone.message) == ("Completed", "All upstream projections verified")
    assert (milestone.source, milestone.last_updated) == ("Human", "2024-06-21T09:00:00.000Z")
    assert milestone.colour == "Green"
    assert plan.milestones[1:] == former.milestones[1:], "what was not changed is not written"


def test_an_eta_that_nobody_had_set_follows_the_event_as_it_is_now_6_5_1() -> None:
    former = put_details(a_plan(), FULFILLMENT, ETA="2024-07-01")
    moved = inputs(event={"peak_start": "2024-08-16", "peak_end": "2024-08-17"})
    present = put_details(refresh(former, of=moved), "UpdateThrottlingInSDC", ETA="2024-08-01")
    plan = restored(put_details(present, FULFILLMENT, ETA=None), former)
    etas = {one.id.value: one.eta for one in plan.all_milestones()}
    assert etas[FULFILLMENT] == "2024-07-01", "set by hand in that version"
    assert etas["UpdateThrottlingInSDC"] == "2024-08-09"
    assert etas["GatherProjectionFromUpstream"] == "2024-07-02"
    assert plan.automation.hand_etas == {FULFILLMENT}


def test_event_service_hosts_and_closing_stay_as_they_are_3_20a() -> None:
    former = a_plan()
    present = replace(put_status(former, FULFILLMENT, "InProgress"), service_id="Other", hosts_missing=7)
    plan = restored(present, former)
    assert (plan.service_id, plan.hosts_missing, plan.closed) == ("Other", 7, None)


def test_a_closed_plan_is_not_restored_6_1_30() -> None:
    former = a_plan()
    closed = refresh(put_status(former, FULFILLMENT, "Blocked"), of=inputs(fleet={"region": "us-west-1"}))
    with pytest.raises(Conflict) as caught:
        restored(closed, former)
    assert caught.value.slug == "plan-closed"


def test_a_plan_that_was_closed_in_that_version_stays_open() -> None:
    """Closing is automation's, by what is so now (6.1.20, 6.1.26)."""
    former = refresh(a_plan(), of=inputs(fleet={"region": "us-west-1"}))
    assert former.closed is not None
    present = put_status(refresh(former), FULFILLMENT, "Blocked")
    plan = restored(present, former)
    assert (plan.closed, state(plan, FULFILLMENT)) == (None, ("NotStarted", None))


def test_automation_writes_a_restored_milestone_only_by_newer_facts() -> None:
    """6.4: restoring is a person's change."""
    known = facts(hardware(1, order(), when="06-15"))
    former = refresh(a_plan(), known, now=at("06-15"))
    plan = restored(put_status(former, "HardwareOrderApproval", "Blocked"), former, known)
    assert state(refresh(plan, known, now=at("06-22")), "HardwareOrderApproval") == state(
        former, "HardwareOrderApproval"
    )
    newer = facts(hardware(2, order("Rejected"), when="06-23"))
    assert state(refresh(plan, newer, now=at("06-23")), "HardwareOrderApproval") != state(plan, "HardwareOrderApproval")


def test_a_restored_completion_holds_for_the_tpm_of_now_6_4_53() -> None:
    """As any person's: what the former version was completed for does not come back (6.4.55)."""
    first = facts(projection(1, tpm=50_000))
    former = plans.put_status(a_plan(), "UpdateThrottlingInSDC", "Completed", known=first, now=at("06-01"))
    second = facts(projection(2, tpm=60_000, when="06-10"))
    fallen = refresh(stored(former), second, now=at("06-10"))
    assert state(fallen, "UpdateThrottlingInSDC")[0] != "Completed"
    plan = restored(fallen, former, second)
    assert state(refresh(plan, second, now=at("06-22")), "UpdateThrottlingInSDC")[0] == "Completed"
