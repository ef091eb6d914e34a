"""hotw_svc and fleets of thousands of ASGs: large facts are published, and orders that none could hold are refused."""

from __future__ import annotations

from typing import Any

import pytest

from services.hotw_svc.app.orders import facts
from tests.support.embedded_stack import Replica
from tests.support.hotw_stack import COMPANY, Hotw
from tests.support.hotw_store import EVENT, FLEET, event_body, fleet_body, projection_body, service_body
from tests.support.waiting import eventually

pytestmark = pytest.mark.embedded
ATOMIC = f"/hotw/atomic/{FLEET}/{EVENT}"
_HOSTS = 10_000


async def company(stack: Hotw, replica: Replica, asgs: int) -> None:
    """A fleet of so many ASGs that needs ten thousand hosts and has none."""
    properties = [
        {
            "AutoScalingGroupName": f"FORTRESSService/NA/X0/Prod/{number:05}",
            "AvailabilityZone": "us-east-1a",
            "DesiredCapacity": 1,
            "MaxInstance": 1,
        }
        for number in range(asgs)
    ]
    configuration: dict[str, Any] = {"ASGProperties": properties, "MaxHostCount": 1_000_000}
    tpm = _HOSTS * 250
    await stack.say(
        ("event.created", event_body()),
        ("service.created", service_body()),
        ("fleet.created", fleet_body(configuration=configuration)),
        ("projection.created", projection_body(TotalInputTPM=tpm)),
        (
            "fleet.inventory.reported",
            {"FleetId": FLEET, "HostsPresent": 0, "AsOf": "2024-06-14T00:00:00.000Z", "Source": "Apollo"},
        ),
    )
    await eventually(
        lambda: replica.get(f"/hotw/inputs/{EVENT}/{FLEET}"),
        lambda held: held and all(held[name] for name in COMPANY),
        f"every input of {FLEET} is known",
    )


async def executed(replica: Replica) -> dict[str, Any]:
    """The fleet's execution, asked for until it is no longer under way."""
    answer = await eventually(
        lambda: replica.http.post(ATOMIC, headers={"Idempotency-Key": "execute"}),
        lambda answer: "retry-after" not in answer.headers,
        f"{FLEET} is executed",
    )
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def test_the_facts_of_six_thousand_orders_are_published(stack: Hotw) -> None:
    replica = await stack.replica()
    await company(stack, replica, 6_000)

    execution = await executed(replica)

    assert len(execution["FulfillmentDetails"]) == 6_000
    for topic in ("hotw.execution.completed", "hotw.order.placed"):
        (fact,) = await stack.published(topic)
        assert len(fact.data) > 1_900_000
        assert len(fact.body()["Orders"]) == 6_000
    await replica.ready()


async def test_too_many_orders_for_one_fact_are_not_placed_and_the_execution_names_it(
    stack: Hotw, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(facts, "_MOST_WITH_NEW_ORDERS", 20_000)
    replica = await stack.replica()
    await company(stack, replica, 100)

    execution = await executed(replica)

    assert (execution["Status"], execution["FulfillmentDetails"]) == ("Fail", [])
    assert "bytes, and 20000 are the most: order with fewer ASGs, or divide the fleet." in execution["Reasoning"]
    (fact,) = await stack.published("hotw.execution.completed")
    assert (fact.body()["Orders"], fact.body()["Execution"]["Status"]) == ([], "Fail")


async def test_a_reason_that_would_make_the_facts_too_large_is_refused(
    stack: Hotw, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(facts, "_MOST_WITH_REASONS", 15_000)
    replica = await stack.replica()
    await company(stack, replica, 10)
    order = (await executed(replica))["FulfillmentDetails"][0]["FulfillmentId"]

    refused = await stack.ask(
        "hotw.commands", "ReviewOrder", {"FulfillmentId": order, "Decision": "Reject", "Reason": "no" * 8_000}
    )
    taken = await stack.ask("hotw.commands", "ReviewOrder", {"FulfillmentId": order, "Decision": "Approve"})

    assert refused.problem is not None
    assert (refused.problem["status"], refused.problem["title"]) == (413, "Too many orders for one fact")
    assert taken.outcome == "Accepted"
