"""The atomic trigger and what follows an order: the reference's own example, to the host."""

from __future__ import annotations

from shared.schemas.hotw_svc import Purpose
from tests.support.hotw_store import FLEET, Replica


async def test_the_references_example_orders_fifty_hosts_as_twenty_twenty_ten(hotw: Replica) -> None:
    await hotw.settle_in()
    execution = await hotw.execute()
    assert execution["Status"] == "Success"
    assert execution["Needed"] == 220
    assert execution["RequiredHosts"] == 200
    assert execution["HostsPresentInApollo"] == 150
    assert execution["PendingEPICFMCHostOrder"] == 0
    assert execution["CapacityOverrideSum"] == execution["OrderedHosts"] == 50
    assert execution["BufferFactor"] == 1.1
    assert execution["PeakTPM"] == 50000
    assert execution["HostDistribution"] == {"c5.2xlarge": 50}
    assert execution["FleetId"] == FLEET
    assert execution["EventId"] == "PD2024"
    assert execution["ServiceId"] == "FORTRESSService"
    assert "FleetIndexId" not in execution
    assert [order["FulfillmentValue"] for order in execution["FulfillmentDetails"]] == [20, 20, 10]
    assert [asg["RecommendedOverrideValue"] for asg in execution["ASGDetails"]] == [20, 20, 10]
    assert [o["OverrideValue"] for o in execution["CapacityOverrideDetails"]] == [50, 50, 50]
    assert {o["OverrideStatus"] for o in execution["CapacityOverrideDetails"]} == {"Proposed"}


async def test_the_facts_are_numbered_and_say_all(hotw: Replica) -> None:
    await hotw.settle_in()
    execution = await hotw.execute()
    broker = await hotw.published()
    assert broker.topics == ["hotw.run.started", "hotw.execution.completed", "hotw.order.placed", "hotw.run.completed"]
    completed, placed = broker.facts("hotw.execution.completed")[0], broker.facts("hotw.order.placed")[0]
    assert (completed["OrdersVersionId"], placed["OrdersVersionId"]) == (1, 2)
    assert placed["Execution"]["ExecutionId"] == execution["ExecutionId"]
    assert placed["Execution"]["CapReason"] == "MaxHostCount"
    assert placed["FulfillmentIds"] == [order["FulfillmentId"] for order in placed["Orders"]]
    assert {order["ExecutionId"] for order in placed["Orders"]} == {execution["ExecutionId"]}
    assert placed["User"] == "jsmith"
    done = broker.facts("hotw.run.completed")[0]
    assert done["Services"] == [{"ServiceId": "FORTRESSService", "OrderingExecutions": 1, "OrderedHosts": 50}]
    assert done["ByStatus"] == {"Success": 1}
    assert done["RunStatus"] == "Completed"


async def test_a_second_execution_sees_the_first_ones_orders(hotw: Replica) -> None:
    await hotw.settle_in()
    first = await hotw.execute()
    second = await hotw.execute()
    assert second["PendingEPICFMCHostOrder"] == 50
    assert second["CapacityOverrideSum"] == 0
    assert second["FulfillmentDetails"] == []
    assert second["ExecutionId"] > first["ExecutionId"]


async def test_approval_and_delivery_move_override_dashboard_and_facts(hotw: Replica) -> None:
    await hotw.settle_in()
    orders = [order["FulfillmentId"] for order in (await hotw.execute())["FulfillmentDetails"]]
    approved = await hotw.review(orders[0], "Approve", Reason="fine")
    assert (approved["FulfillmentStatus"], approved["DecidedBy"], approved["Reason"]) == ("Approved", "jsmith", "fine")
    await hotw.review(orders[1], "Approve")
    await hotw.review(orders[2], "Reject", Reason="too dear")
    partly = await hotw.deliver(orders[0], 5)
    assert (partly["FulfillmentStatus"], partly["FulfilledHosts"]) == ("Approved", 5)
    whole = await hotw.deliver(orders[0], 20)
    assert (whole["FulfillmentStatus"], len(whole["Deliveries"])) == ("Fulfilled", 2)
    execution = (await hotw.executions())[0]
    asgs = (await hotw.queries.asgs(FLEET)).items
    board = (await hotw.queries.dashboard("PD2024", Purpose.UPSCALING)).items
    values = [(o["OverrideValue"], o["OverrideStatus"]) for o in execution["CapacityOverrideDetails"]]
    assert values == [(70, "Approved"), (70, "Approved"), (50, "Cancelled")]
    assert [asg["EAPEnableStatus"] for asg in asgs] == [True, True, False]
    fleet = board[0]["Fleets"][0]
    assert fleet["CapacityOverrideSum"] == 40
    assert (fleet["OrderedHosts"], fleet["ApprovedHosts"], fleet["FulfilledHosts"]) == (40, 40, 20)
    broker = await hotw.published()
    numbers = [message.body()["OrdersVersionId"] for message in broker.taken if "#" in message.key]
    assert numbers == list(range(1, len(numbers) + 1))
    assert broker.facts("hotw.order.reviewed")[-1]["FulfillmentIds"] == [orders[2]]
    assert [o["FulfillmentStatus"] for o in broker.facts("hotw.fulfillment.updated")[-1]["Orders"]] == [
        "Fulfilled",
        "Approved",
        "Rejected",
    ]
