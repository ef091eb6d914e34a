"""HOTW over HTTP: every route, what it answers, and what it refuses."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from functools import partial
from typing import Any

import httpx
import pytest

from services.hotw_svc.app.runs.start_run import start_run
from services.hotw_svc.app.runs.worker import run_worker
from services.hotw_svc.entrypoints.http import routes
from tests.support.hotw_store import EVENT, FLEET, Replica, fleet_body, service_body, snapshot
from tests.support.http import app_of, calling, pointers
from tests.support.waiting import eventually


@pytest.fixture
async def http(hotw: Replica) -> AsyncIterator[httpx.AsyncClient]:
    worker = run_worker(hotw.store, hotw.clock)
    await worker.start()
    commands = replace(hotw.commands, start_run=partial(start_run, store=hotw.store, wake_workers=worker.wake))
    app = app_of(routes(commands, hotw.queries, hotw.clock), keep_refusal=hotw.database.keep_refusal)
    async with calling(app) as client:
        yield client
    await worker.stop()


async def atomic(http: httpx.AsyncClient, **headers: str) -> httpx.Response:
    return await http.post(f"/hotw/atomic/{FLEET}/{EVENT}", headers=headers)


async def test_the_main_job_by_hand(hotw: Replica, http: httpx.AsyncClient) -> None:
    await hotw.settle_in()
    execution = (await atomic(http)).json()
    assert (execution["CapacityOverrideSum"], execution["Status"], execution["User"]) == (50, "Success", "anonymous")
    orders = [order["FulfillmentId"] for order in execution["FulfillmentDetails"]]
    approved = await http.put(f"/hotw/order/{orders[0]}", json={"Decision": "Approve", "Reason": "ok"})
    assert approved.json()["FulfillmentStatus"] == "Approved"
    delivered = await http.put(f"/hotw/order/{orders[0]}/delivery", json={"FulfilledHosts": "20"})
    assert delivered.json()["FulfillmentStatus"] == "Fulfilled"
    board = (await http.get(f"/hotw/dashboard/{EVENT}/Upscaling?LeaderAlias=jsmith")).json()
    fleet = board["Services"][0]["Fleets"][0]
    assert (fleet["FleetId"], fleet["CapacityOverrideSum"], fleet["FulfilledHosts"]) == (FLEET, 50, 20)
    assert (fleet["StatusReasoning"], fleet["ActionPendingOn"]) == ("1 of 3 orders approved", "AWS")
    assert (await http.get(f"/hotw/dashboard/{EVENT}/Upscaling?Owner=nobody")).json()["Services"] == []
    pending = (await http.get(f"/hotw/order?EventId={EVENT}&FleetId={FLEET}&Status=Pending")).json()
    assert [order["FulfillmentId"] for order in pending["Items"]] == orders[1:]
    history = (await http.get(f"/hotw/executionDetail/{EVENT}/{FLEET}")).json()
    assert [item["ExecutionId"] for item in history["Items"]] == [execution["ExecutionId"]]
    latest = (await http.get(f"/hotw/asgDetail/{FLEET}")).json()["Items"]
    assert [asg["EAPEnableStatus"] for asg in latest] == [True, False, False]
    seen = (await http.get(f"/hotw/asgDetail/{FLEET}/{execution['RunId']}")).json()["Items"]
    assert [asg["RecommendedOverrideValue"] for asg in seen] == [20, 20, 10]
    run = (await http.get(f"/hotw/run/{execution['RunId']}")).json()
    assert (run["RunStatus"], run["Executions"], run["OrderedHosts"]) == ("Completed", 1, 50)


async def test_a_run_started_over_http_is_worked_off_in_the_background(hotw: Replica, http: httpx.AsyncClient) -> None:
    await hotw.settle_in()
    started = await http.post("/hotw/run", json={"EventId": EVENT}, headers={"X-Epic-User": "jsmith"})
    run_id = started.json()["RunId"]

    async def look() -> dict[str, Any]:
        return dict((await http.get(f"/hotw/run/{run_id}")).json())

    run = await eventually(look, lambda seen: seen["RunStatus"] == "Completed", "the run to complete")
    assert (run["User"], run["ByStatus"]) == ("jsmith", {"Success": 1})
    assert (await http.put(f"/hotw/run/{run_id}/cancel")).status_code == 409


async def test_the_same_key_gets_the_first_answer_again(hotw: Replica, http: httpx.AsyncClient) -> None:
    refused = await atomic(http, **{"Idempotency-Key": "k1"})
    assert refused.status_code == 404
    await hotw.settle_in()
    assert (await atomic(http, **{"Idempotency-Key": "k1"})).json() == refused.json()
    first = await atomic(http, **{"Idempotency-Key": "k2"})
    assert first.status_code == 200
    assert (await atomic(http, **{"Idempotency-Key": "k2"})).content == first.content
    other = await http.post(
        f"/hotw/atomic/{FLEET}/{EVENT}", json={"OrderType": "Emergent"}, headers={"Idempotency-Key": "k2"}
    )
    assert other.status_code == 409


async def test_bad_input_is_refused_with_a_pointer(hotw: Replica, http: httpx.AsyncClient) -> None:
    await hotw.settle_in()
    for method, path, body, pointer in (
        ("POST", "/hotw/run", {}, "/EventId"),
        ("POST", "/hotw/run", {"EventId": EVENT, "Purpos": "x"}, "/Purpos"),
        ("POST", "/hotw/run", {"EventId": EVENT, "FleetIds": []}, "/FleetIds"),
        ("POST", "/hotw/run", {"EventId": EVENT, "OrderType": "Rush"}, "/OrderType"),
        ("POST", f"/hotw/atomic/{FLEET}/{EVENT}", {"EventId": "Other"}, "/EventId"),
        ("POST", f"/hotw/atomic/a%23b/{EVENT}", {}, "/FleetId"),
        ("GET", "/hotw/run/x", None, "/RunId"),
        ("GET", "/hotw/run/0", None, "/RunId"),
        ("GET", f"/hotw/dashboard/{EVENT}/Sideways", None, "/Purpose"),
        ("GET", "/hotw/order?Status=Lost", None, "/Status"),
        ("GET", "/hotw/order?Colour=red", None, "/Colour"),
        ("PUT", "/hotw/order/F1-1-1", {"Decision": "Maybe"}, "/Decision"),
        ("PUT", "/hotw/order/F1-1-1/delivery", {"FulfilledHosts": -1}, "/FulfilledHosts"),
        ("PUT", "/hotw/order/F1-1-1/delivery", {"FulfilledHosts": 1, "DeliveredAt": "2024-06-15"}, "/DeliveredAt"),
    ):
        answer = await http.request(method, path, json=body)
        assert answer.status_code == 400, (path, answer.text)
        assert pointer in pointers(answer), (path, answer.text)


async def test_what_is_unknown_is_404(hotw: Replica, http: httpx.AsyncClient) -> None:
    await hotw.settle_in()
    for path in (
        "/hotw/run/99",
        "/hotw/dashboard/Nope/Upscaling",
        f"/hotw/executionDetail/{EVENT}/Nope",
        f"/hotw/executionDetail/Nope/{FLEET}",
        "/hotw/asgDetail/Nope",
        f"/hotw/asgDetail/{FLEET}/99",
    ):
        assert (await http.get(path)).status_code == 404, path
    assert (await http.put("/hotw/order/F9-9-9", json={"Decision": "Approve"})).status_code == 404
    assert (await http.put("/hotw/order/Größe✓", json={"Decision": "Approve"})).status_code == 404
    assert (await http.put("/hotw/run/99/cancel")).status_code == 404


async def test_what_has_no_version_takes_no_if_match(hotw: Replica, http: httpx.AsyncClient) -> None:
    await hotw.settle_in()
    for path, body in (
        ("/hotw/order/F1-1-1", {"Decision": "Approve"}),
        ("/hotw/order/F1-1-1/delivery", {"FulfilledHosts": 1}),
        ("/hotw/run/1/cancel", {}),
    ):
        refused = await http.put(path, json=body, headers={"If-Match": '"1"'})
        assert (refused.status_code, refused.json()["detail"]) == (400, "this write has no version; leave If-Match out")


async def test_lists_are_paged(hotw: Replica, http: httpx.AsyncClient) -> None:
    await hotw.settle_in()
    for name in ("Another", "Zulu"):
        await hotw.keep("service", snapshot(name, service_body(name)))
        await hotw.keep("fleet", snapshot(f"F-{name}", fleet_body(f"F-{name}", name)))
    for fleet in (FLEET, "F-Another", "F-Zulu", FLEET):
        await http.post(f"/hotw/atomic/{fleet}/{EVENT}")
    for path, key in (
        (f"/hotw/executionDetail/{EVENT}/{FLEET}?", "Items"),
        (f"/hotw/dashboard/{EVENT}/Upscaling?", "Services"),
        ("/hotw/order?", "Items"),
    ):
        whole = (await http.get(path)).json()[key]
        paged, cursor = [], ""
        while cursor is not None:
            page = (await http.get(f"{path}Limit=1{cursor and f'&Cursor={cursor}'}")).json()
            paged += page[key]
            cursor = page["NextCursor"]
        assert paged == whole
        assert len(whole) > 1


async def test_runs_are_listed_page_by_page(hotw: Replica, http: httpx.AsyncClient) -> None:
    await hotw.settle_in()
    for n in range(3):
        started = await http.post("/hotw/run", json={"EventId": EVENT, "FleetIds": [FLEET], "DryRun": n == 1})
        assert started.status_code == 200, started.text
    first = (await http.get(f"/hotw/run?EventId={EVENT}&Limit=2")).json()
    rest = (await http.get(f"/hotw/run?EventId={EVENT}&Limit=2&Cursor={first['NextCursor']}")).json()
    found = [(run["RunId"], run["DryRun"]) for page in (first, rest) for run in page["Items"]]
    assert found == [(3, False), (2, True), (1, False)]
    assert rest["NextCursor"] is None
    assert (await http.get("/hotw/run?RunStatus=Cancelled")).json()["Items"] == []
    assert "/RunStatus" in pointers(await http.get("/hotw/run?RunStatus=Over"))
    await hotw.keep("service", snapshot("Other", service_body("Other", ServiceType="Onboarding")))
    refused = await http.post("/hotw/run", json={"EventId": EVENT, "ServiceIds": ["Other"]})
    assert (refused.status_code, refused.json()["type"]) == (409, "urn:epic:problem:service-not-registered")
