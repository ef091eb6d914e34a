from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from services.eventplan_svc.domain.changes import set_milestone, set_milestone_status
from services.eventplan_svc.domain.facts import FactSheet, throttling_fact, tpm_sent_fact
from services.eventplan_svc.domain.memory import MEMORY
from services.eventplan_svc.domain.milestones import Plan, by_id
from services.eventplan_svc.domain.plan import settle, shown
from shared.schemas.eventplan_svc import EventPlan
from tests.services.eventplan_svc.domain.sample import (
    FLEET_ID,
    WORLD,
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

GATHER = "GatherProjectionFromUpstream"
COMMUNICATE = "CommunicateTPMToDownstream"
THROTTLING = "UpdateThrottlingInSDC"
FULFILLMENT = "HardwareFulfillment"


def by_hand(plan: Plan, milestone_id: str, status_: str, day: str, facts: FactSheet | None = None) -> Plan:
    wish = {"EventMilestoneId": milestone_id, "MilestoneCompletionStatus": status_}
    return stored(set_milestone_status(plan, wish, facts=facts or FactSheet(), now=at(day)))


def tpm_sent(version: int, tpm: int, downstreams: int, day: str = "06-01") -> Any:
    names = [f"Downstream{n}" for n in range(downstreams)]
    return tpm_sent_fact(
        {
            "ProjectionVersionId": version,
            "PeakTPM": tpm,
            "Downstreams": names,
            "OccurredAt": f"2024-{day}T09:00:00Z",
        }
    )


def throttled(version: int, tpm: int, day: str = "06-01") -> Any:
    return throttling_fact({"AppliedVersionId": version, "PeakTPM": tpm, "OccurredAt": f"2024-{day}T09:00:00Z"})


def test_the_references_plan_comes_out_of_its_facts() -> None:
    orders = [order("Fulfilled", hosts, number=n) for n, hosts in enumerate((20, 15, 10), 1)]
    facts = sheet(projection(3), hardware(8, *orders, order("Approved", 5, number=4)))
    plan = shown(settled(new_plan(), facts, now=at("06-15")), at("06-15"))
    assert plan["EventPlanId"] == f"PD2024#{FLEET_ID}"
    members = ("EventMilestoneId", "MilestoneCompletionStatus", "MilestoneMessage", "PeakReadyStatus", "SubMilestones")

    def as_there(milestones: list[dict[str, Any]]) -> list[dict[str, Any]]:
        kept = [{member: one[member] for member in members if member in one} for one in milestones]
        return [
            {**one, "SubMilestones": as_there(one["SubMilestones"])} if "SubMilestones" in one else one for one in kept
        ]

    assert as_there(plan["EventMilestone"]) == [
        {
            "EventMilestoneId": "GatherProjectionFromUpstream",
            "MilestoneCompletionStatus": "Completed",
            "MilestoneMessage": "All upstream projections verified",
            "PeakReadyStatus": "Green",
        },
        {
            "EventMilestoneId": "HardwareOrder",
            "MilestoneCompletionStatus": "Completed",
            "MilestoneMessage": "[Automated] Hardware order placed: SPCO-789",
            "PeakReadyStatus": "Green",
            "SubMilestones": [
                {
                    "EventMilestoneId": "PlaceHardwareOrder",
                    "MilestoneCompletionStatus": "Completed",
                    "MilestoneMessage": "50 hosts ordered via HOTW",
                },
                {
                    "EventMilestoneId": "HardwareOrderApproval",
                    "MilestoneCompletionStatus": "Completed",
                    "MilestoneMessage": "Order approved by AWS",
                },
            ],
        },
        {
            "EventMilestoneId": "HardwareFulfillment",
            "MilestoneCompletionStatus": "InProgress",
            "MilestoneMessage": "1 of 4 orders pending",
            "PeakReadyStatus": "Yellow",
        },
        {
            "EventMilestoneId": "CommunicateTPMToDownstream",
            "MilestoneCompletionStatus": "NotStarted",
            "PeakReadyStatus": "Red",
        },
        {
            "EventMilestoneId": "UpdateThrottlingInSDC",
            "MilestoneCompletionStatus": "NotStarted",
            "PeakReadyStatus": "Red",
        },
    ]
    assert plan["EventMilestone"][0]["ETA"] == "2024-06-01"
    assert EventPlan.model_validate(plan).wire()["EventMilestone"][2]["MilestoneMessage"] == "1 of 4 orders pending"


def test_a_projection_that_somebody_has_yet_to_verify_waits_for_them_by_name() -> None:
    plan = settled(new_plan(), sheet(projection(owner=False, upstream=False)))
    assert said(plan, GATHER) == ("PendingOnServiceOwner", "Not verified yet by the owner, OrderService")


def test_a_projection_without_upstreams_needs_its_owner_only() -> None:
    plan = settled(new_plan(), sheet(projection(upstream=None)))
    assert said(plan, GATHER) == ("Completed", "All upstream projections verified")


def test_a_deleted_projection_is_to_be_gathered_anew() -> None:
    plan = settled(new_plan(), sheet(projection(1)))
    assert said(settled(plan, sheet(projection(2, deleted=True))), GATHER) == ("NotStarted", None)


def test_hotw_signs_hardware_milestones_and_epic_the_others() -> None:
    placed = settle(new_plan(), WORLD, sheet(hardware(1, order("Pending"))), at("06-15"))
    assert placed is not None
    assert (placed.user, placed.message) == ("HOTWAutomation", "HOTW placed hardware order")
    verified = settle(new_plan(), WORLD, sheet(projection()), at("06-15"))
    assert verified is not None
    assert (verified.user, verified.message) == ("EPICAutomation", "GatherProjectionFromUpstream Completed")


def test_every_milestone_keeps_who_wrote_it_and_when() -> None:
    plan = settled(new_plan(), sheet(hardware(1, order("Pending"))), now=at("06-15"))
    milestone = by_id(plan)["PlaceHardwareOrder"]
    assert (milestone["Source"], milestone["LastUpdatedTimestamp"]) == ("Automated", "2024-06-15T09:00:00.000Z")
    plan = by_hand(plan, "PlaceHardwareOrder", "Blocked", "06-16")
    milestone = by_id(plan)["PlaceHardwareOrder"]
    assert (milestone["Source"], milestone["LastUpdatedTimestamp"]) == ("Human", "2024-06-16T09:00:00.000Z")
    assert status(plan, "HardwareOrder") == "Blocked"


def test_the_same_facts_again_change_nothing() -> None:
    facts = sheet(projection(), hardware(1, order("Pending")))
    plan = settled(new_plan(), facts)
    assert settle(plan, WORLD, facts, at("05-02")) is None


def test_a_fact_that_says_the_same_again_undoes_no_persons_change() -> None:
    plan = settled(new_plan(), sheet(hardware(1, order("Pending"), when="06-10")))
    plan = by_hand(plan, FULFILLMENT, "Completed", "06-11")
    plan = settled(plan, sheet(hardware(2, order("Approved"), when="06-12")))
    assert status(plan, FULFILLMENT) == "Completed"
    assert status(plan, "HardwareOrderApproval") == "Completed"


def test_a_newer_fact_that_says_something_else_prevails_over_a_person() -> None:
    plan = settled(new_plan(), sheet(hardware(1, order(number=1), order(number=2), when="06-10")))
    plan = by_hand(plan, FULFILLMENT, "Completed", "06-11")
    plan = settled(plan, sheet(hardware(2, order("Fulfilled", number=1), order(number=2), when="06-12")))
    assert said(plan, FULFILLMENT) == ("InProgress", "1 of 2 orders pending")


def test_a_fact_older_than_a_persons_change_leaves_it_and_is_not_news_again_later() -> None:
    plan = by_hand(new_plan(), FULFILLMENT, "Completed", "06-11")
    plan = settled(plan, sheet(hardware(1, order(), when="06-10")))
    assert status(plan, FULFILLMENT) == "Completed"
    assert status(plan, "PlaceHardwareOrder") == "Completed"
    plan = settled(plan, sheet(hardware(2, order(hosts=30), when="06-12")))
    assert status(plan, FULFILLMENT) == "Completed"


def test_an_eta_a_person_moves_does_not_make_the_milestone_theirs() -> None:
    wish = {"EventMilestoneId": FULFILLMENT, "ETA": "2024-07-01"}
    plan = set_milestone(new_plan(), wish, facts=FactSheet(), now=at("06-20"))
    plan = settled(plan, sheet(hardware(1, order(), when="06-10")))
    assert said(plan, FULFILLMENT) == ("InProgress", "1 of 1 orders pending")
    assert by_id(plan)[FULFILLMENT]["ETA"] == "2024-07-01"


def test_what_was_derived_is_remembered_through_a_persons_put_and_hidden_from_readers() -> None:
    plan = settled(new_plan(), sheet(projection()))
    after = by_hand(plan, THROTTLING, "InProgress", "06-01")
    assert after[MEMORY]["Derived"] == plan[MEMORY]["Derived"]
    assert MEMORY not in shown(after, at("06-01"))


def test_moved_dates_derive_the_hardware_milestones_anew() -> None:
    facts = sheet(hardware(1, order(FulfillmentDate="2024-07-10")))
    plan = settled(new_plan(), facts)
    assert status(plan, FULFILLMENT) == "InProgress"
    sooner = world(
        event={"peak_start": "2024-07-09", "peak_end": "2024-07-10", "changed_at": "2024-06-20T00:00:00.000Z"}
    )
    plan = settled(plan, facts, world=sooner)
    assert said(plan, FULFILLMENT) == ("Blocked", "arrives after the peak")
    assert status(settled(plan, facts), FULFILLMENT) == "InProgress"


def test_moved_dates_are_newer_than_a_person_who_spoke_before_them() -> None:
    facts = sheet(hardware(1, order(FulfillmentDate="2024-07-10"), when="06-10"))
    plan = by_hand(settled(new_plan(), facts), FULFILLMENT, "Completed", "06-15")
    sooner = world(event={"peak_start": "2024-07-09", "changed_at": "2024-06-20T00:00:00.000Z"})
    assert status(settled(plan, facts, world=sooner), FULFILLMENT) == "Blocked"
    earlier = world(event={"peak_start": "2024-07-09", "changed_at": "2024-06-12T00:00:00.000Z"})
    assert status(settled(plan, facts, world=earlier), FULFILLMENT) == "Completed"


def test_tpm_sent_to_every_downstream_completes_until_the_peak_tpm_changes() -> None:
    plan = settled(new_plan(), sheet(projection(1), tpm_sent(1, 50_000, 3)))
    assert said(plan, COMMUNICATE) == ("Completed", "TPM sent to 3 downstream services")
    plan = settled(plan, sheet(projection(2, tpm=60_000, when="06-05"), tpm_sent(1, 50_000, 3)))
    assert said(plan, COMMUNICATE) == ("PendingOnServiceOwner", "PeakTPM is 60000 now, this was done for 50000")
    plan = settled(plan, sheet(projection(2, tpm=60_000, when="06-05"), tpm_sent(2, 60_000, 1, "06-06")))
    assert said(plan, COMMUNICATE) == ("Completed", "TPM sent to 1 downstream service")


def test_without_downstreams_there_is_nothing_to_communicate() -> None:
    assert said(settled(new_plan(), sheet(projection(), tpm_sent(1, 50_000, 0))), COMMUNICATE) == (
        "Completed",
        "No downstream services",
    )


def test_applied_throttling_completes_until_the_peak_tpm_changes() -> None:
    plan = settled(new_plan(), sheet(projection(1), throttled(3, 50_000)))
    assert said(plan, THROTTLING) == ("Completed", "Throttling version 3 applied")
    plan = settled(plan, sheet(projection(2, deleted=True, when="06-05"), throttled(3, 50_000)))
    assert said(plan, THROTTLING) == ("PendingOnServiceOwner", "the projection is deleted, this was done for 50000")


def test_the_same_throttling_applied_again_holds_for_the_new_peak_tpm() -> None:
    facts = sheet(projection(2, tpm=60_000), throttled(3, 50_000), throttled(3, 60_000, "06-02"))
    assert status(settled(new_plan(), facts), THROTTLING) == "Completed"


def test_what_a_person_completed_falls_back_when_the_peak_tpm_changes() -> None:
    facts = sheet(projection(1))
    plan = by_hand(settled(new_plan(), facts), THROTTLING, "Completed", "06-01", facts)
    unchanged = sheet(projection(2, upstream=False, when="06-02"))
    assert by_id(settled(plan, unchanged))[THROTTLING]["Source"] == "Human"
    changed = sheet(projection(2, tpm=60_000, when="06-02"))
    plan = settled(plan, changed)
    assert said(plan, THROTTLING) == ("PendingOnServiceOwner", "PeakTPM is 60000 now, this was done for 50000")
    assert status(settled(plan, sheet(projection(3, tpm=50_000, when="06-03"))), THROTTLING) == "Completed"


def test_what_a_person_completed_stays_when_the_projection_changed_before() -> None:
    facts = sheet(projection(1))
    plan = by_hand(settled(new_plan(), facts), COMMUNICATE, "Completed", "06-03", facts)
    late = sheet(projection(2, tpm=60_000, when="06-02"))
    assert status(settled(plan, late), COMMUNICATE) == "Completed"


def test_a_persons_other_word_on_a_completed_milestone_ends_what_it_was_done_for() -> None:
    facts = sheet(projection(1))
    plan = by_hand(settled(new_plan(), facts), COMMUNICATE, "Completed", "06-01", facts)
    plan = by_hand(plan, COMMUNICATE, "InProgress", "06-02", facts)
    plan = settled(plan, sheet(projection(2, tpm=60_000, when="06-03")))
    assert "DoneFor" not in plan[MEMORY]
    assert status(plan, COMMUNICATE) == "InProgress"


@given(st.permutations(("first", "second", "person")), st.tuples(st.booleans(), st.booleans(), st.booleans()))
def test_older_facts_that_come_in_late_leave_a_persons_change_as_if_they_had_come_in_time(
    arrivals: list[str], verified: tuple[bool, bool, bool]
) -> None:
    first, second = projection(1, owner=verified[0], when="05-10"), projection(2, owner=verified[1], when="05-20")
    last = projection(3, owner=verified[2], when="06-05")

    def played(steps: list[str]) -> tuple[str, str]:
        plan, noted = new_plan(), FactSheet()
        for step in [*steps, "last"]:
            if step == "person":
                plan = by_hand(plan, GATHER, "Blocked", "06-01")
                continue
            noted = noted.noting({"first": first, "second": second, "last": last}[step])
            plan = settled(plan, noted)
        milestone = by_id(plan)[GATHER]
        return milestone["MilestoneCompletionStatus"], milestone["Source"]

    assert played(arrivals) == played(["first", "second", "person"])
