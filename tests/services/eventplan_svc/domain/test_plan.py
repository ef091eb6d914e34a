from __future__ import annotations

from typing import Any

import pytest

from services.eventplan_svc.domain.changes import set_milestone, set_milestone_status
from services.eventplan_svc.domain.errors import RefusedByRule
from services.eventplan_svc.domain.facts import FactSheet
from services.eventplan_svc.domain.milestones import by_id
from services.eventplan_svc.domain.plan import (
    closing_reason,
    initial_plan,
    is_due,
    plan_template,
    refuse_creation_by_hand,
    settle,
    shown,
)
from services.eventplan_svc.domain.surroundings import Event, Fleet, Service, Surroundings
from shared.schemas.eventplan_svc import EventPlan
from tests.services.eventplan_svc.domain.sample import (
    EVENT,
    FLEET,
    MAY_1,
    SERVICE,
    WORLD,
    at,
    hardware,
    new_plan,
    order,
    said,
    settled,
    sheet,
    status,
    stored,
    world,
)

NONE = FactSheet()


def test_a_new_plan_is_the_references_document_with_nothing_started() -> None:
    plan = shown(new_plan(), MAY_1)
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
    facts = sheet(hardware(1, order()))
    plan = new_plan(facts)
    assert said(plan, "PlaceHardwareOrder") == ("Completed", "20 hosts ordered via HOTW")
    assert settle(plan, WORLD, facts, MAY_1) is None


def test_plans_of_one_template_do_not_disturb_each_other() -> None:
    template = plan_template(EVENT, MAY_1)
    one = initial_plan(template, WORLD, NONE, MAY_1)
    other = initial_plan(template, world(fleet={"fleet_id": "FORTRESSService-NA-X6"}), NONE, MAY_1)
    wish = {"EventMilestoneId": "PlaceHardwareOrder", "MilestoneCompletionStatus": "Completed"}
    set_milestone_status(one, wish, facts=NONE, now=MAY_1)
    assert status(other, "PlaceHardwareOrder") == status(one, "PlaceHardwareOrder") == "NotStarted"
    assert other["EventPlanId"] == "PD2024#FORTRESSService-NA-X6"


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
    around = world(**changes)
    assert is_due(around.event, around.fleet, around.service, "2024-05-01") is due


def test_no_plan_is_due_for_a_service_nobody_created() -> None:
    assert not is_due(EVENT, FLEET, None, "2024-05-01")


def test_no_plan_is_due_once_the_peaks_last_day_is_over() -> None:
    assert is_due(EVENT, FLEET, SERVICE, "2024-07-17")
    assert not is_due(EVENT, FLEET, SERVICE, "2024-07-18")


def test_making_a_plan_by_hand_is_refused_for_a_service_deleted_or_not_registered() -> None:
    refuse_creation_by_hand("FORTRESSService", SERVICE)
    for service, slug in (
        (None, "service-deleted"),
        (world(service={"deleted": True}).service, "service-deleted"),
        (world(service={"registered": False}).service, "service-not-registered"),
    ):
        with pytest.raises(RefusedByRule) as caught:
            refuse_creation_by_hand("FORTRESSService", service)
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
    around = world(**changes)
    assert closing_reason(around) == reason
    plan = settled(new_plan(), NONE, world=around, now=at("05-02"))
    assert plan.get("Closed") == (reason and {"Reason": reason, "Since": "2024-05-02T09:00:00.000Z"})
    assert new_plan(world=around).get("Closed", {}).get("Reason") == reason


def test_a_plan_closes_when_its_fleet_moves_to_a_service_nobody_created() -> None:
    around = Surroundings(EVENT, world(fleet={"service_id": "Ghost"}).fleet, None)
    plan = settled(new_plan(), NONE, world=around)
    assert plan["ServiceId"] == "Ghost"
    assert plan["Closed"]["Reason"] == "service Ghost was never created"


def test_a_plan_reopens_when_the_cause_goes() -> None:
    closed = settled(new_plan(), NONE, world=world(event={"active": False}))
    revision = settle(closed, WORLD, NONE, at("05-03"))
    assert revision is not None
    assert "Closed" not in revision.plan
    assert (revision.user, revision.message) == ("EPICAutomation", "Reopened")


def test_a_closed_plan_keeps_since_when_another_reason_takes_over() -> None:
    closed = settled(new_plan(), NONE, world=world(fleet={"region": "us-west-1"}), now=at("05-02"))
    closed = settled(closed, NONE, world=world(event={"active": False}), now=at("05-09"))
    assert closed["Closed"] == {"Reason": "event PD2024 is not active", "Since": "2024-05-02T09:00:00.000Z"}


def test_a_closed_plan_goes_on_taking_facts() -> None:
    inactive = world(event={"active": False})
    closed = settled(new_plan(), NONE, world=inactive)
    taken = settled(closed, sheet(hardware(1, order())), world=inactive)
    assert status(taken, "PlaceHardwareOrder") == "Completed"
    assert taken["Closed"] == closed["Closed"]


def test_a_plan_that_is_as_it_should_be_is_not_written() -> None:
    assert settle(new_plan(), WORLD, NONE, at("05-02")) is None


def test_moved_dates_move_every_eta_nobody_set_by_hand() -> None:
    wish = {"EventMilestoneId": "HardwareFulfillment", "ETA": "2024-07-05"}
    plan = stored(set_milestone(new_plan(), wish, facts=NONE, now=MAY_1))
    later = world(event={"peak_start": "2024-07-23", "peak_end": "2024-07-24"})
    revision = settle(plan, later, NONE, at("05-02"))
    assert revision is not None
    assert (revision.user, revision.message) == ("EPICAutomation", "Event dates moved")
    etas = {name: milestone.get("ETA") for name, milestone in by_id(revision.plan).items()}
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
    assert all(milestone["Source"] == "Automated" for milestone in by_id(revision.plan).values())
    assert settle(stored(revision.plan), later, NONE, at("05-03")) is None


def test_snapshots_of_the_three_sides_are_read_with_their_defaults() -> None:
    event = Event.from_snapshot(
        {
            "EventId": "PD2024",
            "PeakStartDate": "2024-07-16",
            "PeakEndDate": "2024-07-17",
            "RegionList": ["us-east-1", "eu-west-1"],
            "VersionId": 2,
            "AuditMetadata": {"Timestamp": "2024-05-01T00:00:00Z"},
        }
    )
    assert event == Event(
        "PD2024", "2024-07-16", "2024-07-17", ("us-east-1", "eu-west-1"), True, False, "2024-05-01T00:00:00.000Z"
    )
    fleet = {"FleetId": "F", "ServiceId": "S", "FleetConfiguration": {"Region": "us-east-1"}, "Deleted": True}
    assert Fleet.from_snapshot(fleet) == Fleet("F", "S", "us-east-1", deleted=True)
    service = {"ServiceId": "S", "ServiceType": "Onboarding", "Owner": "o@amazon.com"}
    assert Service.from_snapshot(service) == Service("S", "o@amazon.com", None, registered=False, deleted=False)
