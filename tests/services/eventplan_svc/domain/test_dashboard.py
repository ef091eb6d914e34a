from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.eventplan_svc.domain.changes import set_milestone, set_milestone_status
from services.eventplan_svc.domain.dashboard import Awaited, Contribution, ReadinessTotals, fleet_row, service_entry
from services.eventplan_svc.domain.facts import FactSheet
from services.eventplan_svc.domain.milestones import STATUSES, Plan, by_id
from services.eventplan_svc.domain.readiness import plan_colour
from tests.services.eventplan_svc.domain.sample import (
    FLEET,
    MAY_1,
    OWNER,
    SERVICE,
    execution,
    hardware,
    new_plan,
    order,
    projection,
    settled,
    sheet,
    world,
)

NONE = FactSheet()
LEAVES = (
    "GatherProjectionFromUpstream",
    "PlaceHardwareOrder",
    "HardwareOrderApproval",
    "HardwareFulfillment",
    "CommunicateTPMToDownstream",
    "UpdateThrottlingInSDC",
)


def with_statuses(plan: Plan, **statuses: str) -> Plan:
    for name, status in statuses.items():
        wish = {"EventMilestoneId": name, "MilestoneCompletionStatus": status}
        plan = set_milestone_status(plan, wish, facts=NONE, now=MAY_1)
    return plan


def row_of(plan: Plan, today: str) -> dict[str, Any]:
    return fleet_row(
        plan["FleetId"], region=FLEET.region, colour=plan_colour(plan, today), awaited=Awaited.of(plan), owner=OWNER
    )


def awaited(plan: Plan, today: str = "2024-05-01") -> dict[str, Any]:
    row = row_of(plan, today)
    return {member: row[member] for member in ("EventMilestone", "ETA", "StatusReasoning", "ActionPendingOn")}


def test_the_row_names_the_first_open_milestone_its_eta_reason_and_who_has_to_act() -> None:
    plan = settled(new_plan(), sheet(projection(), hardware(1, order("Pending", number=1), order(number=2))))
    assert row_of(plan, "2024-06-10") == {
        "FleetId": "FORTRESSService-NA-X0",
        "Region": "us-east-1",
        "PeakReadyStatus": "Red",
        "EventMilestone": "HardwareOrderApproval",
        "ETA": "2024-06-16",
        "StatusReasoning": "1 of 2 approved",
        "ActionPendingOn": "AWS",
    }


@pytest.mark.parametrize(
    ("facts", "milestone", "reason", "who"),
    [
        (sheet(), "GatherProjectionFromUpstream", None, OWNER),
        (sheet(projection(owner=False)), "GatherProjectionFromUpstream", "Not verified yet by the owner", OWNER),
        (sheet(projection()), "PlaceHardwareOrder", None, "EPIC"),
        (
            sheet(projection(), hardware(1, run=execution("Fail", Reasoning="no eligible ASG"))),
            "PlaceHardwareOrder",
            "no eligible ASG",
            "EPIC",
        ),
        (sheet(projection(), hardware(1, order())), "HardwareFulfillment", "1 of 1 orders pending", "FMC"),
        (sheet(projection(), hardware(1, order("Fulfilled"))), "CommunicateTPMToDownstream", None, OWNER),
    ],
)
def test_the_action_pends_on_who_owns_the_step(facts: FactSheet, milestone: str, reason: str | None, who: str) -> None:
    row = awaited(settled(new_plan(), facts))
    assert (row["EventMilestone"], row["StatusReasoning"], row["ActionPendingOn"]) == (milestone, reason, who)


def test_a_status_that_names_somebody_says_who_has_to_act() -> None:
    plan = with_statuses(new_plan(), GatherProjectionFromUpstream="PendingOnEPIC")
    assert awaited(plan)["ActionPendingOn"] == "EPIC"
    plan = with_statuses(new_plan(sheet(projection())), PlaceHardwareOrder="PendingOnServiceOwner")
    assert awaited(plan)["ActionPendingOn"] == OWNER


def test_a_plan_that_is_all_done_awaits_nothing() -> None:
    plan = with_statuses(new_plan(), **dict.fromkeys(LEAVES, "Completed"))
    assert row_of(plan, "2024-09-01")["PeakReadyStatus"] == "Green"
    assert set(awaited(plan).values()) == {None}


def test_a_service_is_as_ready_as_its_worst_fleet() -> None:
    ready = with_statuses(new_plan(), **dict.fromkeys(LEAVES, "Completed"))
    nearly = with_statuses(ready, HardwareFulfillment="InProgress")
    rows = [row_of(plan, "2024-05-01") for plan in (ready, nearly)]
    entry = service_entry(SERVICE, [row["PeakReadyStatus"] for row in rows], rows[:1])
    assert (entry["PeakReadyStatus"], entry["Owner"], entry["LeaderAlias"]) == ("Yellow", OWNER, "jsmith")
    assert entry["Fleets"] == rows[:1]


def test_totals_count_fleets_colours_and_milestones() -> None:
    totals = ReadinessTotals("2024-05-01")
    totals.put("one", Contribution.of(new_plan()))
    totals.put("two", Contribution.of(with_statuses(new_plan(), **dict.fromkeys(LEAVES, "Completed"))))
    counted = totals.of_event("PD2024", "2024-05-01")
    assert counted["Fleets"] == 2
    assert counted["ByColour"] == {"Green": 1, "Yellow": 0, "Red": 1}
    assert counted["ByMilestone"]["HardwareOrderApproval"] == {"NotStarted": 1, "Completed": 1}
    assert list(counted["ByMilestone"]) == [
        "GatherProjectionFromUpstream",
        "HardwareOrder",
        "PlaceHardwareOrder",
        "HardwareOrderApproval",
        "HardwareFulfillment",
        "CommunicateTPMToDownstream",
        "UpdateThrottlingInSDC",
    ]


def test_totals_of_an_unknown_event_are_empty() -> None:
    counted = ReadinessTotals("2024-05-01").of_event("PD2025", "2024-05-01")
    assert (counted["Fleets"], counted["ByColour"]) == (0, {"Green": 0, "Yellow": 0, "Red": 0})


def test_a_closed_plan_stands_outside_the_totals() -> None:
    totals = ReadinessTotals("2024-05-01")
    totals.put("one", Contribution.of(new_plan()))
    closed = settled(new_plan(), NONE, world=world(event={"active": False}))
    assert Contribution.of(closed) is None
    totals.put("one", Contribution.of(closed))
    assert totals.of_event("PD2024", "2024-05-01")["Fleets"] == 0
    totals.remove("never there")


def test_totals_turn_with_the_day_without_a_new_word_about_any_plan() -> None:
    yellow = with_statuses(new_plan(), **dict.fromkeys(LEAVES, "InProgress"))
    totals = ReadinessTotals("2024-05-01")
    totals.put("one", Contribution.of(yellow))
    assert totals.of_event("PD2024", "2024-06-01")["ByColour"] == {"Green": 0, "Yellow": 1, "Red": 0}
    assert totals.of_event("PD2024", "2024-06-02")["ByColour"] == {"Green": 0, "Yellow": 0, "Red": 1}
    assert totals.of_event("PD2024", "2024-06-01")["ByColour"]["Red"] == 1


def _recount(plans: dict[str, Plan], services: set[str] | None, today: str) -> dict[str, Any]:
    """The totals of PD2024 counted plan by plan."""
    chosen = [
        plan
        for plan in plans.values()
        if "Closed" not in plan and plan["EventId"] == "PD2024" and (services is None or plan["ServiceId"] in services)
    ]
    by_milestone: dict[str, dict[str, int]] = {}
    for name in (*LEAVES, "HardwareOrder"):
        found = [by_id(plan)[name]["MilestoneCompletionStatus"] for plan in chosen]
        by_milestone[name] = {status: found.count(status) for status in STATUSES if status in found}
    colours = [plan_colour(plan, today) for plan in chosen]
    return {
        "Fleets": len(chosen),
        "ByColour": {colour: colours.count(colour) for colour in ("Green", "Yellow", "Red")},
        "ByMilestone": by_milestone,
    }


STEPS = st.lists(
    st.one_of(
        st.tuples(
            st.just("plan"),
            st.sampled_from(["a", "b", "c", "d"]),
            st.sampled_from(["S1", "S2"]),
            st.sampled_from(["PD2024", "BF2024"]),
            st.dictionaries(st.sampled_from(LEAVES), st.sampled_from(STATUSES)),
            st.dictionaries(st.sampled_from([LEAVES[0], LEAVES[3]]), st.dates(date(2024, 5, 1), date(2024, 5, 20))),
        ),
        st.tuples(st.just("gone"), st.sampled_from(["a", "b", "c", "d"])),
        st.tuples(st.just("closed"), st.sampled_from(["a", "b", "c", "d"])),
        st.tuples(st.just("days"), st.integers(1, 9)),
    ),
    max_size=12,
)


@given(STEPS)
def test_totals_kept_up_to_date_equal_a_full_recount(steps: list[tuple[Any, ...]]) -> None:
    day = date(2024, 5, 1)
    totals, plans = ReadinessTotals(day.isoformat()), {}
    for kind, *rest in steps:
        if kind == "plan":
            key, service_id, event_id, statuses, etas = rest
            plan = with_statuses(new_plan(), **statuses)
            for name, eta in etas.items():
                plan = set_milestone(plan, {"EventMilestoneId": name, "ETA": eta.isoformat()}, facts=NONE, now=MAY_1)
            plans[key] = {**plan, "ServiceId": service_id, "EventId": event_id}
            totals.put(key, Contribution.of(plans[key]))
        elif kind == "gone":
            plans.pop(rest[0], None)
            totals.remove(rest[0])
        elif kind == "closed" and rest[0] in plans:
            plans[rest[0]] = {**plans[rest[0]], "Closed": {"Reason": "event PD2024 is not active"}}
            totals.put(rest[0], Contribution.of(plans[rest[0]]))
        elif kind == "days":
            day += timedelta(days=rest[0])
        today = day.isoformat()
        assert totals.of_event("PD2024", today) == _recount(plans, None, today)
        assert totals.of_services("PD2024", ["S1", "S1", "S9"], today) == _recount(plans, {"S1"}, today)
