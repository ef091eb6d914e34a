"""What becomes of orders and overrides when their fleet no longer takes part in the event (7.9.19 to 7.9.25)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from services.hotw_svc.app.ports import InputKind, Store
from shared.durability.read_model import Snapshot
from tests.support.hotw_store import (
    EVENT,
    FLEET,
    SERVICE,
    Replica,
    event_body,
    fleet_body,
    inventory_body,
    projection_body,
    service_body,
    snapshot,
)

pytestmark = pytest.mark.slow

ELSEWHERE = {"Region": "ap-south-1"}
CAUSES: dict[str, tuple[str, Snapshot, str]] = {
    "the fleet is deleted": (
        "fleet",
        snapshot(FLEET, fleet_body(version=6), deleted=True),
        f"Fleet {FLEET} was deleted.",
    ),
    "the fleet's region is another": (
        "fleet",
        snapshot(FLEET, fleet_body(version=6, configuration=ELSEWHERE)),
        f"Its region ap-south-1 is not in the RegionList of {EVENT} (us-east-1, eu-west-1, us-west-2).",
    ),
    "the service is deleted": (
        "service",
        snapshot(SERVICE, service_body(version=4), deleted=True),
        f"Its service {SERVICE} was deleted.",
    ),
    "the service is no longer Registered": (
        "service",
        snapshot(SERVICE, service_body(version=4, ServiceType="Onboarding")),
        f"Its service {SERVICE} is Onboarding, not Registered.",
    ),
    "the region is dropped": (
        "event",
        snapshot(EVENT, event_body(3, RegionList=["eu-west-1"])),
        f"Its region us-east-1 is not in the RegionList of {EVENT} (eu-west-1).",
    ),
}
BACK = {
    "fleet": snapshot(FLEET, fleet_body(version=9)),
    "service": snapshot(SERVICE, service_body(version=9)),
    "event": snapshot(EVENT, event_body(9)),
}


async def ordered(hotw: Replica) -> list[str]:
    """The fleet's three orders, the first of them approved."""
    await hotw.settle_in()
    orders = [order["FulfillmentId"] for order in (await hotw.execute())["FulfillmentDetails"]]
    await hotw.review(orders[0], "Approve")
    return orders


async def first_execution(hotw: Replica) -> dict[str, Any]:
    return (await hotw.executions())[-1]


def statuses(execution: dict[str, Any]) -> tuple[list[str], list[str]]:
    """The statuses of the execution's orders and of its overrides."""
    return (
        [order["FulfillmentStatus"] for order in execution["FulfillmentDetails"]],
        [override["OverrideStatus"] for override in execution["CapacityOverrideDetails"]],
    )


@pytest.mark.parametrize("cause", CAUSES)
async def test_a_withdrawn_fleet_loses_what_nobody_approved(cause: str, hotw: Replica) -> None:
    kind, change, reason = CAUSES[cause]
    orders = await ordered(hotw)
    await hotw.keep(kind, change)
    withdrawn = await first_execution(hotw)
    assert statuses(withdrawn) == (["Approved", "Cancelled", "Cancelled"], ["Cancelled"] * 3)
    assert {order.get("Reason") for order in withdrawn["FulfillmentDetails"][1:]} == {reason}
    reviewed = (await hotw.published()).facts("hotw.order.reviewed")
    assert [fact["FulfillmentIds"] for fact in reviewed if "WithdrawalReason" in fact] == [orders[:1]]
    assert reviewed[-1]["WithdrawalReason"] == reason
    await hotw.keep(kind, change)
    assert await hotw.sweep() == 0
    assert len((await hotw.published()).facts("hotw.order.reviewed")) == len(reviewed)
    await hotw.keep(kind, BACK[kind])
    assert statuses(await first_execution(hotw))[1] == ["Approved", "Cancelled", "Cancelled"]


async def test_a_service_withdraws_its_own_fleets_only(hotw: Replica) -> None:
    await ordered(hotw)
    await hotw.keep("service", snapshot("Other", service_body("Other")))
    await hotw.keep("fleet", snapshot("Other-1", fleet_body("Other-1", "Other")))
    await hotw.keep("projection", snapshot(f"Other-1#{EVENT}#Peak", projection_body("Other-1")))
    await hotw.keep("inventory", snapshot("Other-1", inventory_body("Other-1")))
    await hotw.execute("Other-1")
    await hotw.keep("service", snapshot("Other", service_body("Other", version=4), deleted=True))
    assert statuses((await hotw.executions("Other-1"))[0])[0] == ["Cancelled"] * 3
    assert statuses(await first_execution(hotw))[0] == ["Approved", "Pending", "Pending"]


@pytest.mark.parametrize(
    "change",
    [
        ("service", snapshot(SERVICE, service_body(version=4, Owner="new@x"))),
        ("fleet", snapshot(FLEET, fleet_body(version=6, configuration={"MaxHostCount": 150}))),
        ("fleet", snapshot(f"{FLEET}#{EVENT}", fleet_body(version=1, EventId=EVENT), deleted=True)),
    ],
)
async def test_a_change_that_withdraws_nothing_makes_no_book_due(change: tuple[str, Snapshot], hotw: Replica) -> None:
    await ordered(hotw)
    kind, state = change
    await hotw.store.write(lambda unit: unit.inputs.put(InputKind(kind), [state]))
    assert await hotw.sweep() == 0


async def test_a_fleet_that_came_to_a_service_not_known_yet_waits_for_its_event(hotw: Replica) -> None:
    """The events of services and of fleets arrive in any order."""
    await ordered(hotw)
    await hotw.keep("fleet", snapshot(FLEET, fleet_body(service_id="New", version=6)))
    assert statuses(await first_execution(hotw))[0] == ["Approved", "Pending", "Pending"]
    await hotw.keep("service", snapshot("New", service_body("New", version=1)))
    assert statuses(await first_execution(hotw))[0] == ["Approved", "Pending", "Pending"]
    await hotw.keep("fleet", snapshot(FLEET, fleet_body(service_id="Newer", version=7)))
    await hotw.keep("service", snapshot("Newer", service_body("Newer", version=1, ServiceType="Onboarding")))
    assert statuses(await first_execution(hotw))[0] == ["Approved", "Cancelled", "Cancelled"]


async def test_the_sweep_finishes_a_withdrawal_of_a_dead_process_despite_a_run(hotw: Replica) -> None:
    await ordered(hotw)
    run = await hotw.start()
    gone = snapshot(FLEET, fleet_body(version=6), deleted=True)
    await hotw.store.write(lambda unit: unit.inputs.put(InputKind.FLEET, [gone]))
    await hotw.work(run["RunId"])
    assert (await hotw.executions())[0]["Reasoning"] == f"Fleet {FLEET} was deleted after the run began."
    assert statuses(await first_execution(hotw))[0] == ["Approved", "Pending", "Pending"]
    assert await hotw.sweep() == 1
    assert statuses(await first_execution(hotw))[0] == ["Approved", "Cancelled", "Cancelled"]
    assert await hotw.sweep() == 0


async def test_an_execution_that_a_withdrawal_overtakes_orders_nothing(
    hotw: Replica, another: Callable[[], Replica], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The service is deleted after the fleet was worked out and before its execution is written."""
    await hotw.settle_in()
    gone = snapshot(SERVICE, service_body(version=4), deleted=True)
    meanwhile, load = another(), Store.read
    overtaken: list[set[str]] = []

    async def read_then_delete(store: Store, fn: Callable[..., Any]) -> Any:
        result = await load(store, fn)
        if isinstance(result, list) and not overtaken:
            overtaken.append(await meanwhile.store.write(lambda unit: unit.inputs.put(InputKind.SERVICE, [gone])))
        return result

    monkeypatch.setattr(Store, "read", read_then_delete)
    execution = await hotw.execute()
    assert overtaken == [{SERVICE}]
    assert (execution["Status"], execution["FulfillmentDetails"]) == ("Fail", [])
    assert execution["Reasoning"] == f"Its service {SERVICE} is not known."
