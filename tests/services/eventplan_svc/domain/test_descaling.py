"""The descale milestones: what completes each, and what does not (7.12.17 to 7.12.20)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from services.eventplan_svc.domain.facts import NO_FACTS, BAUTraffic, Facts, Hardware
from services.eventplan_svc.domain.lifecycle import refreshed
from services.eventplan_svc.domain.plan import Plan
from tests.support.plans import INPUTS, a_plan, applied, at, by_hand, execution, hardware, inputs, refresh, state

GATHER = "GatherDescaleProjections"
PLACE = "PlaceDescaleOrder"
FULFILL = "DescaleFulfillment"
RESTORE = "RestoreThrottling"
DESCALE = (GATHER, PLACE, FULFILL, RESTORE)


def descaled(status: str = "Success", version: int = 1, *, bau: int | None = 33_334, **members: Any) -> Hardware:
    """A fact of Descaling: 62 of 150 hosts are to go."""
    given = {"CapacityOverrideSum": 62, "RequiredHosts": 88, "OrderedHosts": 0, "BAUTPM": bau, **members}
    return hardware(version, when="07-20", run=execution(status, **given))


def traffic(*, known: bool = True) -> BAUTraffic:
    return BAUTraffic(1, "2024-06-01T09:00:00.000Z", known)


def after(facts: Facts, *, capacity: int = 150, changed: str = "", plan: Plan | None = None) -> Plan:
    of = inputs(fleet={"desired_capacity": capacity, "changed_at": changed})
    return refresh(plan or a_plan(), facts, of=of, now=at("07-20"))


def states(plan: Plan) -> list[str | None]:
    return [state(plan, name)[0] for name in DESCALE]


def test_nothing_is_started_before_there_is_a_fact() -> None:
    assert states(after(NO_FACTS)) == ["NotStarted"] * 4


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        (Facts(bau=traffic()), ("Completed", "BAUTPM is known")),
        (Facts(bau=traffic(known=False)), ("NotStarted", None)),
        (Facts(descale=descaled(bau=20_000)), ("Completed", "BAUTPM is known")),
        (Facts(descale=descaled("Fail", bau=None)), ("PendingOnServiceOwner", "BAUTPM is not known")),
        (Facts(descale=descaled("Fail", bau=None), bau=traffic()), ("Completed", "BAUTPM is known")),
    ],
)
def test_descale_projections_are_gathered_with_a_bautpm(facts: Facts, expected: tuple[str, str | None]) -> None:
    """7.12.17: by the fleet's traffic, or by what an execution took, such as a custom input's."""
    assert state(after(facts), GATHER) == expected


@pytest.mark.parametrize(
    ("fact", "expected"),
    [
        (descaled(), ("Completed", "62 hosts to descale via HOTW")),
        (descaled(CapacityOverrideSum=1), ("Completed", "1 host to descale via HOTW")),
        (descaled(CapacityOverrideSum=0), ("Completed", "Nothing to descale")),
        (descaled("Fail", Reasoning="No BAUTPM"), ("Blocked", "No BAUTPM")),
    ],
)
def test_the_descale_order_is_placed_with_a_success(fact: Hardware, expected: tuple[str, str]) -> None:
    """7.12.18"""
    assert state(after(Facts(descale=fact)), PLACE) == expected


def test_descaling_is_fulfilled_when_the_reported_capacity_is_down_to_the_target() -> None:
    """7.12.19: both ways, as the capacity changes."""
    facts = Facts(descale=descaled())
    plan = after(facts)
    assert state(plan, FULFILL) == ("InProgress", "150 hosts reported, 88 is the target")
    plan = after(facts, capacity=89, changed="2024-07-21T09:00:00.000Z", plan=plan)
    assert state(plan, FULFILL) == ("InProgress", "89 hosts reported, 88 is the target")
    plan = after(facts, capacity=88, changed="2024-07-22T09:00:00.000Z", plan=plan)
    assert state(plan, FULFILL) == ("Completed", "88 hosts reported, 88 is the target")
    plan = after(facts, capacity=100, changed="2024-07-23T09:00:00.000Z", plan=plan)
    assert state(plan, FULFILL)[0] == "InProgress"
    assert state(after(Facts(descale=descaled("Fail", 2)), capacity=80, plan=plan), FULFILL) == ("NotStarted", None)


@pytest.mark.parametrize(
    ("day", "expected"),
    [
        ("07-17", ("NotStarted", None)),
        ("07-18", ("Completed", "Version 3 of the throttling is applied after the peak")),
    ],
)
def test_throttling_is_restored_by_limits_applied_after_the_peak(day: str, expected: tuple[str, str | None]) -> None:
    """7.12.20; the peak's last day is 07-17."""
    assert state(after(Facts(applied=applied(3, when=day))), RESTORE) == expected


def test_a_peak_that_moves_on_takes_a_restored_throttling_back() -> None:
    facts = Facts(applied=applied(3, when="07-18"))
    moved = inputs(event={"version": 2, "peak_end": "2024-07-19", "changed_at": "2024-07-18T12:00:00.000Z"})
    plan = refresh(after(facts), facts, of=moved, now=at("07-18", "12:00:01"))
    assert state(plan, RESTORE) == ("NotStarted", None)


def test_descaling_colours_no_plan_and_moves_no_milestone_of_the_peak() -> None:
    """6.2.10, 6.4.18b"""
    before = after(Facts(hardware=hardware(1)))
    plan = after(Facts(hardware=hardware(1), descale=descaled("Fail"), bau=traffic()), plan=before)
    assert (plan.milestones, plan.colour, plan.hosts_missing) == (
        before.milestones,
        before.colour,
        before.hosts_missing,
    )
    assert states(plan) == ["Completed", "Blocked", "NotStarted", "NotStarted"]


def test_a_person_s_word_stands_until_a_newer_fact() -> None:
    facts = Facts(descale=descaled())
    plan = by_hand(after(facts), PLACE, "PendingOnServiceOwner", "07-21", facts)
    assert state(after(facts, plan=plan), PLACE)[0] == "PendingOnServiceOwner"
    older = Facts(descale=replace(descaled("Fail", 2, Reasoning="late"), at="2024-07-20T10:00:00.000Z"))
    assert state(after(older, plan=plan), PLACE)[0] == "PendingOnServiceOwner"
    newer = Facts(descale=replace(descaled("Fail", 2, Reasoning="new"), at="2024-07-22T10:00:00.000Z"))
    assert state(after(newer, plan=plan), PLACE) == ("Blocked", "new")


def test_hotw_is_named_as_the_author_of_what_it_descales() -> None:
    by_run = refreshed(a_plan(), replace(INPUTS, facts=Facts(descale=descaled())), at("07-20"))
    by_traffic = refreshed(a_plan(), replace(INPUTS, facts=Facts(bau=traffic())), at("07-20"))
    assert by_run is not None
    assert by_traffic is not None
    assert (by_run.user, by_traffic.user) == ("HOTWAutomation", "EPICAutomation")
    assert by_traffic.message == "GatherDescaleProjections Completed"
