"""A fleet's own line and its lines for events: whose values are read, and what a change of either does."""

from __future__ import annotations

from datetime import timedelta

import httpx

from services.fleet_svc.app.fleets import Fleets
from shared.schemas.fleet_svc.fleet import FleetSnapshot
from tests.support.clock import FixedClock
from tests.support.fixtures import Published
from tests.support.fleet import BARE, ok
from tests.support.http import pointers

ASG = {"AutoScalingGroupName": "a", "AvailabilityZone": "us-east-1a", "DesiredCapacity": 5}


async def test_an_event_without_a_line_reads_the_base_until_the_first_put_makes_one(
    http: httpx.AsyncClient, published: Published
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
    assert [(message.topic, message.body()["VersionId"]) for message in await published("F1#PD2024")] == [
        ("fleet.created", 1)
    ]
    everything = await published()
    assert len(everything) == 4
    for message in everything:
        FleetSnapshot.model_validate(message.body())


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


async def test_an_existing_fleet_is_409_and_its_line_is_not_touched(http: httpx.AsyncClient, fleets: Fleets) -> None:
    await ok(http.post("/fleet", json=BARE))
    again = await http.post("/fleet", json={**BARE, "EventId": "PD"})
    assert (again.status_code, again.json()["type"]) == (409, "urn:epic:problem:exists")
    assert (await fleets.lines.list()).items == []


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


async def test_versions_are_those_of_the_line_where_there_is_one(http: httpx.AsyncClient) -> None:
    await ok(http.post("/fleet", json=BARE))
    await ok(http.put("/fleet/F1", json={"ServiceId": "S2"}))
    assert [v["VersionId"] for v in (await ok(http.get("/fleet/F1/PD/versions")))["Items"]] == [2, 1]
    assert (await ok(http.get("/fleet/F1/PD/versions/1")))["ServiceId"] == "S1"
    await ok(http.put("/fleet/F1/PD", json={"FleetConfiguration": {"MaxHostCount": 9}}))
    assert [v["VersionId"] for v in (await ok(http.get("/fleet/F1/PD/versions")))["Items"]] == [1]
    assert (await http.get("/fleet/F1/PD/versions/2")).status_code == 404
    assert (await ok(http.get("/fleet/F1/PD/versions/0")))["EventId"] == "PD"
    assert (await ok(http.get("/fleet/F1/versions/2")))["ServiceId"] == "S2"
    assert (await http.get("/fleet/none/PD/versions")).status_code == 404


async def test_an_empty_put_makes_no_line(http: httpx.AsyncClient, fleets: Fleets, published: Published) -> None:
    """3.30a, and 3.46b for the conditions."""
    base = await ok(http.post("/fleet", json=BARE))
    key = {"Idempotency-Key": "k"}
    for body, headers in (
        ({}, key),
        ({"AuditMetadata": {"Message": "looked at it"}}, {}),
        ({"VersionId": 7, "CapacityAsOf": None}, {}),
        ({}, {"If-Match": '"base-1"'}),
    ):
        answer = await http.put("/fleet/F1/PD", json=body, headers=headers)
        assert (answer.status_code, answer.headers["etag"], answer.json()) == (200, '"base-1"', base), body
    for stale in ('"base-2"', '"1"'):
        assert (await http.put("/fleet/F1/PD", json={}, headers={"If-Match": stale})).status_code == 412
    assert (await fleets.lines.list()).items == []
    assert len(await published()) == 1
    await ok(http.put("/fleet/F1/PD", json={"FleetConfiguration": {"MaxHostCount": 9}}))
    again = await http.put("/fleet/F1/PD", json={}, headers=key)
    assert (again.headers["etag"], again.json()) == ('"base-1"', base), "the same request gets its first answer"
    assert (await http.put("/fleet/F1/PD", json={})).headers["etag"] == '"1"'
