"""Fleets over HTTP: the fleet's own line, its lines for events, its hosts."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from typing import Any

import httpx
import pytest

from services.fleet_svc.app import Fleets, mend_lines, note_host_orders
from shared.cause import Cause
from shared.clock import FixedClock
from shared.schemas.fleet_svc import FleetSnapshot, InventoryReported
from shared.schemas.hotw_svc import HardwareFact
from shared.trace import Trace
from tests.doubles.documents import MemoryDocuments
from tests.doubles.http import pointers
from tests.flows.reference import FLEET, PROJECTION, SERVICE

BARE = {"FleetId": "F1", "ServiceId": "S1", "FleetConfiguration": {"Region": "us-east-1", "HostThroughPutTPM": 250}}
ASG = {"AutoScalingGroupName": "a", "AvailabilityZone": "us-east-1a", "DesiredCapacity": 5}
F = "/fleet/FORTRESSService-NA-X0"


async def ok(answer_: Any) -> dict[str, Any]:
    answer: httpx.Response = await answer_
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


async def test_the_references_documents_are_taken_as_they_stand(http: httpx.AsyncClient) -> None:
    await ok(http.post("/service", json=SERVICE))
    line = await ok(http.post("/fleet", json=FLEET))
    assert (line["EventId"], line["VersionId"], line["BaseVersionId"]) == ("PD2024", 1, 1)
    await ok(http.post("/projection", json=PROJECTION))
    base = await ok(http.get(F))
    assert "EventId" not in base
    assert base["FleetConfiguration"] == FLEET["FleetConfiguration"]
    assert base["FleetProjection"] == FLEET["FleetProjection"]
    assert await ok(http.get(f"{F}/PD2024")) == line
    service = await ok(http.get("/service/FORTRESSService"))
    assert service == service | {k: v for k, v in SERVICE.items() if k not in ("VersionId", "LatestVersionId")}
    for path in (F, f"{F}/PD2024", "/service/FORTRESSService", "/projection/FORTRESSService-NA-X0/PD2024"):
        read = await http.get(path)
        again = await http.put(path, json=read.json(), headers={"If-Match": read.headers["etag"]})
        assert (again.status_code, again.json()) == (200, read.json()), path


async def test_an_event_without_a_line_reads_the_base_until_the_first_put_makes_one(
    http: httpx.AsyncClient, bases: MemoryDocuments, lines: MemoryDocuments
) -> None:
    await ok(http.post("/fleet", json=BARE))
    await ok(http.put("/fleet/F1", json={"FleetConfiguration": {"BufferPercentage": 10}}))
    stand_in = await http.get("/fleet/F1/PD2024")
    assert (stand_in.headers["etag"], stand_in.json()["VersionId"]) == ('"base-2"', 2)
    made = await http.put("/fleet/F1/PD2024", json={"FleetConfiguration": {"MaxHostCount": 9}})
    assert (made.headers["etag"], made.json()["VersionId"], made.json()["BaseVersionId"]) == ('"1"', 1, 2)
    assert made.json()["FleetConfiguration"]["BufferPercentage"] == 10
    await ok(http.put("/fleet/F1", json={"FleetConfiguration": {"BufferPercentage": 20}}))
    assert (await ok(http.get("/fleet/F1/PD2024")))["FleetConfiguration"]["BufferPercentage"] == 10
    assert (await ok(http.get("/fleet/F1/other")))["FleetConfiguration"]["BufferPercentage"] == 20
    assert [(topic, key, data["VersionId"]) for topic, key, _, data in lines.published] == [
        ("fleet.created", "F1#PD2024", 1)
    ]
    for *_, data in (*bases.published, *lines.published):
        FleetSnapshot.model_validate(data)


async def test_if_match_of_a_stand_in_holds_only_while_it_stands_in(http: httpx.AsyncClient) -> None:
    await ok(http.post("/fleet", json=BARE))
    change = {"FleetConfiguration": {"MaxHostCount": 9}}
    first = {"If-Match": '"base-1"'}
    assert (await http.put("/fleet/F1/PD", json=change, headers={"If-Match": '"base-2"'})).status_code == 412
    assert (await http.put("/fleet/F1/PD", json=change, headers={"If-Match": '"1"'})).status_code == 412
    keyed = {**first, "Idempotency-Key": "k"}
    made = await http.put("/fleet/F1/PD", json=change, headers=keyed)
    assert made.status_code == 200
    assert (await http.put("/fleet/F1/PD", json=change, headers=first)).status_code == 412
    again = await http.put("/fleet/F1/PD", json=change, headers=keyed)
    assert (again.status_code, again.json()) == (200, made.json())
    assert (await http.put("/fleet/F1/PD", json=change, headers={"If-Match": '"1"'})).status_code == 200
    assert (await http.put("/fleet/F1", json=change, headers=first)).status_code == 412


async def test_an_existing_fleet_is_409_and_its_line_is_not_touched(
    http: httpx.AsyncClient, lines: MemoryDocuments
) -> None:
    await ok(http.post("/fleet", json=BARE))
    again = await http.post("/fleet", json={**BARE, "EventId": "PD"})
    assert (again.status_code, again.json()["type"]) == (409, "urn:epic:problem:exists")
    assert lines.heads == {}


@pytest.mark.parametrize("finished_by", ["the same key", "the same body", "the next start"])
async def test_a_crash_between_the_two_is_finished(
    http: httpx.AsyncClient, fleets: Fleets, lines: MemoryDocuments, clock: FixedClock, finished_by: str
) -> None:
    key = {"Idempotency-Key": "k"}
    lines.crash_on = "F1#PD"
    assert (await http.post("/fleet", json={**BARE, "EventId": "PD"}, headers=key)).status_code == 500
    lines.crash_on = None
    if finished_by == "the same key":
        assert (await ok(http.post("/fleet", json={**BARE, "EventId": "PD"}, headers=key)))["EventId"] == "PD"
    elif finished_by == "the same body":
        assert (await http.post("/fleet", json={**BARE, "EventId": "PD"})).status_code == 409
    else:
        await mend_lines(fleets, clock)
        await mend_lines(fleets, clock)
    line = await http.get("/fleet/F1/PD")
    assert (line.headers["etag"], line.json()["EventId"], line.json()["BaseVersionId"]) == ('"1"', "PD", 1)
    assert [key for _, key, *_ in lines.published] == ["F1#PD"]


async def test_a_line_keeps_its_service_and_region_and_follows_its_base_in_them(http: httpx.AsyncClient) -> None:
    await ok(http.post("/fleet", json={**BARE, "EventId": "PD"}))
    other = await http.put("/fleet/F1/PD", json={"ServiceId": "S2", "FleetConfiguration": {"Region": "eu-west-1"}})
    assert (other.status_code, pointers(other)) == (409, ["/ServiceId", "/FleetConfiguration/Region"])
    await ok(http.put("/fleet/F1", json={"ServiceId": "S2"}))
    line = await ok(http.get("/fleet/F1/PD"))
    assert (line["ServiceId"], line["VersionId"]) == ("S2", 2)


async def test_the_fleets_own_line_has_no_event(http: httpx.AsyncClient) -> None:
    await ok(http.post("/fleet", json=BARE))
    answer = await http.put("/fleet/F1", json={"EventId": "PD"})
    assert (answer.status_code, pointers(answer)) == (400, ["/EventId"])
    wrong = await http.put("/fleet/F1/PD", json={"EventId": "BF"})
    assert (wrong.status_code, pointers(wrong)) == (400, ["/EventId"])


async def test_a_deleted_fleet_takes_its_lines_with_it_and_comes_back_without_them(
    http: httpx.AsyncClient, lines: MemoryDocuments
) -> None:
    await ok(http.post("/fleet", json={**BARE, "EventId": "PD"}))
    assert (await ok(http.delete("/fleet/F1")))["Deleted"] is True
    assert (await http.get("/fleet/F1")).status_code == 404
    assert (await http.get("/fleet/F1/PD")).status_code == 404
    assert (await http.put("/fleet/F1/PD", json={})).status_code == 404
    assert (await http.delete("/fleet/F1")).status_code == 404
    assert [item["VersionId"] for item in (await ok(http.get("/fleet/F1/versions")))["Items"]] == [2, 1]
    assert [item["VersionId"] for item in (await ok(http.get("/fleet/F1/PD/versions")))["Items"]] == [2, 1]
    await ok(http.post("/fleet", json=BARE))
    assert (await http.get("/fleet/F1/PD")).headers["etag"] == '"base-3"'
    assert [topic for topic, *_ in lines.published] == ["fleet.created", "fleet.deleted"]


async def test_lines_that_a_broken_off_deletion_left_are_gone_after_the_next_start_or_creation(
    http: httpx.AsyncClient, fleets: Fleets, lines: MemoryDocuments, clock: FixedClock
) -> None:
    for fleet_id in ("F1", "F2"):
        await ok(http.post("/fleet", json={**BARE, "FleetId": fleet_id, "EventId": "PD"}))
        lines.crash_on = f"{fleet_id}#PD"
        assert (await http.delete(f"/fleet/{fleet_id}")).status_code == 500
        lines.crash_on = None
    await ok(http.post("/fleet", json=BARE))
    assert (await http.get("/fleet/F1/PD")).headers["etag"] == '"base-3"'
    await mend_lines(fleets, clock)
    assert await lines.latest("F2#PD") is None


async def test_a_line_begun_while_its_fleet_is_deleted_does_not_stay(
    http: httpx.AsyncClient, bases: MemoryDocuments, lines: MemoryDocuments
) -> None:
    await ok(http.post("/fleet", json=BARE))
    plain = lines.update

    async def deleted_meanwhile(*args: Any, **options: Any) -> Any:
        if await bases.latest("F1") is not None:
            await http.delete("/fleet/F1")
        return await plain(*args, **options)

    lines.update = deleted_meanwhile  # type: ignore[method-assign]
    assert (await http.put("/fleet/F1/PD", json={})).status_code == 404
    assert await lines.latest("F1#PD") is None


async def test_capacity_is_dated_by_the_last_change_of_its_value(http: httpx.AsyncClient, clock: FixedClock) -> None:
    first = await ok(http.post("/fleet", json=BARE | {"EventId": "PD"}))
    assert first["CapacityAsOf"] == "2024-06-15T09:00:00.000Z"
    clock.advance(timedelta(hours=1))
    two = [ASG, {**ASG, "AutoScalingGroupName": "b"}]
    changed = await ok(http.put("/fleet/F1", json={"FleetConfiguration": {"ASGProperties": two}}))
    assert changed["CapacityAsOf"] == "2024-06-15T10:00:00.000Z"
    clock.advance(timedelta(hours=1))
    for same in ({"ASGProperties": two[::-1]}, {"BufferPercentage": 5}, {"CapacityAsOf": None}):
        body = {"FleetConfiguration": same} if "CapacityAsOf" not in same else same
        assert (await ok(http.put("/fleet/F1", json=body)))["CapacityAsOf"] == "2024-06-15T10:00:00.000Z"
    assert (await ok(http.get("/fleet/F1/PD")))["CapacityAsOf"] == "2024-06-15T09:00:00.000Z"


async def test_every_fleet_is_listed_as_it_is_for_an_event(http: httpx.AsyncClient) -> None:
    for fleet_id, service, region in (("F1", "S1", "us-east-1"), ("F2", "S1", "eu-west-1"), ("F3", "S2", "us-east-1")):
        configuration = {"Region": region, "HostThroughPutTPM": 250}
        await ok(
            http.post("/fleet", json={"FleetId": fleet_id, "ServiceId": service, "FleetConfiguration": configuration})
        )
    await ok(http.put("/fleet/F2/PD", json={"FleetConfiguration": {"MaxHostCount": 9}}))
    listed = (await ok(http.get("/fleet/event/PD")))["Items"]
    assert [(item["FleetId"], item.get("EventId")) for item in listed] == [("F1", None), ("F2", "PD"), ("F3", None)]
    for query, found in (
        ("", ["F1", "F2", "F3"]), ("?ServiceId=S1", ["F1", "F2"]), ("?ServiceId=S1&Region=eu-west-1", ["F2"]),
        ("?Region=nowhere", []),
    ):  # fmt: skip
        assert [item["FleetId"] for item in (await ok(http.get(f"/fleet{query}")))["Items"]] == found
    page = await ok(http.get("/fleet/event/PD?Limit=2"))
    rest = await ok(http.get(f"/fleet/event/PD?Limit=2&Cursor={page['NextCursor']}"))
    assert [item["FleetId"] for item in rest["Items"]] == ["F3"]


async def test_versions_are_those_of_the_line_where_there_is_one(http: httpx.AsyncClient) -> None:
    await ok(http.post("/fleet", json=BARE))
    await ok(http.put("/fleet/F1", json={"ServiceId": "S2"}))
    assert [v["VersionId"] for v in (await ok(http.get("/fleet/F1/PD/versions")))["Items"]] == [2, 1]
    assert (await ok(http.get("/fleet/F1/PD/versions/1")))["ServiceId"] == "S1"
    await ok(http.put("/fleet/F1/PD", json={}))
    assert [v["VersionId"] for v in (await ok(http.get("/fleet/F1/PD/versions")))["Items"]] == [1]
    assert (await http.get("/fleet/F1/PD/versions/2")).status_code == 404
    assert (await ok(http.get("/fleet/F1/PD/versions/0")))["EventId"] == "PD"
    assert (await ok(http.get("/fleet/F1/versions/2")))["ServiceId"] == "S2"
    assert (await http.get("/fleet/none/PD/versions")).status_code == 404


async def test_an_inventory_is_shown_on_every_line_and_makes_no_version(
    http: httpx.AsyncClient, bases: MemoryDocuments, clock: FixedClock
) -> None:
    await ok(http.post("/fleet", json={**BARE, "EventId": "PD"}))
    body = {"HostsPresent": 150, "AsOf": "2024-06-15T08:00:00Z", "Source": "Apollo"}
    answer = await http.put("/fleet/F1/inventory", json=body)
    assert answer.headers["etag"] == '"1"'
    wanted = {"HostsPresent": 150, "AsOf": "2024-06-15T08:00:00.000Z", "Source": "Apollo"}
    for path in ("/fleet/F1", "/fleet/F1/PD", "/fleet/F1/other"):
        assert (await ok(http.get(path)))["HostInventory"] == wanted
    topic, key, event_id, data = bases.published[-1]
    assert (topic, key) == ("fleet.inventory.reported", "F1")
    assert event_id == "F1:2024-06-15T08:00:00.000Z:fleet.inventory.reported"
    assert InventoryReported.model_validate(data).hosts_present == 150
    told = len(bases.published)
    for stale in ({"HostsPresent": 1, "AsOf": "2024-06-15T07:59:59Z"}, {"HostsPresent": 1, "AsOf": wanted["AsOf"]}):
        assert (await ok(http.put("/fleet/F1/inventory", json=stale)))["HostInventory"] == wanted
    assert len(bases.published) == told
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
        ("/fleet/F1/versions", {}, 400, ["/EventId"]),
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
    http: httpx.AsyncClient, fleets: Fleets, bases: MemoryDocuments, clock: FixedClock
) -> None:
    await ok(http.post("/fleet", json={**BARE, "EventId": "PD"}))
    told = len(bases.published)
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
    await note_host_orders(fleets, [(newest, cause), (fact(2, ("us-east-1a", "Pending", 20, 0, False)), cause)])
    await note_host_orders(fleets, [(fact(1), cause), (fact(9, purpose="Descaling"), cause)])
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
        assert (read.json()["HostOrderStatuses"], read.headers["etag"]) == (wanted, '"1"')
    assert len(bases.published) == told
    await note_host_orders(fleets, [(fact(4).model_copy(update={"fleet_id": "gone"}), cause)])


async def test_a_projection_needs_its_fleet(http: httpx.AsyncClient) -> None:
    answer = await http.post("/projection", json=PROJECTION)
    assert answer.status_code == 404
    await ok(http.post("/fleet", json=FLEET))
    made = await ok(http.post("/projection", json=PROJECTION))
    assert made["ProjectionId"] == "FORTRESSService-NA-X0#PD2024#Peak"
    await ok(http.put("/projection/FORTRESSService-NA-X0/PD2024", json={"ManualOverride": None}))
    versions = await ok(http.get("/projection/FORTRESSService-NA-X0/PD2024/versions"))
    assert versions == await ok(http.get("/projection/FORTRESSService-NA-X0/PD2024/history"))
    assert [item["VersionId"] for item in versions["Items"]] == [2, 1]
    listed = await ok(http.get("/projection?EventId=PD2024"))
    assert [item["ProjectionId"] for item in listed["Items"]] == ["FORTRESSService-NA-X0#PD2024#Peak"]
    await ok(http.delete("/projection/FORTRESSService-NA-X0/PD2024"))
    assert (await http.get("/projection/FORTRESSService-NA-X0/PD2024")).status_code == 404


async def test_services_are_listed_by_type(http: httpx.AsyncClient) -> None:
    for service_id, kind in (("S1", "Registered"), ("S2", "Onboarding")):
        await ok(http.post("/service", json={"ServiceId": service_id, "ServiceType": kind, "Owner": "o@example.com"}))
    found = await ok(http.get("/service?ServiceType=Registered"))
    assert [item["ServiceId"] for item in found["Items"]] == ["S1"]


async def test_every_contract_the_openapi_document_refers_to_is_in_it(http: httpx.AsyncClient) -> None:
    document = await ok(http.get("/openapi.json"))
    referred = set(re.findall(r'"\$ref":\s*"#/components/schemas/([^"]+)"', json.dumps(document)))
    assert {"Fleet", "FleetRead", "Service", "ProjectionSnapshot", "Problem"} <= referred
    assert referred <= set(document["components"]["schemas"])
    assert set(document["paths"]["/fleet/{FleetId}/{EventId}"]) == {"get", "put"}
    put = document["paths"]["/fleet/{FleetId}/{EventId}"]["put"]
    assert [p["name"] for p in put["parameters"]] == ["FleetId", "EventId", "Idempotency-Key", "If-Match"]
    ids = [operation["operationId"] for path in document["paths"].values() for operation in path.values()]
    assert len(ids) == len(set(ids))
