from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.eventplan_svc.domain.dashboard import (
    ReadinessTotals,
    Standing,
    fleet_row,
    service_entry,
    standing_of,
)
from services.eventplan_svc.domain.facts import Facts
from services.eventplan_svc.domain.plan import Closed, Plan
from services.eventplan_svc.domain.readiness import milestone_colour, worst
from shared.schemas.eventplan_svc import MilestoneStatus, PeakReadyStatus
from tests.support.plans import (
    FLEET,
    OWNER,
    SERVICE,
    a_plan,
    downstream,
    execution,
    facts,
    hardware,
    inputs,
    order,
    projection,
    put_details,
    put_status,
    refresh,
    status,
)

LEAVES = (
    "GatherProjectionFromUpstream",
    "PlaceHardwareOrder",
    "HardwareOrderApproval",
    "HardwareFulfillment",
    "CommunicateTPMToDownstream",
    "UpdateThrottlingInSDC",
)


def with_statuses(plan: Plan, **statuses: str) -> Plan:
    for name, wanted in statuses.items():
        plan = put_status(plan, name, wanted)
    return plan


def colour(plan: Plan, today: str) -> PeakReadyStatus:
    return worst(milestone_colour(milestone, today) for milestone in plan.milestones)


def standing(plan: Plan) -> Standing:
    found = standing_of(plan)
    assert found is not None
    return found


def row_of(plan: Plan, today: str) -> dict[str, Any]:
    shown = standing(plan)
    return fleet_row(plan.fleet_id, region=FLEET.region, owner=OWNER, colour=shown.colour(today), awaited=shown.awaited)


def awaited(plan: Plan, today: str = "2024-05-01") -> dict[str, Any]:
    row = row_of(plan, today)
    return {member: row[member] for member in ("EventMilestone", "ETA", "StatusReasoning", "ActionPendingOn")}


class Counted:
    """Totals of plans that change, by a name each."""

    def __init__(self) -> None:
        self.totals = ReadinessTotals()
        self.plans: dict[str, Plan] = {}

    def put(self, name: str, plan: Plan | None) -> None:
        before = self.plans.pop(name, None)
        if before is not None and (found := standing_of(before)):
            self.totals.remove(before.event_id, before.service_id, found)
        if plan is not None:
            self.plans[name] = plan
            if found := standing_of(plan):
                self.totals.add(plan.event_id, plan.service_id, found)

    def of_event(self, today: str) -> dict[str, Any]:
        return self.totals.of_event("PD2024", today)


def test_the_row_names_the_first_open_milestone_its_eta_reason_and_who_has_to_act() -> None:
    plan = refresh(a_plan(), facts(projection(), hardware(1, order("Pending", number=1), order(number=2))))
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
    ("known", "milestone", "reason", "who"),
    [
        (facts(), "GatherProjectionFromUpstream", None, OWNER),
        (facts(projection(owner=False)), "GatherProjectionFromUpstream", "Not verified yet by the owner", OWNER),
        (facts(projection()), "PlaceHardwareOrder", None, "EPIC"),
        (
            facts(projection(), hardware(1, run=execution("Fail", Reasoning="no eligible ASG"))),
            "PlaceHardwareOrder",
            "no eligible ASG",
            "EPIC",
        ),
        (facts(projection(), hardware(1, order())), "HardwareFulfillment", "1 of 1 orders pending", "FMC"),
        (
            facts(projection(), hardware(1, order("Fulfilled")), downstream("S")),
            "CommunicateTPMToDownstream",
            None,
            OWNER,
        ),
    ],
)
def test_the_action_pends_on_who_owns_the_step(known: Facts, milestone: str, reason: str | None, who: str) -> None:
    row = awaited(refresh(a_plan(), known))
    assert (row["EventMilestone"], row["StatusReasoning"], row["ActionPendingOn"]) == (milestone, reason, who)


def test_a_status_that_names_somebody_says_who_has_to_act() -> None:
    plan = with_statuses(a_plan(), GatherProjectionFromUpstream="PendingOnEPIC")
    assert awaited(plan)["ActionPendingOn"] == "EPIC"
    plan = with_statuses(a_plan(facts(projection())), PlaceHardwareOrder="PendingOnServiceOwner")
    assert awaited(plan)["ActionPendingOn"] == OWNER


def test_a_plan_that_is_all_done_awaits_nothing() -> None:
    plan = with_statuses(a_plan(), **dict.fromkeys(LEAVES, "Completed"))
    assert row_of(plan, "2024-09-01")["PeakReadyStatus"] == "Green"
    assert set(awaited(plan).values()) == {None}


def test_a_service_is_as_ready_as_its_worst_fleet() -> None:
    ready = with_statuses(a_plan(), **dict.fromkeys(LEAVES, "Completed"))
    nearly = with_statuses(ready, HardwareFulfillment="InProgress")
    rows = [row_of(plan, "2024-05-01") for plan in (ready, nearly)]
    entry = service_entry(SERVICE, [row["PeakReadyStatus"] for row in rows], rows[:1])
    assert (entry["PeakReadyStatus"], entry["Owner"], entry["LeaderAlias"]) == ("Yellow", OWNER, "jsmith")
    assert entry["Fleets"] == rows[:1]


def test_totals_count_fleets_colours_and_milestones() -> None:
    totals = Counted()
    totals.put("one", a_plan())
    totals.put("two", with_statuses(a_plan(), **dict.fromkeys(LEAVES, "Completed")))
    counted = totals.of_event("2024-05-01")
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
    counted = ReadinessTotals().of_event("PD2025", "2024-05-01")
    assert (counted["Fleets"], counted["ByColour"]) == (0, {"Green": 0, "Yellow": 0, "Red": 0})


def test_a_closed_plan_is_outside_the_totals() -> None:
    totals = Counted()
    totals.put("one", a_plan())
    closed = refresh(a_plan(), of=inputs(event={"active": False}))
    assert standing_of(closed) is None
    totals.put("one", closed)
    assert totals.of_event("2024-05-01")["Fleets"] == 0


def test_totals_turn_with_the_day_although_no_plan_changes() -> None:
    yellow = with_statuses(a_plan(), **dict.fromkeys(LEAVES, "InProgress"))
    totals = Counted()
    totals.put("one", yellow)
    assert totals.of_event("2024-06-01")["ByColour"] == {"Green": 0, "Yellow": 1, "Red": 0}
    assert totals.of_event("2024-06-02")["ByColour"] == {"Green": 0, "Yellow": 0, "Red": 1}
    assert totals.of_event("2024-06-01")["ByColour"]["Yellow"] == 1


def recount(plans: dict[str, Plan], services: set[str] | None, today: str) -> dict[str, Any]:
    """The totals of PD2024 counted plan by plan."""
    chosen = [
        plan
        for plan in plans.values()
        if not plan.closed and plan.event_id == "PD2024" and (services is None or plan.service_id in services)
    ]
    by_milestone: dict[str, dict[str, int]] = {}
    for name in (*LEAVES, "HardwareOrder"):
        found = [status(plan, name) for plan in chosen]
        by_milestone[name] = {one: found.count(one) for one in MilestoneStatus if one in found}
    colours = [colour(plan, today) for plan in chosen]
    return {
        "Fleets": len(chosen),
        "ByColour": {name: colours.count(name) for name in PeakReadyStatus},
        "ByMilestone": by_milestone,
    }


STEPS = st.lists(
    st.one_of(
        st.tuples(
            st.just("plan"),
            st.sampled_from(["a", "b", "c", "d"]),
            st.sampled_from(["S1", "S2"]),
            st.sampled_from(["PD2024", "BF2024"]),
            st.dictionaries(st.sampled_from(LEAVES), st.sampled_from(MilestoneStatus)),
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
    totals = Counted()
    for kind, *rest in steps:
        if kind == "plan":
            key, service_id, event_id, statuses, etas = rest
            plan = with_statuses(a_plan(), **statuses)
            for name, eta in etas.items():
                plan = put_details(plan, name, ETA=eta.isoformat())
            totals.put(key, replace(plan, service_id=service_id, event_id=event_id))
        elif kind == "gone":
            totals.put(rest[0], None)
        elif kind == "closed" and rest[0] in totals.plans:
            totals.put(rest[0], replace(totals.plans[rest[0]], closed=Closed("event PD2024 is not active", "")))
        elif kind == "days":
            day += timedelta(days=rest[0])
        today = day.isoformat()
        assert totals.of_event(today) == recount(totals.plans, None, today)
        counted = totals.totals.of_services("PD2024", ["S1", "S1", "S9"], today)
        assert counted == recount(totals.plans, {"S1"}, today)
