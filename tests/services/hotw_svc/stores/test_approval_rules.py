"""Approval rules in the store: kept as a read model, applied in the transaction that places the orders (7.8.17)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import select

from services.hotw_svc.adapters import tables as t
from shared.errors import Conflict
from tests.support.hotw_store import (
    FLEET,
    SERVICE,
    Replica,
    fleet_body,
    many,
    rule_body,
    service_body,
    snapshot,
)

pytestmark = pytest.mark.slow


async def keep_rules(hotw: Replica, *bodies: dict[str, Any], deleted: bool = False) -> None:
    await hotw.keep("approval_rule", *(snapshot(body["RuleId"], body, deleted=deleted) for body in bodies))


async def test_a_rule_approves_what_it_fits_and_each_order_names_it(hotw: Replica) -> None:
    """7.8.17, 7.8.21, 7.7.3, 7.7.10"""
    await hotw.settle_in()
    await hotw.keep("service", snapshot(SERVICE, service_body(version=4, ServiceTier="Tier1")))
    await keep_rules(hotw, rule_body(ServiceTiers=["Tier1"], MaxHosts=50, MaxPercentage=40))
    execution = await hotw.execute()
    assert {
        (o["FulfillmentStatus"], o["DecidedBy"], o["ApprovalRule"], o["ApprovedAt"])
        for o in execution["FulfillmentDetails"]
    } == {("Approved", "auto", "small", execution["CreatedAt"])}
    assert {o["OverrideStatus"] for o in execution["CapacityOverrideDetails"]} == {"Approved"}
    assert [asg["EAPEnableStatus"] for asg in execution["ASGDetails"]] == [True, True, True]
    assert execution["InputVersions"]["ApprovalRule"] == {"RuleId": "small", "VersionId": 1}
    assert "Approved by the approval rule small, version 1: 50 hosts" in execution["Reasoning"]
    broker = await hotw.published()
    assert broker.topics[-5:-1] == [
        "hotw.run.started",
        "hotw.execution.completed",
        "hotw.order.placed",
        "hotw.order.reviewed",
    ]
    reviewed = broker.facts("hotw.order.reviewed")[0]
    assert reviewed["OrdersVersionId"] == 3
    assert {(o["FulfillmentStatus"], o["ApprovalRule"], o["EverApproved"]) for o in reviewed["Orders"]} == {
        ("Approved", "small", True)
    }
    order = await hotw.review(reviewed["FulfillmentIds"][0], "Cancel")
    assert (order["FulfillmentStatus"], order["ApprovalRule"], order["DecidedBy"]) == ("Cancelled", "small", "jsmith")
    assert (await hotw.published()).facts("hotw.order.reviewed")[-1]["OrdersVersionId"] == 4


async def test_a_rule_that_is_off_deleted_or_too_narrow_approves_nothing(hotw: Replica) -> None:
    """4.586c, 7.8.19, 7.8.20: the sum of all of the fleet's live orders for the Event is what a rule bounds."""
    await hotw.settle_in()
    await keep_rules(hotw, rule_body("off", Enabled=False), rule_body("narrow", MaxHosts=49), rule_body("gone"))
    await keep_rules(hotw, rule_body("gone", version=2), deleted=True)
    execution = await hotw.execute()
    assert {o["FulfillmentStatus"] for o in execution["FulfillmentDetails"]} == {"Pending"}
    assert {o["ApprovalRule"] for o in execution["FulfillmentDetails"]} == {None}
    await keep_rules(hotw, rule_body("off", version=2, MaxHosts=60))
    await hotw.keep("fleet", snapshot(FLEET, fleet_body(version=6, configuration={"MaxHostCount": 210})))
    more = await hotw.execute()
    assert {(o["FulfillmentStatus"], o["ApprovalRule"]) for o in more["FulfillmentDetails"]} == {("Approved", "off")}
    assert {o["FulfillmentStatus"] for o in (await hotw.executions())[1]["FulfillmentDetails"]} == {"Pending"}


async def test_one_fleets_rule_leaves_the_others_of_its_chunk_to_people(hotw: Replica) -> None:
    fleets = await many(hotw, 10)
    await hotw.keep("service", snapshot("Service-1", service_body("Service-1", 9, ServiceTier="Tier3")))
    await keep_rules(hotw, rule_body(ServiceTiers=["Tier3"]))
    await hotw.run(FleetIds=fleets)
    table = t.fulfillment_details
    query = select(t.fleet_index.c.FleetId, table.c.FulfillmentStatus).join(
        t.fleet_index, t.fleet_index.c.FleetIndexId == table.c.FleetIndexId
    )
    async with hotw.database.read() as connection:
        found = {tuple(row) for row in await connection.execute(query)}
    assert found == {(f, "Approved" if f in fleets[5:] else "Pending") for f in fleets}
    numbers = {
        (fact["FleetId"], fact["OrdersVersionId"]) for fact in (await hotw.published()).facts("hotw.order.placed")
    }
    assert numbers == {(fleet, 2) for fleet in fleets}


@pytest.mark.parametrize("first", ["Approve", "Cancel"])
async def test_an_approval_racing_a_cancel_ends_cancelled(
    hotw: Replica, another: Callable[[], Replica], first: str
) -> None:
    """7.8.4, 7.8.7: whichever comes first, no host of a cancelled order stays in its override."""
    await hotw.settle_in()
    order = (await hotw.execute())["FulfillmentDetails"][0]["FulfillmentId"]
    one, two = (hotw, another()) if first == "Approve" else (another(), hotw)
    decisions = [one.review(order, "Approve"), two.review(order, "Cancel")]
    outcomes = await asyncio.gather(*(decisions if first == "Approve" else reversed(decisions)), return_exceptions=True)
    assert all(isinstance(outcome, dict | Conflict) for outcome in outcomes)
    table = t.capacity_override_details
    async with hotw.database.read() as connection:
        values = (await connection.execute(select(table.c.OverrideValue, table.c.BaseCapacity))).all()
    execution = (await hotw.executions())[0]
    assert execution["FulfillmentDetails"][0]["FulfillmentStatus"] == "Cancelled"
    assert {value - base for value, base in values} == {0}


async def test_a_run_cancelled_while_a_rule_approves_has_all_of_a_fleet_or_nothing(
    hotw: Replica, another: Callable[[], Replica]
) -> None:
    """7.8.20, 7.13.7"""
    await hotw.settle_in()
    await keep_rules(hotw, rule_body())
    run = await hotw.start()
    other = another()
    await asyncio.gather(hotw.work(run["RunId"]), other.cancel(run["RunId"]), return_exceptions=True)
    executions = await hotw.executions()
    found = [(o["FulfillmentStatus"], o["FulfillmentValue"]) for e in executions for o in e["FulfillmentDetails"]]
    assert found in ([], [("Approved", 20), ("Approved", 20), ("Approved", 10)])
    facts = (await hotw.published()).facts("hotw.order.reviewed")
    assert [len(fact["FulfillmentIds"]) for fact in facts] == ([3] if found else [])


async def test_rules_cost_a_chunk_one_statement(hotw: Replica) -> None:
    """However many fleets and rules there are; and none is written twice."""
    fleets = await many(hotw, 12)
    taken = []
    for chunk, rules in ((fleets[:1], 0), (fleets[1:6], 1), (fleets[6:], 30)):
        await keep_rules(hotw, *(rule_body(f"r{n}") for n in range(rules)))
        run = await hotw.start(FleetIds=chunk)
        with hotw.statements() as seen:
            await hotw.work(run["RunId"])
        taken.append(len(seen))
        assert sum("read_model_approval_rule" in statement for statement in seen) == 1
    assert max(taken) - min(taken) < 3, "none for each fleet or rule, though a statement that lost a race is repeated"
