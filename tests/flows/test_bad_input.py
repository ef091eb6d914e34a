"""Bad input gets a clear answer that names the field and the remedy, and changes nothing."""

from __future__ import annotations

import copy
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio

from tests.support import reference
from tests.support.fresh_stacks import SETTINGS
from tests.support.scenario import PLAN, Caller, milestone
from tests.support.stacks import Embedded, WholeStack, running
from tests.support.waiting import eventually

pytestmark = [pytest.mark.slow]
FLEET_ID = "FORTRESSService-NA-X0"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def one_system(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[WholeStack]:
    stack = Embedded(tmp_path_factory.mktemp("bad-input"), environment=dict(SETTINGS))
    async with running(stack):
        yield stack


@pytest.fixture
def caller(one_system: WholeStack, http: httpx.AsyncClient) -> Caller:
    return Caller(one_system, http)


def problem_of(answer: httpx.Response, status: int) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body = dict(answer.json())
    assert {"type", "title", "status", "detail", "instance"} <= body.keys()
    assert body["status"] == status
    return body


async def post(caller: Caller, path: str, body: Any = None, **options: Any) -> httpx.Response:
    return await caller.http.post(caller.stack.url(path), json=body, **options)


def changed(document: dict[str, Any], **members: Any) -> dict[str, Any]:
    return {**copy.deepcopy(document), **members}


@pytest.mark.parametrize(
    ("content", "detail"),
    [
        (b'{"EventId": ', "not JSON"),
        (b"[1, 2]", "one JSON object"),
        (b'{"EventId": NaN}', "not JSON"),
        (b"", "bad fields"),
        (b"\xff\xfe", "not JSON"),
    ],
)
async def test_malformed_json_is_400(caller: Caller, content: bytes, detail: str) -> None:
    answer = await caller.http.post(
        caller.stack.url("/event"), content=content, headers={"content-type": "application/json"}
    )
    assert detail in problem_of(answer, 400)["detail"]


@pytest.mark.parametrize(
    ("path", "body", "pointer"),
    [
        ("/event", changed(reference.EVENT, PeakStartDate="16 July"), "/PeakStartDate"),
        ("/event", changed(reference.EVENT, RegionList="us-east-1"), "/RegionList"),
        ("/event", changed(reference.EVENT, EventId="PD#2024"), "/EventId"),
        ("/event", changed(reference.EVENT, EventId="PD/2024"), "/EventId"),
        ("/event", changed(reference.EVENT, EventId="latest"), "/EventId"),
        ("/event", changed(reference.EVENT, PeakDate="2024-07-16"), "/PeakDate"),
        ("/event", {k: v for k, v in reference.EVENT.items() if k != "EventName"}, "/EventName"),
        ("/service", changed(reference.SERVICE, ServiceType="Retired"), "/ServiceType"),
        ("/ticket", {"Title": "x", "Severity": 6}, "/Severity"),
    ],
)
async def test_each_bad_field_is_named(caller: Caller, path: str, body: dict[str, Any], pointer: str) -> None:
    problem = problem_of(await post(caller, path, body), 400)
    assert pointer in [error["pointer"] for error in problem["errors"]]
    assert all(error["detail"] for error in problem["errors"])


@pytest.mark.parametrize("throughput", [0, -1, "many", 2.5, True, 1e300, None, 2_147_483_648])
async def test_a_throughput_that_is_no_positive_whole_number_is_400(caller: Caller, throughput: Any) -> None:
    fleet = changed(reference.FLEET, FleetId="Bad-NA")
    fleet["FleetConfiguration"]["HostThroughPutTPM"] = throughput
    problem = problem_of(await post(caller, "/fleet", fleet), 400)
    assert [error["pointer"] for error in problem["errors"]] == ["/FleetConfiguration/HostThroughPutTPM"]
    problem_of(await caller.http.get(caller.stack.url("/fleet/Bad-NA")), 404)


async def test_dates_reversed_are_400_and_say_which(caller: Caller) -> None:
    body = changed(reference.EVENT, PeakStartDate="2024-07-18")
    problem = problem_of(await post(caller, "/event", body), 400)
    assert "PeakStartDate must not be after PeakEndDate" in str(problem["errors"])


async def test_a_body_of_10_mb_is_413(caller: Caller) -> None:
    body = changed(reference.EVENT, EventName="x" * 10_000_000)
    problem_of(await post(caller, "/event", body), 413)


async def test_a_body_of_10_mb_without_a_length_is_413(caller: Caller) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(160):
            yield b" " * 65_536

    answer = await caller.http.post(caller.stack.url("/event"), content=chunks())
    problem_of(answer, 413)


async def test_unknown_things_are_404(caller: Caller) -> None:
    for path in ("/fleet/Nobody", "/event/Never", "/service/None", "/eventplan/Never/Nobody", "/hotw/run/99999"):
        problem_of(await caller.http.get(caller.stack.url(path)), 404)
    problem_of(await post(caller, "/projection", {"FleetId": "Nobody", "EventId": "PD2024", "TotalInputTPM": 1}), 404)
    problem_of(await post(caller, "/hotw/atomic/Nobody/Never"), 404)
    problem_of(await post(caller, "/eventplan", {"EventId": "Never", "FleetId": "Nobody"}), 404)


async def test_a_region_of_no_event_closes_the_plan_and_fails_the_run(caller: Caller) -> None:
    event = changed(reference.EVENT, EventId="EU2024", RegionList=["eu-west-1"], SPCOEventDatesByRegion=None)
    service = changed(reference.SERVICE, ServiceId="Elsewhere")
    fleet = changed(reference.FLEET, FleetId="Elsewhere-NA", ServiceId="Elsewhere", EventId=None)
    for path, body in (("/event", event), ("/service", service), ("/fleet", fleet)):
        answer = await post(caller, path, {k: v for k, v in body.items() if v is not None})
        assert answer.status_code == 200, answer.text
    plan = await eventually(
        lambda: caller.peek("/eventplan/EU2024/Elsewhere-NA"),
        lambda plan: plan and plan.get("Closed"),
        "a plan, closed",
    )
    assert "us-east-1" in plan["Closed"]["Reason"]
    answer = await caller.http.put(
        caller.stack.url("/eventplan/EU2024/Elsewhere-NA/status"),
        json={"EventMilestoneId": "UpdateThrottlingInSDC", "MilestoneCompletionStatus": "Completed"},
    )
    problem_of(answer, 409)
    await caller.known_to_hotw("EU2024", "Elsewhere-NA", "Event", "Service", "Fleet", line="base")
    execution = (await post(caller, "/hotw/atomic/Elsewhere-NA/EU2024")).json()
    assert execution["Status"] == "Fail"
    assert "us-east-1" in execution["Reasoning"]


async def test_a_plan_for_a_deleted_service_is_409(caller: Caller) -> None:
    service = changed(reference.SERVICE, ServiceId="Gone")
    fleet = changed(reference.FLEET, FleetId="Gone-NA", ServiceId="Gone")
    for path, body in (
        ("/service", service),
        ("/fleet", fleet),
        ("/event", changed(reference.EVENT, EventId="Sooner")),
    ):
        assert (await post(caller, path, body)).status_code == 200
    await eventually(lambda: caller.peek("/eventplan/Sooner/Gone-NA"), bool, "the plan of an event before the deletion")
    assert (await caller.http.delete(caller.stack.url("/service/Gone"))).status_code == 200
    await eventually(
        lambda: caller.peek("/eventplan/Sooner/Gone-NA"),
        lambda plan: plan.get("Closed", {}).get("Reason") == "service Gone is deleted",
        "that plan is closed, since its service is deleted",
    )
    assert (await post(caller, "/event", changed(reference.EVENT, EventId="Later"))).status_code == 200

    async def attempt() -> httpx.Response:
        return await post(caller, "/eventplan", {"EventId": "Later", "FleetId": "Gone-NA"})

    answer = await eventually(attempt, lambda seen: seen.status_code != 404, "the event is known, and a plan refused")
    problem = problem_of(answer, 409)
    assert problem["type"] == "urn:epic:problem:service-deleted"
    assert "service Gone is deleted" in problem["detail"]


async def test_a_stale_if_match_is_412_and_loses_nothing(caller: Caller) -> None:
    await post(caller, "/service", changed(reference.SERVICE, ServiceId="Raced"))
    url = caller.stack.url("/service/Raced")
    first = await caller.http.get(url)
    assert first.headers["etag"] == '"1"'
    taken = await caller.http.put(url, json={"ServiceTier": "Tier2"}, headers={"If-Match": '"1"'})
    assert (taken.status_code, taken.headers["etag"]) == (200, '"2"')
    problem_of(await caller.http.put(url, json={"ServiceTier": "Tier3"}, headers={"If-Match": '"1"'}), 412)
    assert (await caller.http.get(url)).json()["ServiceTier"] == "Tier2"


async def test_the_same_post_twice_with_one_key_is_one_write_with_one_answer(caller: Caller) -> None:
    body = changed(reference.SERVICE, ServiceId="Once")
    key = {"Idempotency-Key": "k-1"}
    first = await post(caller, "/service", body, headers=key)
    again = await post(caller, "/service", body, headers=key)
    assert (first.status_code, again.status_code) == (200, 200)
    assert first.json() == again.json()
    problem_of(await post(caller, "/service", changed(body, ServiceTier="Tier9"), headers=key), 409)
    problem_of(await post(caller, "/service", body), 409)
    assert (await caller.http.get(caller.stack.url("/service/Once"))).json()["VersionId"] == 1


async def test_a_put_that_changes_nothing_makes_no_version(caller: Caller) -> None:
    await post(caller, "/service", changed(reference.SERVICE, ServiceId="Same"))
    url = caller.stack.url("/service/Same")
    read = (await caller.http.get(url)).json()
    assert (await caller.http.put(url, json=read)).json()["VersionId"] == 1


async def test_a_projection_deleted_is_a_milestone_not_started(caller: Caller) -> None:
    await caller.post_reference()
    await caller.gathered_plan()
    await caller.call("DELETE", f"/projection/{FLEET_ID}/PD2024")
    plan = await caller.plan_when("GatherProjectionFromUpstream", "NotStarted")
    assert milestone(plan, "GatherProjectionFromUpstream")["PeakReadyStatus"] == "Red"
    assert (await caller.call("GET", PLAN))["VersionId"] >= 2
