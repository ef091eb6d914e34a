from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from services.eventplan_svc.app.plan_codec import decode_plan, encode_plan
from services.eventplan_svc.domain.inputs import Event, Fleet, PlanInputs, Service
from services.eventplan_svc.domain.lifecycle import (
    check_creation_by_hand,
    closing_reason,
    new_plan,
    plan_template,
    refreshed,
)
from services.eventplan_svc.domain.milestones import DESCALE_IDS, SUB_IDS, UPSCALE_IDS
from services.eventplan_svc.domain.plan import Closed
from shared.errors import Conflict
from shared.schemas.event_svc.event import EventSnapshot
from shared.schemas.eventplan_svc import EventPlan, MilestoneId
from shared.schemas.fleet_svc.fleet import FleetSnapshot
from shared.schemas.fleet_svc.service import ServiceSnapshot
from tests.support.plans import (
    EVENT,
    FLEET,
    FLEET_ID,
    INPUTS,
    MAY_1,
    a_plan,
    at,
    facts,
    hardware,
    inputs,
    order,
    put_details,
    put_status,
    refresh,
    state,
    status,
    stored,
)


def test_a_new_plan_is_the_references_document_with_nothing_started() -> None:
    plan = {name: value for name, value in encode_plan(a_plan()).items() if name != "_Automation"}
    assert {member: plan[member] for member in ("EventPlanId", "FleetId", "EventId", "ServiceId")} == {
        "EventPlanId": "PD2024#FORTRESSService-NA-X0",
        "FleetId": "FORTRESSService-NA-X0",
        "EventId": "PD2024",
        "ServiceId": "FORTRESSService",
    }
    assert plan["PeakReadyStatus"] == "Red"
    assert plan["EventMilestone"][3] == {
        "EventMilestoneId": "CommunicateTPMToDownstream",
        "MilestoneCompletionStatus": "NotStarted",
        "PeakReadyStatus": "Red",
        "ETA": "2024-07-02",
        "Source": "Automated",
    }
    assert EventPlan.model_validate(plan).wire() == plan


def test_a_new_plan_has_its_milestones_computed_from_the_facts_that_came_before_it() -> None:
    known = facts(hardware(1, order()))
    plan = a_plan(known)
    assert state(plan, "PlaceHardwareOrder") == ("Completed", "20 hosts ordered via HOTW")
    assert refreshed(plan, replace(INPUTS, facts=known), MAY_1) is None


def test_plans_of_one_template_do_not_disturb_each_other() -> None:
    template = plan_template(EVENT, MAY_1)
    one = new_plan(template, INPUTS, MAY_1)
    other = new_plan(template, inputs(fleet={"fleet_id": "FORTRESSService-NA-X6"}), MAY_1)
    put_status(one, "PlaceHardwareOrder", "Completed")
    assert status(other, "PlaceHardwareOrder") == status(one, "PlaceHardwareOrder") == "NotStarted"
    assert other.id == "PD2024#FORTRESSService-NA-X6"


@pytest.mark.parametrize(
    ("changes", "due"),
    [
        ({}, True),
        ({"fleet": {"region": "ap-south-1"}}, True),
        ({"event": {"active": False}}, False),
        ({"event": {"deleted": True}}, False),
        ({"fleet": {"deleted": True}}, False),
        ({"service": {"deleted": True}}, False),
        ({"service": {"registered": False}}, False),
    ],
)
def test_a_plan_is_due_for_a_registered_service_and_an_active_event(changes: dict[str, Any], due: bool) -> None:
    assert inputs(**changes).is_due("2024-05-01") is due


def test_no_plan_is_due_for_a_service_nobody_created() -> None:
    assert not PlanInputs(EVENT, FLEET, None).is_due("2024-05-01")


def test_no_plan_is_due_once_the_peaks_last_day_is_over() -> None:
    assert INPUTS.is_due("2024-07-17")
    assert not INPUTS.is_due("2024-07-18")


def test_making_a_plan_by_hand_is_refused_where_automation_would_make_none() -> None:
    """6.1.18 to 6.1.19b."""
    check_creation_by_hand(INPUTS, "2024-07-17")
    for refused, today, slug in (
        (PlanInputs(EVENT, FLEET, None), "2024-05-01", "service-deleted"),
        (inputs(service={"deleted": True}), "2024-05-01", "service-deleted"),
        (inputs(service={"registered": False}), "2024-05-01", "service-not-registered"),
        (inputs(event={"active": False}), "2024-05-01", "event-inactive"),
        (INPUTS, "2024-07-18", "peak-over"),
    ):
        with pytest.raises(Conflict) as caught:
            check_creation_by_hand(refused, today)
        assert (caught.value.slug, caught.value.status) == (slug, 409)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({}, None),
        ({"event": {"deleted": True, "active": False}}, "event PD2024 is deleted"),
        ({"event": {"active": False}}, "event PD2024 is not active"),
        ({"fleet": {"deleted": True}}, "fleet FORTRESSService-NA-X0 is deleted"),
        ({"service": {"deleted": True}}, "service FORTRESSService is deleted"),
        ({"service": {"registered": False}}, "service FORTRESSService is not Registered"),
        ({"fleet": {"region": "us-west-1"}}, "region us-west-1 is not in the RegionList of PD2024"),
    ],
)
def test_a_plan_closes_with_the_reason(changes: dict[str, Any], reason: str | None) -> None:
    changed = inputs(**changes)
    assert closing_reason(changed) == reason
    plan = refresh(a_plan(), of=changed, now=at("05-02"))
    assert plan.closed == (Closed(reason, "2024-05-02T09:00:00.000Z") if reason else None)
    closed = a_plan(of=changed).closed
    assert (closed and closed.reason) == reason


def test_a_plan_closes_when_its_fleet_moves_to_a_service_nobody_created() -> None:
    plan = refresh(a_plan(), of=PlanInputs(EVENT, inputs(fleet={"service_id": "Ghost"}).fleet, None))
    assert plan.service_id == "Ghost"
    assert plan.closed
    assert plan.closed.reason == "service Ghost was never created"


def test_a_plan_reopens_when_the_cause_goes() -> None:
    closed = refresh(a_plan(), of=inputs(event={"active": False}))
    revision = refreshed(closed, INPUTS, at("05-03"))
    assert revision is not None
    assert revision.plan.closed is None
    assert (revision.user, revision.message) == ("EPICAutomation", "Reopened")


def test_a_closed_plan_keeps_since_when_another_reason_takes_over() -> None:
    closed = refresh(a_plan(), of=inputs(fleet={"region": "us-west-1"}), now=at("05-02"))
    closed = refresh(closed, of=inputs(event={"active": False}), now=at("05-09"))
    assert closed.closed == Closed("event PD2024 is not active", "2024-05-02T09:00:00.000Z")


def test_a_closed_plan_goes_on_taking_facts() -> None:
    inactive = inputs(event={"active": False})
    closed = refresh(a_plan(), of=inactive)
    taken = refresh(closed, facts(hardware(1, order())), of=inactive)
    assert status(taken, "PlaceHardwareOrder") == "Completed"
    assert taken.closed == closed.closed


def test_a_plan_that_is_as_it_should_be_is_not_written() -> None:
    assert refreshed(a_plan(), INPUTS, at("05-02")) is None


def test_moved_dates_move_every_eta_nobody_set_by_hand() -> None:
    plan = stored(put_details(a_plan(), "HardwareFulfillment", ETA="2024-07-05"))
    later = inputs(event={"peak_start": "2024-07-23", "peak_end": "2024-07-24"})
    revision = refreshed(plan, later, at("05-02"))
    assert revision is not None
    assert (revision.user, revision.message) == ("EPICAutomation", "Event dates moved")
    etas = {milestone.id: milestone.eta for milestone in revision.plan.all_milestones()}
    assert etas == {
        "GatherProjectionFromUpstream": "2024-06-08",
        "HardwareOrder": "2024-06-23",
        "PlaceHardwareOrder": None,
        "HardwareOrderApproval": None,
        "HardwareFulfillment": "2024-07-05",
        "CommunicateTPMToDownstream": "2024-07-09",
        "UpdateThrottlingInSDC": "2024-07-16",
        "GatherDescaleProjections": "2024-07-27",
        "PlaceDescaleOrder": "2024-07-29",
        "DescaleFulfillment": "2024-08-07",
        "RestoreThrottling": "2024-08-07",
    }
    assert all(milestone.source == "Automated" for milestone in revision.plan.all_milestones())
    assert refreshed(stored(revision.plan), later, at("05-03")) is None


_OWN_DAYS = ((MilestoneId.HARDWARE_ORDER, 40), (MilestoneId.HARDWARE_FULFILLMENT, 12))


def test_a_new_plan_takes_the_days_of_its_event() -> None:
    """6.1.7."""
    plan = a_plan(of=inputs(event={"own_days": _OWN_DAYS}))
    etas = {milestone.id: milestone.eta for milestone in plan.milestones}
    assert (etas[MilestoneId.HARDWARE_ORDER], etas[MilestoneId.HARDWARE_FULFILLMENT]) == ("2024-06-06", "2024-07-04")
    assert etas[MilestoneId.UPDATE_THROTTLING] == "2024-07-09"
    assert refreshed(plan, inputs(event={"own_days": _OWN_DAYS}), MAY_1) is None


def test_other_days_of_an_event_move_the_etas_that_nobody_set() -> None:
    """6.5.1 to 6.5.3."""
    plan = put_details(a_plan(), "HardwareFulfillment", ETA="2024-07-01")
    later = inputs(event={"version": 2, "own_days": _OWN_DAYS})
    revision = refreshed(plan, later, at("05-02"))
    assert revision is not None
    assert revision.message == "Event's milestones are due on other days"
    etas = {milestone.id: milestone.eta for milestone in revision.plan.milestones}
    assert etas[MilestoneId.HARDWARE_ORDER] == "2024-06-06"
    assert etas[MilestoneId.HARDWARE_FULFILLMENT] == "2024-07-01", "set by hand"
    assert revision.plan.automation.peak_moved_at == "", "no date moved"
    moved = stored(revision.plan)
    assert refreshed(moved, later, at("05-03")) is None
    freed = put_details(moved, "HardwareFulfillment", ETA=None)
    assert freed.milestone(MilestoneId.HARDWARE_FULFILLMENT).eta == "2024-07-04"
    back = refresh(freed, of=inputs(event={"version": 3}))
    assert back.milestone(MilestoneId.HARDWARE_FULFILLMENT).eta == "2024-07-06"


def test_days_that_are_the_default_are_no_change() -> None:
    days = [{"EventMilestoneId": "UpdateThrottlingInSDC", "DaysBeforePeak": 7}]
    days += [{"EventMilestoneId": name.value, "DaysBeforePeak": number} for name, number in reversed(_OWN_DAYS)]
    event = EventSnapshot.model_validate(
        {
            "EventId": "PD2024",
            "EventName": "Prime Day",
            "PeakStartDate": "2024-07-16",
            "PeakEndDate": "2024-07-17",
            "RegionList": ["us-east-1"],
            "Milestones": days,
            "VersionId": 2,
            "AuditMetadata": {},
        }
    )
    assert set(Event.of(event).own_days) == set(_OWN_DAYS)
    assert Event.of(event).own_days == tuple(sorted(_OWN_DAYS))


def test_snapshots_of_the_three_sides_are_read_with_their_defaults() -> None:
    audit = {"Timestamp": "2024-05-01T00:00:00Z"}
    event = EventSnapshot.model_validate(
        {
            "EventId": "PD2024",
            "EventName": "Prime Day",
            "PeakStartDate": "2024-07-16",
            "PeakEndDate": "2024-07-17",
            "RegionList": ["us-east-1", "eu-west-1"],
            "VersionId": 2,
            "AuditMetadata": audit,
        }
    )
    assert Event.of(event) == replace(EVENT, version=2, changed_at="2024-05-01T00:00:00.000Z")
    fleet = FleetSnapshot.model_validate(
        {
            "FleetId": FLEET_ID,
            "ServiceId": "S",
            "FleetConfiguration": {"Region": "us-east-1", "HostThroughPutTPM": 250},
            "VersionId": 3,
            "Deleted": True,
            "AuditMetadata": audit,
        }
    )
    read = Fleet(FLEET_ID, 3, "S", "us-east-1", deleted=True, changed_at="2024-05-01T00:00:00.000Z")
    assert Fleet.of(fleet) == read
    service = ServiceSnapshot.model_validate(
        {"ServiceId": "S", "ServiceType": "Onboarding", "Owner": "o@amazon.com", "VersionId": 1, "AuditMetadata": audit}
    )
    assert Service.of(service) == Service("S", 1, "o@amazon.com", None, registered=False, deleted=False)


@pytest.mark.parametrize("left_out", [*UPSCALE_IDS, *DESCALE_IDS, *SUB_IDS])
def test_a_milestone_newer_than_the_stored_plan_is_one_that_nobody_touched(left_out: MilestoneId) -> None:
    plan = put_status(a_plan(), "UpdateThrottlingInSDC", "InProgress", now=at("05-02"))
    older = encode_plan(plan)
    for member in ("EventMilestone", "EventDescaleMilestone"):
        older[member] = [one for one in older[member] if one["EventMilestoneId"] != left_out]
    fresh = {one.id: one for one in (*a_plan().milestones, *a_plan().descale_milestones)}
    read = decode_plan(older)
    for before, after in zip(
        (*plan.milestones, *plan.descale_milestones), (*read.milestones, *read.descale_milestones), strict=True
    ):
        expected = replace(fresh[left_out], colour=None) if before.id == left_out else before
        assert replace(after, colour=None) == replace(expected, colour=None)


def test_subs_newer_than_the_stored_plan_are_not_started() -> None:
    older = encode_plan(a_plan())
    for milestone in older["EventMilestone"]:
        milestone.pop("SubMilestones", None)
    assert decode_plan(older) == a_plan()
