"""fleet_svc and event_svc whole: HTTP and commands lead to the same, and what happened is messages."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import orjson
import pytest

from shared.schemas.event_svc.event import EventSnapshot
from shared.schemas.fleet_svc.fleet import FleetSnapshot, InventoryReported
from shared.schemas.fleet_svc.projection import ProjectionSnapshot
from shared.schemas.fleet_svc.service import ServiceSnapshot
from shared.schemas.results import Outcome
from shared.settings import Settings
from tests.support.clock import FixedClock
from tests.support.fleet import Both, running
from tests.support.reference import EVENT, FLEET, INVENTORY, PROJECTION, SERVICE

pytestmark = pytest.mark.embedded

FLEET_ID = "FORTRESSService-NA-X0"
DOCUMENTS = [
    "/service/FORTRESSService",
    f"/fleet/{FLEET_ID}",
    f"/fleet/{FLEET_ID}/PD2024",
    f"/projection/{FLEET_ID}/PD2024",
]


async def ok(answer_: Any) -> dict[str, Any]:
    answer: httpx.Response = await answer_
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


async def by_http(stack: Both) -> None:
    await ok(stack.event.post("/event", json=EVENT))
    await ok(stack.fleet.post("/service", json=SERVICE))
    await ok(stack.fleet.post("/fleet", json=FLEET))
    await ok(stack.fleet.put(f"/fleet/{FLEET_ID}/inventory", json=INVENTORY))
    await ok(stack.fleet.post("/projection", json=PROJECTION))


async def by_commands(stack: Both) -> None:
    for topic, kind, body in (
        ("event.commands", "CreateEvent", EVENT),
        ("fleet.commands", "CreateService", SERVICE),
        ("fleet.commands", "CreateFleet", FLEET),
        ("fleet.commands", "ReportInventory", {"FleetId": FLEET_ID, **INVENTORY}),
        ("fleet.commands", "CreateProjection", PROJECTION),
    ):
        result = await stack.ask(topic, kind, body)
        assert result.outcome is Outcome.ACCEPTED, (kind, result)


@pytest.mark.parametrize("enter", [by_http, by_commands])
async def test_the_references_documents_by_either_door_come_to_the_same(stack: Both, enter: Any) -> None:
    await enter(stack)
    documents = [await ok(stack.fleet.get(path)) for path in DOCUMENTS] + [await ok(stack.event.get("/event/PD2024"))]
    assert [document["VersionId"] for document in documents] == [1] * 5
    assert documents[1]["HostInventory"]["HostsPresent"] == documents[2]["HostInventory"]["HostsPresent"] == 150
    assert documents[0]["Philosophy"] == SERVICE["Philosophy"]
    assert documents[3]["UpstreamProjections"] == PROJECTION["UpstreamProjections"]
    assert documents[4]["SPCOEventDatesByRegion"] == EVENT["SPCOEventDatesByRegion"]
    for topic, model, keys in (
        ("service.created", ServiceSnapshot, ["FORTRESSService"]),
        ("fleet.created", FleetSnapshot, [FLEET_ID, f"{FLEET_ID}#PD2024"]),
        ("fleet.inventory.reported", InventoryReported, [FLEET_ID]),
        ("projection.created", ProjectionSnapshot, [f"{FLEET_ID}#PD2024#Peak"]),
        ("event.created", EventSnapshot, ["PD2024"]),
    ):
        messages = await stack.published(topic)
        assert sorted(message.key for message in messages) == keys
        for message in messages:
            model.model_validate(message.body())
            assert message.type == topic
            assert message.source == ("event_svc" if topic == "event.created" else "fleet_svc")


async def test_a_command_is_refused_as_http_refuses(stack: Both) -> None:
    await by_http(stack)
    for kind, body, more in (
        ("CreateFleet", FLEET, {}),
        ("UpdateFleet", {"FleetId": FLEET_ID, "FleetConfiguration": {"HostThroughPutTPM": 0}}, {}),
        ("UpdateFleet", {"FleetId": FLEET_ID, "EventId": "PD2024", "ServiceId": "other"}, {}),
        ("UpdateFleet", {"FleetId": FLEET_ID, "ServiceId": "other"}, {"if_match": '"9"'}),
        ("UpdateFleet", {"FleetId": "none"}, {}),
        ("DeleteService", {"ServiceId": "none"}, {}),
        ("CreateProjection", {**PROJECTION, "FleetId": "none", "ProjectionId": "none#PD2024#Peak"}, {}),
        ("ReportInventory", {"FleetId": FLEET_ID, "HostsPresent": 1, "AsOf": "2030-01-01T00:00:00Z"}, {}),
        ("ReportInventory", {"FleetId": FLEET_ID, "HostsPresent": 1}, {"if_match": '"1"'}),
    ):
        by_message = await stack.ask("fleet.commands", kind, body, **more)
        assert by_message.outcome is Outcome.REFUSED, kind
        verb = {"C": "POST", "U": "PUT", "D": "DELETE", "R": "PUT"}[kind[0]]
        path = {
            "CreateFleet": "/fleet",
            "CreateProjection": "/projection",
            "DeleteService": "/service/none",
            "ReportInventory": f"/fleet/{FLEET_ID}/inventory",
        }.get(kind) or f"/fleet/{body['FleetId']}" + (f"/{body['EventId']}" if "EventId" in body else "")
        headers = {"If-Match": more["if_match"]} if more else {}
        over_http = await stack.fleet.request(verb, path, json=body if verb != "DELETE" else None, headers=headers)
        problem = over_http.json()
        del problem["instance"]
        assert by_message.problem is not None
        assert (by_message.problem["type"], by_message.problem["status"]) == (problem["type"], problem["status"]), kind
        assert by_message.problem.get("errors") == problem.get("errors"), kind


@pytest.mark.parametrize("written", ["10.000000000000000001", '"10.000000000000000001"', "0.1234567", "1e-7"])
async def test_a_decimal_of_more_than_six_places_is_refused_by_either_door_2_15c(stack: Both, written: str) -> None:
    configuration = {**FLEET["FleetConfiguration"], "BufferPercentage": orjson.Fragment(written)}
    body = {**FLEET, "FleetConfiguration": configuration}
    content = {"Content-Type": "application/json"}

    over_http = await stack.fleet.post("/fleet", content=orjson.dumps(body), headers=content)
    by_message = await stack.ask("fleet.commands", "CreateFleet", body)

    errors = [{"pointer": "/FleetConfiguration/BufferPercentage", "detail": "give at most 6 decimal places"}]
    assert (over_http.status_code, over_http.json()["errors"]) == (400, errors)
    assert by_message.problem is not None
    assert (by_message.problem["status"], by_message.problem["errors"]) == (400, errors)


async def test_a_decimal_is_stored_and_published_as_it_was_given_2_15(stack: Both) -> None:
    written = "2147483646.123457"
    configuration = {**FLEET["FleetConfiguration"], "BufferPercentage": orjson.Fragment(written), "CTFactor": "0.1"}
    assert (await stack.ask("fleet.commands", "CreateFleet", {**FLEET, "FleetConfiguration": configuration})).id

    read = await stack.fleet.get(f"/fleet/{FLEET_ID}")
    (event,) = [one for one in await stack.published("fleet.created") if one.key == FLEET_ID]
    for text in (read.text, event.data.decode()):
        assert f'"BufferPercentage":{written}' in text
        assert '"CTFactor":0.1,' in text


async def test_a_redelivered_command_changes_nothing_and_gets_its_first_answer(stack: Both) -> None:
    create = stack.command("fleet.commands", "CreateFleet", FLEET, id="c-1")
    first = await stack.ask("fleet.commands", "CreateFleet", FLEET, id="c-1")
    await ok(stack.fleet.put(f"/fleet/{FLEET_ID}/PD2024", json={"FleetConfiguration": {"MaxHostCount": 300}}))
    await stack.send(create, create)
    again = await stack.ask("fleet.commands", "CreateFleet", FLEET, id="c-1")
    assert (again.outcome, again.id, again.version_id) == (first.outcome, first.id, first.version_id)
    await stack.ask("fleet.commands", "UpdateFleet", {"FleetId": FLEET_ID, "EventId": "PD2024"}, id="c-2")
    other = await stack.ask("fleet.commands", "UpdateFleet", {"FleetId": FLEET_ID, "EventId": "BF"}, id="c-2")
    assert other.problem is not None
    assert other.problem["type"] == "urn:epic:problem:id-reused"
    assert len(await stack.published("fleet.created")) == 2
    assert (await ok(stack.fleet.get(f"/fleet/{FLEET_ID}/PD2024")))["FleetConfiguration"]["MaxHostCount"] == 300


async def test_a_refused_command_stays_refused_when_it_comes_again_3_39(stack: Both) -> None:
    create = stack.command("fleet.commands", "CreateProjection", PROJECTION, id="c-1")
    first = await stack.ask("fleet.commands", "CreateProjection", PROJECTION, id="c-1")
    await by_http(stack)
    await ok(stack.fleet.delete(f"/projection/{FLEET_ID}/PD2024"))
    await stack.send(create)
    again = await stack.ask("fleet.commands", "CreateProjection", PROJECTION, id="c-1")

    assert first.problem is not None
    assert (first.problem["status"], again.problem) == (404, first.problem)
    assert (await stack.fleet.get(f"/projection/{FLEET_ID}/PD2024")).status_code == 404


async def test_an_unknown_command_is_refused_and_what_is_no_command_is_a_dead_letter(
    stack: Both,
) -> None:
    refused = await stack.ask("fleet.commands", "PaintFleet", {"FleetId": "F"})
    assert (refused.outcome, refused.problem and refused.problem["status"]) == (Outcome.REFUSED, 400)
    producer = stack.transport.producer()
    await producer.start()
    await producer.send("fleet.commands", b"\xff\xfe", b"F")
    await producer.stop()
    await stack.settled()
    [letter] = (await ok(stack.fleet.get("/dlq")))["Items"]
    assert (letter["Topic"], letter["Attempts"]) == ("fleet.commands", 1)
    assert "ce_id" in letter["Reason"]
    assert (await stack.fleet.post(f"/dlq/{letter['Id']}/replay")).status_code == 409
    await ok(stack.fleet.delete(f"/dlq/{letter['Id']}"))
    assert (await ok(stack.fleet.get("/dlq")))["Items"] == []


async def test_the_callers_ids_go_from_the_request_to_the_event(stack: Both) -> None:
    await ok(stack.event.post("/event", json=EVENT, headers={"X-Correlation-Id": "from-the-caller"}))
    (messages,) = await stack.published("event.created")
    assert messages.trace.correlation_id == "from-the-caller"
    assert (messages.id, messages.subject) == ("PD2024:1:event.created", "PD2024")


async def test_orders_that_hotw_publishes_are_shown(stack: Both) -> None:
    await by_http(stack)
    order = {
        "FulfillmentId": "F5-42-1",
        "ExecutionId": 1,
        "RunId": 5,
        "AutoScalingGroupName": "a",
        "AvailabilityZone": "us-east-1a",
        "FulfillmentType": "Standard",
        "FulfillmentStatus": "Pending",
        "FulfillmentValue": 20,
        "FulfillmentDate": "2024-06-29",
    }
    fact = {
        "EventId": "PD2024",
        "FleetId": FLEET_ID,
        "ServiceId": "FORTRESSService",
        "Purpose": "Upscaling",
        "OccurredAt": "2024-06-15T09:00:00Z",
    }
    newer = {**fact, "OrdersVersionId": 2, "Orders": [{**order, "FulfillmentStatus": "Approved", "EverApproved": True}]}
    older = {**fact, "OrdersVersionId": 1, "Orders": [order]}
    await stack.say(("hotw.order.reviewed", newer), ("hotw.order.placed", older))
    wanted = [
        {"EventId": "PD2024", "HostsPendingApproval": {}, "HostsApproved": {"us-east-1a": 20}, "HostsFulfilled": {}}
    ]
    await stack.settled()
    fleet = await ok(stack.fleet.get(f"/fleet/{FLEET_ID}"))
    assert fleet["HostOrderStatuses"] == wanted
    assert fleet["VersionId"] == 1


async def test_an_event_is_known_to_fleet_svc_once_it_is_published(stack: Both) -> None:
    """4.20."""
    assert (await stack.fleet.get("/fleet/event/PD2024")).status_code == 404
    await ok(stack.event.post("/event", json=EVENT))
    await ok(stack.event.delete("/event/PD2024"))
    await stack.settled()
    assert await ok(stack.fleet.get("/fleet/event/PD2024")) == {"Items": [], "NextCursor": None}


async def test_both_are_ready_and_say_what_they_are_made_of(stack: Both) -> None:
    for replica in stack.replicas:
        http = replica.http
        ready = await replica.ready()
        assert ready["Status"] == "Ready"
        assert set(ready["Checks"]) == {"store", "broker", "outbox", "consumers"}
        document = await ok(http.get("/asyncapi.json"))
        assert document["asyncapi"] == "3.0.0"
        assert "/dlq" in (await ok(http.get("/openapi.json")))["paths"]
        assert "epic_outbox_open" in (await http.get("/metrics")).text


async def test_a_restart_finds_everything_as_it_was(settings: Settings, clock: FixedClock) -> None:
    async with running(settings, clock) as stack:
        await by_http(stack)
        before = [(await stack.fleet.get(path)).content for path in DOCUMENTS]
    async with running(settings, clock) as stack:
        assert [(await stack.fleet.get(path)).content for path in DOCUMENTS] == before
        await ok(stack.fleet.put(f"/fleet/{FLEET_ID}", json={"FleetConfiguration": {"MaxHostCount": 1}}))
        assert [message.key for message in await stack.published("fleet.updated")] == [FLEET_ID]
        assert len(await stack.published("fleet.created")) == 2


async def test_writers_that_race_lose_nothing(stack: Both) -> None:
    await by_http(stack)
    names = [f"zone-{n}" for n in range(20)]
    answers = await asyncio.gather(
        *(
            stack.event.put("/event/PD2024", json={"SPCOEventDatesByRegion": {name: {"SPCOStartDate": "2024-05-15"}}})
            for name in names
        )
    )
    assert sorted(answer.json()["VersionId"] for answer in answers) == list(range(2, 22))
    assert set(names) <= set((await ok(stack.event.get("/event/PD2024")))["SPCOEventDatesByRegion"])
    assert [m.body()["VersionId"] for m in await stack.published("event.updated")] == list(range(2, 22))
