"""What follows an order by itself: its override begins and ends, its window closes, its event moves or goes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from services.hotw_svc.app.ports import InputKind
from tests.support.hotw_store import EVENT, FLEET, SERVICE, Replica, event_body, inventory_body, service_body, snapshot

pytestmark = pytest.mark.slow


async def statuses(hotw: Replica) -> tuple[list[str], list[str], list[tuple[str, str]]]:
    """The orders' and overrides' statuses of the first execution, and the overrides' windows."""
    first = (await hotw.executions())[-1]
    return (
        [order["FulfillmentStatus"] for order in first["FulfillmentDetails"]],
        [override["OverrideStatus"] for override in first["CapacityOverrideDetails"]],
        [(o["StartTime"][:10], o["EndTime"][:10]) for o in first["CapacityOverrideDetails"]],
    )


async def ordered(hotw: Replica) -> list[str]:
    await hotw.settle_in()
    return [order["FulfillmentId"] for order in (await hotw.execute())["FulfillmentDetails"]]


async def test_an_approved_override_starts_and_ends_by_the_clock_and_what_is_open_expires(hotw: Replica) -> None:
    orders = await ordered(hotw)
    for order in orders[:2]:
        await hotw.review(order, "Approve")
    await hotw.deliver(orders[0], 20)
    assert await hotw.sweep() == 0
    hotw.clock.set("2024-07-15T00:00:00Z")
    assert await hotw.sweep() == 1
    assert (await statuses(hotw))[1] == ["Started", "Started", "Proposed"]
    assert await hotw.sweep() == 0
    hotw.clock.set("2024-07-19T00:00:00Z")
    assert await hotw.sweep() == 1
    assert (await statuses(hotw))[:2] == (["Fulfilled", "Expired", "Expired"], ["Expired", "Expired", "Expired"])
    assert await hotw.sweep() == 0
    broker = await hotw.published()
    assert broker.facts("hotw.override.started")[0]["FulfillmentIds"] == orders[:2]
    assert broker.facts("hotw.order.expired")[0]["FulfillmentIds"] == orders[1:]
    assert len(broker.facts("hotw.override.expired")) == 1
    numbers = [message.body()["OrdersVersionId"] for message in broker.taken if "#" in message.key]
    assert numbers == sorted(set(numbers))


async def test_a_moved_event_moves_its_overrides(hotw: Replica) -> None:
    await ordered(hotw)
    assert (await statuses(hotw))[2] == [("2024-07-15", "2024-07-19")] * 3
    moved = event_body(3, PeakStartDate="2024-07-20", PeakEndDate="2024-07-21", EmergentScaleStartDate="2024-07-13")
    await hotw.keep("event", snapshot(EVENT, moved))
    assert (await statuses(hotw))[2] == [("2024-07-19", "2024-07-23")] * 3


async def test_an_inactive_event_cancels_what_nobody_approved(hotw: Replica) -> None:
    orders = await ordered(hotw)
    await hotw.review(orders[0], "Approve")
    await hotw.keep("event", snapshot(EVENT, event_body(3, IsActive=False)))
    assert (await statuses(hotw))[:2] == (["Approved", "Cancelled", "Cancelled"], ["Cancelled"] * 3)
    reviewed = (await hotw.published()).facts("hotw.order.reviewed")
    assert [fact["FulfillmentIds"] for fact in reviewed[-2:]] == [orders[1:], orders[:1]]
    assert reviewed[-1]["User"] == "auto"
    await hotw.keep("event", snapshot(EVENT, event_body(4)))
    assert (await statuses(hotw))[1][0] == "Approved"


def facts_about_open(facts: list[dict[str, Any]]) -> list[list[str]]:
    """The orders of each fact about a withdrawal: here, that the event stopped being active."""
    return [fact["FulfillmentIds"] for fact in facts if fact.get("WithdrawalReason") == f"{EVENT} is not active."]


async def test_open_approved_orders_get_a_fact_each_time_their_event_stops_being_active(hotw: Replica) -> None:
    orders = await ordered(hotw)
    for order in orders[:2]:
        await hotw.review(order, "Approve")
    await hotw.deliver(orders[0], 5)
    await hotw.keep("event", snapshot(EVENT, event_body(3, IsActive=False)))
    await hotw.deliver(orders[0], 6)
    await hotw.review(orders[1], "Delay", FulfillmentDate="2024-07-01")
    hotw.clock.set("2024-07-01T00:00:00Z")
    await hotw.sweep()
    assert facts_about_open((await hotw.published()).facts("hotw.order.reviewed")) == [orders[:2]]
    await hotw.review(orders[1], "Cancel")
    await hotw.keep("event", snapshot(EVENT, event_body(4, IsActive=False, EventName="Prime Days")))
    assert facts_about_open((await hotw.published()).facts("hotw.order.reviewed")) == [orders[:2]]
    await hotw.keep("event", snapshot(EVENT, event_body(5)))
    await hotw.keep("event", snapshot(EVENT, event_body(6), deleted=True))
    reviewed = (await hotw.published()).facts("hotw.order.reviewed")
    assert facts_about_open(reviewed) == [orders[:2], orders[:1]]
    assert reviewed[-1]["OrdersVersionId"] == max(fact["OrdersVersionId"] for fact in reviewed)


async def test_an_event_without_approved_orders_gives_no_fact_about_open_ones(hotw: Replica) -> None:
    await ordered(hotw)
    await hotw.keep("event", snapshot(EVENT, event_body(3, IsActive=False)))
    assert facts_about_open((await hotw.published()).facts("hotw.order.reviewed")) == []


async def test_a_run_that_meets_the_event_already_off_does_not_stand_for_its_settling(hotw: Replica) -> None:
    orders = await ordered(hotw)
    await hotw.review(orders[0], "Approve")
    run = await hotw.start()
    gone = snapshot(EVENT, event_body(3, IsActive=False))
    await hotw.store.write(lambda unit: unit.inputs.put(InputKind.EVENT, [gone]))
    await hotw.work(run["RunId"])
    assert await hotw.sweep() == 1
    assert (await statuses(hotw))[0] == ["Approved", "Cancelled", "Cancelled"]
    assert facts_about_open((await hotw.published()).facts("hotw.order.reviewed")) == [orders[:1]]
    assert await hotw.sweep() == 0


async def test_a_deleted_event_cancels_too_and_an_older_version_brings_nothing_back(hotw: Replica) -> None:
    await ordered(hotw)
    await hotw.keep("event", snapshot(EVENT, event_body(4), deleted=True))
    assert (await statuses(hotw))[0] == ["Cancelled"] * 3
    await hotw.keep("event", snapshot(EVENT, event_body(3)))
    assert (await statuses(hotw))[0] == ["Cancelled"] * 3


async def test_an_event_handled_twice_changes_nothing_more(hotw: Replica, another: Callable[[], Replica]) -> None:
    await ordered(hotw)
    gone = snapshot(EVENT, event_body(3, IsActive=False))
    await hotw.keep("event", gone)
    before = len((await hotw.published()).taken)
    await another().keep("event", gone)
    assert len((await hotw.published()).taken) == before


async def test_an_event_kept_but_not_acted_on_is_acted_on_by_the_sweep(hotw: Replica) -> None:
    await ordered(hotw)
    gone = snapshot(EVENT, event_body(3, IsActive=False))
    await hotw.store.write(lambda unit: unit.inputs.put(InputKind.EVENT, [gone]))
    assert (await statuses(hotw))[0] == ["Pending"] * 3
    assert await hotw.sweep() == 1
    assert (await statuses(hotw))[0] == ["Cancelled"] * 3


async def test_inputs_never_go_back_whatever_the_order_of_arrival(hotw: Replica) -> None:
    await hotw.settle_in()
    newer, older = service_body(version=5, Owner="new@x"), service_body(version=4, Owner="old@x")
    late = inventory_body(hosts=10, as_of="2024-06-14T06:00:00.000Z")
    early = inventory_body(hosts=20, as_of="2024-06-13T00:00:00.000Z")
    for services, inventories in (([older, newer], [late]), ([older], [early]), ([newer], [late])):
        await hotw.keep("service", *(snapshot(SERVICE, body) for body in services))
        await hotw.keep("inventory", *(snapshot(FLEET, body) for body in inventories))
        known = await hotw.inputs()
        assert known["Service"] == {"VersionId": 5}
        assert known["Inventory"] == {"AsOf": "2024-06-14T06:00:00.000Z", "HostsPresent": 10}


async def test_numbers_are_given_once_and_never_change(hotw: Replica) -> None:
    await hotw.settle_in()
    first = await hotw.store.read(lambda unit: unit.inputs.unknown_fleets([FLEET, "X"]))
    assert first == ["X"]
    execution = await hotw.execute()
    await hotw.keep("fleet", snapshot(FLEET, {**_fleet(), "VersionId": 9}, deleted=True))
    await hotw.keep("fleet", snapshot(FLEET, {**_fleet(), "VersionId": 10}))
    again = await hotw.execute()
    assert again["FleetVersionId"] == 10
    assert again["Status"] == "Success"
    assert execution["FulfillmentDetails"][0]["FulfillmentId"] == "F1-1-1"


def _fleet() -> dict[str, object]:
    from tests.support.hotw_store import fleet_body

    return fleet_body()
