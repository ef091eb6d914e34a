"""7.8.17 to 7.8.21a: which rule approves the orders of an execution, and what becomes of them."""

from __future__ import annotations

from datetime import UTC, datetime
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.hotw_svc.adapters.inputs.facts import approval_rule
from services.hotw_svc.domain.orders.approval import ApprovalRule, Placing, approving_rule
from services.hotw_svc.domain.orders.override import OverrideStatus
from services.hotw_svc.domain.runs.execution import Execution
from services.hotw_svc.domain.runs.execution_facts import execution_facts
from shared.schemas.hotw_svc import FulfillmentStatus, OrderType
from tests.support.hotw_inputs import NOW, asg_name, order, override
from tests.support.hotw_inputs import run as run_fortress


def rule(rule_id: str = "small", version: int = 1, **criteria: Any) -> ApprovalRule:
    """A rule with criteria by their wire names."""
    return approval_rule({"RuleId": rule_id, "Name": "Small orders", "VersionId": version, **criteria})


def placing(**changes: Any) -> Placing:
    """Fifty hosts for a Tier1 fleet with 150 present."""
    given: dict[str, Any] = {
        "order_type": OrderType.STANDARD,
        "region": "us-east-1",
        "service_tier": "Tier1",
        "live_hosts": 50,
        "hosts_present": 150,
    }
    return Placing(**given | changes)


def run(*rules: ApprovalRule, now: datetime = NOW, **changes: Any) -> Execution:
    return run_fortress(now, approval_rules=rules, **changes)


@pytest.mark.parametrize(
    ("criteria", "fits"),
    [
        ({}, True),
        ({"ServiceTiers": ["Tier1", "Tier2"]}, True),
        ({"ServiceTiers": ["Tier2"]}, False),
        ({"Regions": ["us-east-1"]}, True),
        ({"Regions": ["eu-west-1"]}, False),
        ({"MaxHosts": 50}, True),
        ({"MaxHosts": 49}, False),
        ({"MaxHosts": 0}, False),
        ({"MaxPercentage": 33.333334}, True),
        ({"MaxPercentage": 33.333333}, False),
        ({"ServiceTiers": ["Tier1"], "Regions": ["us-east-1"], "MaxHosts": 50, "MaxPercentage": 40}, True),
        ({"ServiceTiers": ["Tier1"], "Regions": ["us-east-1"], "MaxHosts": 50, "MaxPercentage": 30}, False),
    ],
)
def test_every_criterion_that_is_given_binds(criteria: dict[str, Any], fits: bool) -> None:
    """7.8.18, 7.8.21a"""
    assert (approving_rule([rule(**criteria)], placing()) is not None) is fits


def test_no_rule_approves_an_emergent_execution() -> None:
    """7.8.18"""
    assert approving_rule([rule()], placing(order_type=OrderType.EMERGENT)) is None
    emergent = run(rule(), run={"order_type": OrderType.EMERGENT})
    assert {o.status for o in emergent.orders} == {FulfillmentStatus.PENDING}


def test_a_service_without_a_tier_fits_no_rule_that_names_tiers() -> None:
    """7.8.18"""
    assert approving_rule([rule(ServiceTiers=["Tier1"])], placing(service_tier=None)) is None
    assert approving_rule([rule()], placing(service_tier=None)) is not None


@pytest.mark.parametrize("present", [0, -5])
def test_a_percentage_of_no_hosts_lets_no_order_pass(present: int) -> None:
    assert approving_rule([rule(MaxPercentage=100)], placing(hosts_present=present)) is None


def test_of_several_rules_that_fit_the_first_by_rule_id_approves() -> None:
    """7.8.21a"""
    rules = [rule("c"), rule("B", MaxHosts=10), rule("b", version=4), rule("a", Regions=["eu-west-1"])]
    found = approving_rule(rules, placing())
    assert found is not None
    assert (found.rule_id, found.version_id) == ("b", 4)


@given(
    live=st.integers(1, 10**6),
    present=st.integers(0, 10**6),
    most=st.integers(0, 10**6),
    percentage=st.fractions(0, 10**4, max_denominator=10**6),
)
def test_both_bounds_are_exact(live: int, present: int, most: int, percentage: Fraction) -> None:
    """7.8.19"""
    bounded = ApprovalRule(rule_id="r", version_id=1, max_hosts=most, max_percentage=percentage)
    fits = approving_rule([bounded], placing(live_hosts=live, hosts_present=present)) is not None
    assert fits == (live <= most and Fraction(live) <= percentage / 100 * present)


def test_all_orders_of_the_execution_are_approved_and_each_names_its_rule() -> None:
    """7.8.20, 7.8.21"""
    done = run(rule(MaxHosts=50, version=3))
    assert {(o.status, o.approved_at, o.status_since, o.decided_by, o.approval_rule) for o in done.orders} == {
        (FulfillmentStatus.APPROVED, NOW, NOW, "auto", "small")
    }
    assert {o.reason for o in done.orders} == {"Approved by the approval rule small, version 3"}
    assert (
        "Approved by the approval rule small, version 3: 50 hosts on order or delivered for PD2024 (at most 50)."
        in done.reasoning
    )
    assert [o.eap_enabled for o in done.asgs] == [True, True, True]  # 7.7.3


def test_live_orders_of_earlier_executions_are_in_the_sum() -> None:
    """7.8.19: dead ones and those of another Event are not, and the earlier orders themselves stay as they are."""
    earlier = order("a", status=FulfillmentStatus.PENDING)
    dead = order("b", status=FulfillmentStatus.REJECTED)
    elsewhere = order("c", event_id="SUMMER")
    orders = (earlier, dead, elsewhere)
    assert run(rule(MaxHosts=50), orders=orders).approval_rule is not None  # 20 before, 30 now
    refused = run(rule(MaxHosts=49), orders=orders)
    assert refused.approval_rule is None
    assert {o.status for o in refused.orders} == {FulfillmentStatus.PENDING}
    assert "rule" not in refused.reasoning


def test_an_override_whose_orders_a_rule_approves_is_in_force_at_once() -> None:
    """7.9.4 to 7.9.6"""
    done = run(rule())
    assert [(o.status, o.value) for o in done.overrides] == [
        (OverrideStatus.APPROVED, 70),
        (OverrideStatus.APPROVED, 70),
        (OverrideStatus.APPROVED, 60),
    ]


def test_an_execution_publishes_its_approval_after_its_orders() -> None:
    """7.7.9, 7.7.10"""
    done = run(rule())
    ids = tuple(o.fulfillment_id for o in done.orders)
    assert [(fact.topic, fact.order_ids) for fact in execution_facts(done)] == [
        ("hotw.execution.completed", ids),
        ("hotw.order.placed", ids),
        ("hotw.order.reviewed", ids),
    ]
    assert [fact.topic for fact in execution_facts(run())] == ["hotw.execution.completed", "hotw.order.placed"]


def test_an_approval_inside_the_window_begins_the_overrides_and_says_so() -> None:
    """7.9.9: one that had begun before is not announced again, and its earlier order is among the ASG's."""
    inside = datetime(2024, 7, 15, 8, tzinfo=UTC)
    running = override("a", status=OverrideStatus.STARTED)
    had = order("a", status=FulfillmentStatus.APPROVED, approved_at=NOW, value=10)
    done = run(rule(), now=inside, overrides=(running,), orders=(had,))
    assert {o.asg_name: (o.status, o.start) for o in done.overrides} == {
        asg_name("a"): (OverrideStatus.STARTED, running.start),
        asg_name("b"): (OverrideStatus.STARTED, inside),
        asg_name("c"): (OverrideStatus.STARTED, inside),
    }
    begun = execution_facts(done)[-1]
    assert begun.topic == "hotw.override.started"
    assert begun.order_ids == tuple(o.fulfillment_id for o in done.orders if o.asg_name != asg_name("a"))


def test_an_approval_raises_other_events_whose_peak_counts_its_hosts() -> None:
    """7.9.4, ADR 0016"""
    window = run().inputs.event.override_window
    summer = override("a", event_id="SUMMER", run_id=3, value=50)
    before = run(overrides=(summer,), windows={"SUMMER": window})
    after = run(rule(), overrides=(summer,), windows={"SUMMER": window})
    assert [o.value for o in before.revalued_overrides] == []
    assert [o.value for o in after.revalued_overrides] == [70]
