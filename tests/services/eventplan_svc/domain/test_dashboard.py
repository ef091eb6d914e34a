"""Rows of the readiness dashboard and its totals."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.eventplan_svc.domain.dashboard import FleetRow, ServiceRows, Standing, Standings, standings_of
from services.eventplan_svc.domain.facts import Facts
from services.eventplan_svc.domain.milestones import DESCALE_IDS
from services.eventplan_svc.domain.plan import Closed, Plan
from services.eventplan_svc.domain.readiness import milestone_colour, worst
from services.eventplan_svc.domain.totals import Totals
from shared.schemas.eventplan_svc import MilestoneStatus, PeakReadyStatus
from shared.schemas.hotw_svc import Purpose
from tests.support.plans import (
    EVENT,
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
    return worst(milestone_colour(milestone.status, milestone.eta, today) for milestone in plan.milestones)


def open_plan(plan: Plan) -> Standings:
    found = standings_of(plan)
    assert found is not None
    return found


def standing(plan: Plan, purpose: Purpose = Purpose.UPSCALING) -> Standing:
    return open_plan(plan).of(purpose)


def row(plan: Plan, today: str) -> FleetRow:
    shown = standing(plan)
    return FleetRow(plan.fleet_id, FLEET.region, OWNER, shown.colour(today), shown.awaited, shown.hosts_missing)


def row_of(plan: Plan, today: str) -> dict[str, Any]:
    return row(plan, today).shown()


def awaited(plan: Plan, today: str = "2024-05-01") -> dict[str, Any]:
    shown = row_of(plan, today)
    return {member: shown[member] for member in ("EventMilestone", "ETA", "StatusReasoning", "ActionPendingOn")}


REGIONS = {"a": "us-east-1", "b": "us-east-1", "c": "eu-west-1", "d": None}
"""Of the fleets of the plans that are counted by these names."""


class Counted:
    """Totals of plans that change, by a name each."""

    def __init__(self) -> None:
        self.totals = Totals()
        self.plans: dict[str, Plan] = {}

    def put(self, name: str, plan: Plan | None) -> None:
        before = self.plans.pop(name, None)
        if before is not None and not before.closed:
            self.totals.count(before.event_id, before.service_id, REGIONS.get(name), open_plan(before), -1)
        if plan is not None:
            self.plans[name] = plan
            if not plan.closed:
                self.totals.count(plan.event_id, plan.service_id, REGIONS.get(name), open_plan(plan))

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
        "HostsMissing": 40,
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
    rows = [row(plan, "2024-05-01") for plan in (ready, nearly)]
    entry = ServiceRows(SERVICE, worst(one.colour for one in rows), rows[:1], EVENT.order_by_date).shown()
    assert (entry["PeakReadyStatus"], entry["Owner"], entry["LeaderAlias"]) == ("Yellow", OWNER, "jsmith")
    assert entry["Fleets"] == [{**rows[0].shown(), "OrderByDate": "2024-07-02"}]


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
    counted = Totals().of_event("PD2025", "2024-05-01")
    assert (counted["Fleets"], counted["ByColour"]) == (0, {"Green": 0, "Yellow": 0, "Red": 0})


def test_a_closed_plan_is_outside_the_totals() -> None:
    totals = Counted()
    totals.put("one", a_plan())
    closed = refresh(a_plan(), of=inputs(event={"active": False}))
    assert standings_of(closed) is None
    totals.put("one", closed)
    assert totals.of_event("2024-05-01")["Fleets"] == 0


def test_totals_turn_with_the_day_although_no_plan_changes() -> None:
    yellow = with_statuses(a_plan(), **dict.fromkeys(LEAVES, "InProgress"))
    totals = Counted()
    totals.put("one", yellow)
    assert totals.of_event("2024-06-01")["ByColour"] == {"Green": 0, "Yellow": 1, "Red": 0}
    assert totals.of_event("2024-06-02")["ByColour"] == {"Green": 0, "Yellow": 0, "Red": 1}
    assert totals.of_event("2024-06-01")["ByColour"]["Yellow"] == 1


def recount(counted: Counted, services: set[str] | None, groups: Groups, today: str) -> dict[str, Any]:
    """The totals of PD2024 counted plan by plan."""
    chosen = {
        name: plan
        for name, plan in counted.plans.items()
        if not plan.closed and plan.event_id == "PD2024" and (services is None or plan.service_id in services)
    }

    def figures(plans: list[Plan]) -> dict[str, Any]:
        colours = [colour(plan, today) for plan in plans]
        return {"Fleets": len(plans), "ByColour": {name: colours.count(name) for name in PeakReadyStatus}}

    def grouped(names: Callable[[str, Plan], Iterable[str | None]]) -> dict[str, Any]:
        found: dict[str, list[Plan]] = {}
        for key, plan in chosen.items():
            for name in names(key, plan):
                if name is not None:
                    found.setdefault(name, []).append(plan)
        return {name: figures(plans) for name, plans in found.items()}

    by_milestone: dict[str, dict[str, int]] = {}
    for name in (*LEAVES, "HardwareOrder"):
        found = [status(plan, name) for plan in chosen.values()]
        by_milestone[name] = {one: found.count(one) for one in MilestoneStatus if one in found}
    nobody: tuple[str | None, tuple[str, ...]] = (None, ())
    return {
        **figures(list(chosen.values())),
        "ByMilestone": by_milestone,
        "ByRegion": grouped(lambda key, _: [REGIONS[key]]),
        "ByLeader": grouped(lambda _, plan: [groups.get(plan.service_id, nobody)[0]]),
        "ByOrganization": grouped(lambda _, plan: groups.get(plan.service_id, nobody)[1]),
    }


Groups = dict[str, tuple[str | None, tuple[str, ...]]]
"""The leader and the organizations of each service."""
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
        st.tuples(
            st.just("group"),
            st.sampled_from(["S1", "S2"]),
            st.sampled_from([None, "kim", "lee"]),
            st.sampled_from([(), ("retail",), ("checkout", "retail"), ("books",)]),
        ),
    ),
    max_size=12,
)


@given(STEPS)
def test_totals_kept_up_to_date_equal_a_full_recount_6_6_8a_6_6_9(steps: list[tuple[Any, ...]]) -> None:
    day = date(2024, 5, 1)
    counted = Counted()
    groups: Groups = {}
    for kind, *rest in steps:
        if kind == "plan":
            key, service_id, event_id, statuses, etas = rest
            plan = with_statuses(a_plan(), **statuses)
            for name, eta in etas.items():
                plan = put_details(plan, name, ETA=eta.isoformat())
            counted.put(key, replace(plan, service_id=service_id, event_id=event_id))
        elif kind == "gone":
            counted.put(rest[0], None)
        elif kind == "closed" and rest[0] in counted.plans:
            counted.put(rest[0], replace(counted.plans[rest[0]], closed=Closed("event PD2024 is not active", "")))
        elif kind == "days":
            day += timedelta(days=rest[0])
        elif kind == "group":
            service_id, leader, organizations = rest
            groups[service_id] = leader, organizations
            for _ in range(2):  # a redelivery moves nothing twice
                counted.totals.regroup(service_id, leader=leader, organizations=organizations)
        today = day.isoformat()
        assert counted.of_event(today) == recount(counted, None, groups, today)
        of_services = counted.totals.of_services("PD2024", ["S1", "S1", "S9"], today)
        assert of_services == recount(counted, {"S1"}, groups, today)


# -- the descale dashboard -----------------------------------------------------------------------------------------


def test_a_descale_milestone_colours_its_own_dashboard_and_no_plan_6_2_10() -> None:
    plan = with_statuses(a_plan(), **dict.fromkeys(LEAVES, "Completed"), GatherDescaleProjections="InProgress")
    descaling = standing(plan, Purpose.DESCALING)
    assert standing(plan).colour("2024-07-30") == "Green"
    assert descaling.colour("2024-07-20") == "Red", "the others are NotStarted"
    plan = with_statuses(plan, **dict.fromkeys(DESCALE_IDS[1:], "Completed"))
    descaling = standing(plan, Purpose.DESCALING)
    assert (descaling.colour("2024-07-20"), descaling.colour("2024-07-21")) == ("Yellow", "Red"), "6.2.6: 3 days after"
    assert descaling.awaited is not None
    assert (descaling.awaited.milestone_id, descaling.awaited.eta) == ("GatherDescaleProjections", "2024-07-20")


# -- order and pages -----------------------------------------------------------------------------------------------


# -- organizations -------------------------------------------------------------------------------------------------
