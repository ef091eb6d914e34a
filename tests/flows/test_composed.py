"""The composed stack, as a person starts it: built, healthy, loaded, asked, scaled and stopped."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from shared.schemas.topics import SERVICES
from tests.support.documents import EXPECTED, worked_example
from tests.support.fresh_stacks import AZ_FACTORS
from tests.support.scenario import Caller
from tests.support.stacks import Composed, composing

pytestmark = [pytest.mark.docker, pytest.mark.slow, pytest.mark.timeout(1800)]


@pytest.fixture(scope="module")
def composed() -> Iterator[Composed]:
    with composing(AZ_FACTORS) as stack:
        yield stack


@pytest.fixture
async def caller(composed: Composed, http: httpx.AsyncClient) -> Caller:
    await composed.ready(http)
    return Caller(composed, http)


async def test_up_with_wait_returns_when_every_service_is_ready(composed: Composed, http: httpx.AsyncClient) -> None:
    shown = await asyncio.to_thread(composed.compose, "ps", "--format", "{{.Service}} {{.Health}}")
    healthy = {line.removesuffix(" healthy") for line in shown.splitlines() if line.endswith(" healthy")}
    assert set(SERVICES) <= healthy, shown
    await composed.ready(http)


async def test_the_worked_example_leaves_the_same_documents(caller: Caller) -> None:
    assert await worked_example(caller) == EXPECTED.read_text()


async def test_what_the_gateway_refuses_is_a_problem_too(composed: Composed, http: httpx.AsyncClient) -> None:
    for answer, status, path in (
        (await http.get(composed.url("/nowhere/at%22all?a=b")), 404, "/nowhere/at%22all"),
        (await http.post(composed.url("/event"), content=b" " * 10_000_000), 413, "/event"),
    ):
        assert answer.status_code == status
        assert answer.headers["content-type"] == "application/problem+json"
        problem = answer.json()
        assert (problem["status"], problem["instance"]) == (status, path)


async def test_a_page_of_another_site_writes_nothing_through_the_gateway(
    composed: Composed, http: httpx.AsyncClient
) -> None:
    """10.6.12 and 10.6.15: nginx passes on the Host with its port, which Origin is compared with."""
    own = f"http://127.0.0.1:{composed.port}"
    for headers, status in (
        ({"Origin": own}, 404),
        ({"Origin": "http://127.0.0.1:3000"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Host": "evil.example"}, 400),
    ):
        answer = await http.delete(composed.url("/service/Nobody"), headers=headers)
        assert answer.status_code == status, answer.text
    assert (await http.get(composed.url("/event_svc/health/live"), headers={"Host": "evil.example"})).status_code == 200


async def test_the_command_loads_produces_and_tails(composed: Composed, caller: Caller, tmp_path: Path) -> None:
    sample = tmp_path / "sample.ndjson"
    await asyncio.to_thread(
        composed.epic,
        "sample",
        "--services",
        "3",
        "--fleets-per-service",
        "2",
        "--seed",
        "5",
        "--event",
        "PD2024",
        "--out",
        str(sample),
    )
    await asyncio.to_thread(composed.epic, "load", str(sample), "--url", composed.url(""))
    listed = await caller.call("GET", "/service?Limit=1000")
    assert len(listed["Items"]) >= 3

    body = tmp_path / "service.json"
    body.write_text(json.dumps({"ServiceId": "Produced", "ServiceType": "Onboarding", "Owner": "a@example.com"}))
    answer = await asyncio.to_thread(
        composed.epic,
        "produce",
        "fleet.commands",
        "--type",
        "CreateService",
        "--key",
        "Produced",
        str(body),
        "--json",
        "--timeout",
        "100",
    )
    assert json.loads(answer)["Answer"]["Outcome"] == "Accepted"
    assert (await caller.call("GET", "/service/Produced"))["ServiceType"] == "Onboarding"
    tailed = await asyncio.to_thread(
        composed.epic, "tail", "command.results", "--from-beginning", "--no-follow", "--json"
    )
    assert "Produced" in [json.loads(line)["Key"] for line in tailed.splitlines()]
    letters = await asyncio.to_thread(composed.epic, "dlq", "list", "--url", composed.url(""), "--json")
    assert "Produced" not in letters


async def test_three_replicas_of_hotw_complete_a_run_once(composed: Composed, caller: Caller) -> None:
    await asyncio.to_thread(
        composed.compose, "up", "-d", "--no-build", "--no-recreate", "--wait", "--scale", "hotw_svc=3"
    )
    running = composed.compose("ps", "--status", "running", "--format", "{{.Service}}").split()
    assert running.count("hotw_svc") == 3
    before = sum(order["FulfillmentValue"] for order in await caller.everything("/hotw/order?EventId=PD2024"))
    run = await caller.run("PD2024")
    assert run["Executions"] == run["Fleets"] >= 1
    after = sum(order["FulfillmentValue"] for order in await caller.everything("/hotw/order?EventId=PD2024"))
    assert after == before + run["OrderedHosts"]
