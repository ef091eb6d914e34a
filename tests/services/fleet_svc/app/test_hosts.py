"""A fleet's hosts: what is present, by inventory, and what is ordered, by HOTW's facts."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from services.fleet_svc.app.fleets import Fleets
from services.fleet_svc.app.hosts import on_orders_changed
from shared.cause import Cause
from shared.schemas.fleet_svc.fleet import InventoryReported
from shared.schemas.hotw_svc import HardwareFact
from shared.trace import Trace
from tests.support.clock import FixedClock
from tests.support.fixtures import Published
from tests.support.fleet import BARE, ok
from tests.support.http import pointers, version_of

pytestmark = pytest.mark.slow


async def test_an_inventory_is_shown_on_every_line_and_makes_no_version(
    http: httpx.AsyncClient, published: Published
) -> None:
    await ok(http.post("/fleet", json={**BARE, "EventId": "PD"}))
    body = {"HostsPresent": 150, "AsOf": "2024-06-15T08:00:00Z", "Source": "Apollo"}
    answer = await http.put("/fleet/F1/inventory", json=body)
    assert version_of(answer) == 1
    wanted = {"HostsPresent": 150, "AsOf": "2024-06-15T08:00:00.000Z", "Source": "Apollo"}
    for path in ("/fleet/F1", "/fleet/F1/PD", "/fleet/F1/other"):
        assert (await ok(http.get(path)))["HostInventory"] == wanted
    reported = (await published("F1"))[-1]
    assert reported.topic == "fleet.inventory.reported"
    assert reported.id == "F1:2024-06-15T08:00:00.000Z:fleet.inventory.reported"
    assert InventoryReported.model_validate(reported.body()).hosts_present == 150
    for stale in ({"HostsPresent": 1, "AsOf": "2024-06-15T07:59:59Z"}, {"HostsPresent": 1, "AsOf": wanted["AsOf"]}):
        assert (await ok(http.put("/fleet/F1/inventory", json=stale)))["HostInventory"] == wanted
    assert (await published("F1"))[-1] == reported
    future = await http.put("/fleet/F1/inventory", json={"HostsPresent": 1, "AsOf": "2024-06-15T09:00:01Z"})
    assert (future.status_code, pointers(future)) == (400, ["/AsOf"])
    now = await ok(http.put("/fleet/F1/inventory", json={"HostsPresent": "160"}))
    assert now["HostInventory"] == {"HostsPresent": 160, "AsOf": "2024-06-15T09:00:00.000Z"}
    assert (await ok(http.put("/fleet/F1", json={"ServiceId": "S2"})))["HostInventory"]["HostsPresent"] == 160


@pytest.mark.parametrize(
    ("path", "body", "status", "pointer"),
    [
        ("/fleet/F1/inventory", {"HostsPresent": -1}, 400, ["/HostsPresent"]),
        ("/fleet/F1/inventory", {}, 400, ["/HostsPresent"]),
        ("/fleet/F1/inventory", {"HostsPresent": 1, "Bogus": 1}, 400, ["/Bogus"]),
        ("/fleet/F1/inventory", {"HostsPresent": 1, "FleetId": "F2"}, 400, ["/FleetId"]),
        ("/fleet/F1/inventory", {"HostsPresent": 1, "AsOf": "2024-06-15T08:00:00"}, 400, ["/AsOf"]),
        ("/fleet/none/inventory", {"HostsPresent": 1}, 404, []),
        ("/fleet/event/inventory", {"HostsPresent": 1}, 400, ["/FleetId"]),
        ("/fleet/F1/versions", {}, 405, []),
        ("/fleet/none/PD", {}, 404, []),
    ],
)
async def test_bad_writes_are_named(
    http: httpx.AsyncClient, path: str, body: dict[str, Any], status: int, pointer: list[str]
) -> None:
    await ok(http.post("/fleet", json=BARE))
    answer = await http.put(path, json=body)
    assert answer.status_code == status, answer.text
    assert pointers(answer) == pointer


def fact(number: int, *orders: tuple[str, str, int, int, bool], purpose: str = "Upscaling") -> HardwareFact:
    return HardwareFact.model_validate(
        {
            "EventId": "PD",
            "FleetId": "F1",
            "ServiceId": "S1",
            "Purpose": purpose,
            "OrdersVersionId": number,
            "OccurredAt": "2024-06-15T09:00:00Z",
            "Orders": [
                {
                    "FulfillmentId": f"F5-42-{n}",
                    "ExecutionId": 1,
                    "RunId": 5,
                    "AutoScalingGroupName": f"asg-{n}",
                    "AvailabilityZone": zone,
                    "FulfillmentType": "Standard",
                    "FulfillmentStatus": status,
                    "EverApproved": approved,
                    "FulfillmentValue": value,
                    "FulfilledHosts": delivered,
                    "FulfillmentDate": "2024-06-29",
                }
                for n, (zone, status, value, delivered, approved) in enumerate(orders)
            ],
        }
    )


async def test_orders_are_shown_by_zone_from_the_newest_fact_whatever_order_they_come_in(
    http: httpx.AsyncClient, fleets: Fleets, clock: FixedClock, published: Published
) -> None:
    await ok(http.post("/fleet", json={**BARE, "EventId": "PD"}))
    before = await published()
    cause = Cause(clock.now(), "HOTWAutomation", Trace.begin())
    newest = fact(
        3,
        ("us-east-1a", "Pending", 20, 0, False),
        ("us-east-1a", "Delayed", 5, 0, False),
        ("us-east-1b", "Delayed", 20, 8, True),
        ("us-east-1b", "Approved", 2, 0, True),
        ("us-east-1c", "Fulfilled", 10, 10, True),
        ("us-east-1c", "Expired", 10, 3, True),
        ("us-east-1d", "Rejected", 10, 0, False),
    )
    await on_orders_changed([(newest, cause), (fact(2, ("us-east-1a", "Pending", 20, 0, False)), cause)], fleets=fleets)
    await on_orders_changed([(fact(1), cause), (fact(9, purpose="Descaling"), cause)], fleets=fleets)
    wanted = [
        {
            "EventId": "PD",
            "HostsPendingApproval": {"us-east-1a": 25},
            "HostsApproved": {"us-east-1b": 14},
            "HostsFulfilled": {"us-east-1b": 8, "us-east-1c": 13},
        }
    ]
    for path in ("/fleet/F1", "/fleet/F1/PD"):
        read = await http.get(path)
        assert (read.json()["HostOrderStatuses"], version_of(read)) == (wanted, 1)
    assert await published() == before
    await on_orders_changed([(fact(4).model_copy(update={"fleet_id": "gone"}), cause)], fleets=fleets)
