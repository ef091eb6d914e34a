from __future__ import annotations

from typing import Any

import pytest

from shared.errors import BadInput, Conflict, NotFound, Refused, Stale
from tests.support.clock import FixedClock
from tests.support.eventplan_processes import Process, Published, state
from tests.support.snapshots import TopicBody, event, fleet, projection, service

pytestmark = pytest.mark.slow

FLEET_ID = "FORTRESSService-NA-X0"
THE_THREE = (event(), fleet(), service())
BY_HAND = {"EventId": "PD2024", "FleetId": FLEET_ID}
DONE = {"EventMilestoneId": "UpdateThrottlingInSDC", "MilestoneCompletionStatus": "Completed"}


async def test_a_person_makes_a_plan_that_automation_has_not_made(process: Process, published: Published) -> None:
    await process.know(*THE_THREE)
    await process.take(projection())
    written = await process.create_plan({**BY_HAND, "EventPlanId": f"PD2024#{FLEET_ID}"})
    assert written.document.key == f"PD2024#{FLEET_ID}"
    plan = await process.plan()
    assert (plan["VersionId"], plan["AuditMetadata"]["User"]) == (1, "somebody")
    assert state(plan, "GatherProjectionFromUpstream")[0] == "Completed"
    assert [message.type for message in await published()] == ["eventplan.created"]


@pytest.mark.parametrize(
    ("known", "refusal", "slug"),
    [
        ((fleet(), service()), NotFound, "not-found"),
        ((event(), service()), NotFound, "not-found"),
        ((event(), fleet(version=2, deleted=True), service()), NotFound, "not-found"),
        ((event(version=2, deleted=True), fleet(), service()), NotFound, "not-found"),
        ((event(), fleet()), Conflict, "service-deleted"),
        ((event(), fleet(), service(version=2, deleted=True)), Conflict, "service-deleted"),
        ((event(), fleet(), service(ServiceType="Onboarding")), Conflict, "service-not-registered"),
        ((event(active=False), fleet(), service()), Conflict, "event-inactive"),
        ((event(start="2024-04-29", end="2024-04-30"), fleet(), service()), Conflict, "peak-over"),
    ],
)
async def test_a_plan_by_hand_is_refused(
    process: Process, known: tuple[TopicBody, ...], refusal: type[Refused], slug: str
) -> None:
    """6.1.15 to 6.1.19b."""
    await process.know(*known)
    with pytest.raises(refusal) as refused:
        await process.create_plan(BY_HAND)
    assert refused.value.slug == slug


async def test_a_plan_outside_the_events_regions_is_made_closed(process: Process) -> None:
    """6.1.19c; on the last day the peak is not past."""
    await process.know(event(start="2024-05-01", end="2024-05-01"), fleet(region="us-west-1"), service())
    written = await process.create_plan(BY_HAND)
    reason = "region us-west-1 is not in the RegionList of PD2024"
    assert written.document.state["Closed"] == {"Reason": reason, "Since": "2024-05-01T09:00:00.000Z"}


async def test_a_plan_that_is_there_is_not_made_again(process: Process) -> None:
    await process.take(*THE_THREE)
    with pytest.raises(Conflict, match="there already"):
        await process.create_plan({"EventId": "PD2024", "FleetId": FLEET_ID})


@pytest.mark.parametrize(
    ("more", "pointer"),
    [
        ({"EventPlanId": "PD2024#Another"}, "/EventPlanId"),
        ({"ServiceId": "Another"}, "/ServiceId"),
    ],
)
async def test_a_bad_member_is_named(process: Process, more: dict[str, str], pointer: str) -> None:
    await process.know(*THE_THREE)
    with pytest.raises(BadInput) as refused:
        await process.create_plan({**BY_HAND, **more})
    assert [error.pointer for error in refused.value.errors] == [pointer]


async def test_the_same_request_again_gets_its_first_answer_whatever_has_changed_since(process: Process) -> None:
    cause = process.person("\nsomebody\n/eventplan\nk1", "d1")
    with pytest.raises(NotFound):
        await process.create_plan(BY_HAND, cause)
    await process.know(*THE_THREE)
    with pytest.raises(Refused) as refused:
        await process.create_plan(BY_HAND, cause)
    assert refused.value.status == 404
    assert (await process.create_plan(BY_HAND)).changed


async def test_a_change_names_who_made_it_and_why(process: Process, clock: FixedClock) -> None:
    await process.take(*THE_THREE)
    clock.set("2024-05-03T09:00:00Z")
    answer = await process.command(
        "SetMilestoneStatus",
        "c1",
        {"EventId": "PD2024", "FleetId": FLEET_ID, **DONE, "AuditMetadata": {"User": "ann", "Message": "by hand"}},
    )
    assert (answer["Outcome"], answer["Id"], answer["VersionId"]) == ("Accepted", f"PD2024#{FLEET_ID}", 2)
    plan = await process.plan()
    assert plan["AuditMetadata"] == {"User": "ann", "Message": "by hand", "Timestamp": "2024-05-03T09:00:00.000Z"}
    assert [one["Source"] for one in plan["EventMilestone"] if one["EventMilestoneId"] == DONE["EventMilestoneId"]] == [
        "Human"
    ]


async def test_what_changes_nothing_makes_no_version(process: Process) -> None:
    await process.take(*THE_THREE)
    await process.status("UpdateThrottlingInSDC", "Completed")
    written = await process.status("UpdateThrottlingInSDC", "Completed")
    assert (written.document.version, written.changed) == (2, False)


async def test_a_change_of_a_version_that_is_not_the_latest_is_refused(process: Process) -> None:
    await process.take(*THE_THREE)
    await process.status("UpdateThrottlingInSDC", "InProgress", expected=1)
    with pytest.raises(Stale):
        await process.status("UpdateThrottlingInSDC", "Completed", expected=1)


async def test_a_closed_plan_refuses_peoples_changes(process: Process) -> None:
    await process.take(event(), service(), fleet(region="ap-south-1"))
    with pytest.raises(Conflict, match="region ap-south-1 is not in the RegionList") as refused:
        await process.status("UpdateThrottlingInSDC", "Completed")
    assert refused.value.slug == "plan-closed"


async def test_a_change_of_no_plan_is_not_found(process: Process) -> None:
    with pytest.raises(NotFound):
        await process.status("UpdateThrottlingInSDC", "Completed")


async def test_facts_do_not_undo_what_a_person_set_after_them(process: Process, clock: FixedClock) -> None:
    await process.take(*THE_THREE)
    clock.set("2024-05-25T09:00:00Z")
    await process.status("GatherProjectionFromUpstream", "Blocked")
    await process.take(projection(at="2024-05-20T09:00:00.000Z"))
    assert state(await process.plan(), "GatherProjectionFromUpstream")[0] == "Blocked"
    await process.take(projection(version=2, upstream=False, at="2024-05-26T09:00:00.000Z"))
    assert state(await process.plan(), "GatherProjectionFromUpstream")[0] == "PendingOnServiceOwner"


async def test_every_write_can_be_asked_for_by_a_command_and_is_answered_once(process: Process) -> None:
    await process.know(*THE_THREE)
    ids = BY_HAND
    made = await process.command("CreateEventPlan", "make", ids)
    assert (made["Outcome"], made["VersionId"]) == ("Accepted", 1)
    read = await process.plan()
    assert (await process.command("SetMilestoneStatus", "set", {**ids, **DONE}))["VersionId"] == 2
    detail = {**ids, "EventMilestoneId": "HardwareFulfillment", "ETA": "2024-07-01"}
    assert (await process.command("SetMilestone", "detail", detail))["VersionId"] == 3
    whole = {**ids, "EventMilestone": read["EventMilestone"], "EventDescaleMilestone": read["EventDescaleMilestone"]}
    assert (await process.command("ReplaceMilestones", "replace", whole))["VersionId"] == 4
    assert (await process.command("SetMilestoneStatus", "set", {**ids, **DONE}))["VersionId"] == 2
    assert (await process.command("CreateEventPlan", "again", ids))["Problem"]["status"] == 409
    assert (await process.plan())["VersionId"] == 4


@pytest.mark.parametrize(
    ("ce_type", "more", "status"),
    [
        ("SetMilestoneStatus", {"EventMilestoneId": "Nothing", "MilestoneCompletionStatus": "Completed"}, 404),
        ("SetMilestoneStatus", {**DONE, "ETA": "2024-07-01"}, 400),
        ("SetMilestoneStatus", {**DONE, "FleetId": "Unknown"}, 404),
        ("SetMilestoneStatus", {"EventMilestoneId": "HardwareOrder", "MilestoneCompletionStatus": "Completed"}, 409),
        ("ReplaceMilestones", {"EventMilestone": []}, 400),
        ("CreateEventPlan", {"Colour": "Green"}, 400),
        ("DropEventPlan", {}, 400),
    ],
)
async def test_a_refused_command_gets_the_answer_of_http(
    process: Process, ce_type: str, more: dict[str, Any], status: int
) -> None:
    await process.take(*THE_THREE)
    answer = await process.command(ce_type, "c1", {"EventId": "PD2024", "FleetId": FLEET_ID, **more})
    assert (answer["Outcome"], answer["Problem"]["status"]) == ("Refused", status)


async def test_a_commands_condition_is_kept(process: Process) -> None:
    await process.take(*THE_THREE)
    body = {"EventId": "PD2024", "FleetId": FLEET_ID, **DONE}
    assert (await process.command("SetMilestoneStatus", "c1", body, if_match='"2"'))["Problem"]["status"] == 412
    assert (await process.command("SetMilestoneStatus", "c2", body, if_match='"1"'))["VersionId"] == 2
