"""An approval rule as its owner publishes it, a review by command, and the milestones of the plan that follow both."""

from __future__ import annotations

from typing import Any

import pytest

from services.eventplan_svc.bootstrap import build as build_eventplan
from tests.support.embedded_stack import Replica
from tests.support.hotw_stack import Hotw
from tests.support.hotw_store import EVENT, FLEET, rule_body
from tests.support.scenario import milestone

pytestmark = pytest.mark.embedded


async def order_milestones(stack: Hotw, plans: Replica) -> list[tuple[str, str]]:
    """Status and message of PlaceHardwareOrder and HardwareOrderApproval, once all is taken in."""
    await stack.settled()
    plan: dict[str, Any] = await plans.get(f"/eventplan/{EVENT}/{FLEET}")
    subs = milestone(plan, "HardwareOrder")["SubMilestones"]
    return [(one["MilestoneCompletionStatus"], one.get("MilestoneMessage")) for one in subs]


async def test_the_plan_follows_a_rules_approval_and_a_review(stack: Hotw) -> None:
    """7.8.17, 7.8.22, 6.4.26 to 6.4.30"""
    hotw, plans = await stack.replica(), await stack.start(build_eventplan)
    await stack.say(("approvalrule.created", rule_body(MaxHosts=50)))
    await stack.company()
    await stack.settled()
    executed = await stack.ask("hotw.commands", "ExecuteFleet", {"EventId": EVENT, "FleetId": FLEET})
    assert executed.outcome == "Accepted"
    approved = ("Completed", "Order approved by AWS")
    assert await order_milestones(stack, plans) == [("Completed", "50 hosts ordered via HOTW"), approved]
    orders = (await hotw.get(f"/hotw/order?EventId={EVENT}"))["Items"]
    assert {order["ApprovalRule"] for order in orders} == {"small"}
    asked = {"Filter": {"EventId": EVENT, "Status": "Approved"}, "Decision": "Cancel", "Reason": "No budget"}
    refused = await stack.ask("hotw.commands", "ReviewOrders", asked | {"ExpectedCount": 4})
    assert (refused.outcome, refused.problem and refused.problem["status"]) == ("Refused", 409)
    review = await stack.ask("hotw.commands", "ReviewOrders", asked | {"ExpectedCount": 3})
    assert (review.outcome, review.id) == ("Accepted", "1")
    assert (await order_milestones(stack, plans))[1] == ("Blocked", "No budget")
