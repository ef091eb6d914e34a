"""A server that goes for 20 s under load and comes back, and processes killed in mid-run, lose nothing."""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from shared.schemas.topics import SERVICES
from tests.flows import reference
from tests.flows.conftest import SETTINGS
from tests.flows.scenario import Caller
from tests.flows.systems import RealStack, eventually, running

pytestmark = [pytest.mark.long, pytest.mark.docker, pytest.mark.slow, pytest.mark.timeout(600)]
AWAY_SECONDS = 20


@pytest.fixture
async def pair(fresh_stack: Callable[..., RealStack], tmp_path: Path) -> AsyncIterator[RealStack]:
    """Two replicas of each service."""
    stack = fresh_stack(tmp_path, environment=dict(SETTINGS), replicas_each=2)
    async with running(stack):
        yield stack


def fleet_of(service: str, number: int) -> dict[str, Any]:
    return {
        **{name: reference.FLEET[name] for name in ("FleetConfiguration",)},
        "FleetId": f"{service}-{number}",
        "ServiceId": service,
    }


async def company(caller: Caller, services: int, fleets: int) -> list[str]:
    """Registers services with fleets, inventories, projections and the event; returns the fleets' ids."""
    ids = []
    await caller.call("POST", "/event", reference.EVENT)
    for service in (f"S{number}" for number in range(services)):
        await caller.call("POST", "/service", {**reference.SERVICE, "ServiceId": service, "Fleet": []})
        for number in range(fleets):
            fleet = fleet_of(service, number)
            await caller.call("POST", "/fleet", fleet)
            await caller.call("PUT", f"/fleet/{fleet['FleetId']}/inventory", reference.INVENTORY)
            await caller.call(
                "POST", "/projection", {"FleetId": fleet["FleetId"], "EventId": "PD2024", "TotalInputTPM": 50000}
            )
            ids.append(fleet["FleetId"])
    return ids


class Load:
    """Writes events and services without pause, each until it is acknowledged, with one Idempotency-Key a write."""

    def __init__(self, caller: Caller) -> None:
        self.caller = caller
        self.acknowledged: list[str] = []
        self.unavailable: Counter[int] = Counter()

    async def run(self, name: str) -> None:
        for number in itertools.count():
            service = f"{name}-{number}"
            body = {**reference.SERVICE, "ServiceId": service, "Fleet": []}
            while not await self._write(service, body):
                await asyncio.sleep(0.2)

    async def _write(self, service: str, body: dict[str, Any]) -> bool:
        try:
            answer = await self.caller.http.post(
                self.caller.system.url("/service"), json=body, headers={"Idempotency-Key": service}, timeout=10
            )
        except httpx.HTTPError:
            return False
        if answer.status_code == 200:
            self.acknowledged.append(service)
            return True
        assert answer.status_code in (409, 503), answer.text
        assert answer.status_code == 503 or "retry-after" in answer.headers, answer.text
        self.unavailable[answer.status_code] += 1
        return False


@asynccontextmanager
async def under_load(caller: Caller, writers: int = 4) -> AsyncIterator[Load]:
    load = Load(caller)
    tasks = [asyncio.create_task(load.run(f"L{number}")) for number in range(writers)]
    try:
        yield load
    finally:
        for task in tasks:
            task.cancel()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
        broken = [error for error in ended if not isinstance(error, asyncio.CancelledError)]
        assert not broken, broken


async def readiness(replica_port: int, http: httpx.AsyncClient) -> int:
    try:
        return (await http.get(f"http://127.0.0.1:{replica_port}/health/ready", timeout=10)).status_code
    except httpx.HTTPError:
        return 0


@pytest.mark.parametrize(
    ("server", "unready"),
    [("kafka", "fleet_svc"), ("mongo", "fleet_svc"), ("mysql", "hotw_svc")],
)
async def test_a_server_away_for_20_s_under_load_loses_nothing_and_readiness_says_so(
    server: str, unready: str, pair: RealStack, http: httpx.AsyncClient
) -> None:
    gone = pair.servers[server]
    caller = Caller(pair, http)
    port = pair.replicas[unready][0].port
    await company(caller, 2, 2)
    async with under_load(caller) as load:
        await eventually("some writes", lambda: _now(len(load.acknowledged)), lambda count: count > 50)
        await asyncio.to_thread(gone.stop)
        left = asyncio.get_running_loop().time() + AWAY_SECONDS
        await eventually("unready", lambda: readiness(port, http), lambda code: code == 503, seconds=AWAY_SECONDS)
        await eventually("20 s have gone by", lambda: _now(asyncio.get_running_loop().time()), lambda t: t > left)
        await asyncio.to_thread(gone.start_again)
        for replica in pair.each():
            await replica.ready(90)
        back = len(load.acknowledged)
        await eventually("writes go on", lambda: _now(len(load.acknowledged)), lambda count: count > back + 20)
    known = await everything_known(caller, "/service?")
    assert set(load.acknowledged) <= known, "an acknowledged write is missing"
    started = await caller.call("POST", "/hotw/run", {"EventId": "PD2024"})
    run = await eventually(
        "a run completes afterwards",
        lambda: caller.peek(f"/hotw/run/{started['RunId']}"),
        lambda seen: seen["RunStatus"] == "Completed",
        seconds=90,
    )
    assert run["Executions"] == 4


async def _now(value: Any) -> Any:
    return value


async def everything_known(caller: Caller, path: str) -> set[str]:
    found: set[str] = set()
    cursor = ""
    while True:
        page = await caller.call("GET", f"{path}Limit=1000{cursor}")
        found |= {item["ServiceId"] for item in page["Items"]}
        if not page["NextCursor"]:
            return found
        cursor = f"&Cursor={page['NextCursor']}"


@pytest.mark.parametrize("victim", SERVICES)
async def test_kill_9_of_a_service_in_mid_run_completes_the_run_and_orders_nothing_twice(
    victim: str, fresh_stack: Callable[..., RealStack], tmp_path: Path, http: httpx.AsyncClient
) -> None:
    stack = fresh_stack(tmp_path, environment=dict(SETTINGS))
    async with running(stack):
        caller = Caller(stack, http)
        fleets = await company(caller, 5, 20)
        for fleet in fleets:
            await caller.known_to_hotw("PD2024", fleet)
        started = await caller.call("POST", "/hotw/run", {"EventId": "PD2024"})
        replica = stack.replicas[victim][0]
        replica.kill()
        replica.start()
        await replica.ready()
        run = await eventually(
            "the run completes",
            lambda: caller.peek(f"/hotw/run/{started['RunId']}"),
            lambda seen: seen["RunStatus"] == "Completed",
            seconds=120,
        )
        assert run["Executions"] == len(fleets)
        orders = await caller.orders("PD2024", Limit="1000")
        by_fleet = Counter[str]()
        for order in orders:
            by_fleet[order["FleetId"]] += order["FulfillmentValue"]
        assert by_fleet == dict.fromkeys(fleets, 50)

        async def placed() -> int:
            page = await caller.call("PUT", "/event/PD2024/dashboard", {"Limit": 1})
            return int(page["Totals"]["ByMilestone"]["PlaceHardwareOrder"].get("Completed", 0))

        await eventually("every plan saw its order", placed, lambda count: count == len(fleets), seconds=60)
        sent = await eventually(
            "one order summary a service and run",
            lambda: caller.call("GET", "/notification?EventId=PD2024&Status=Sent"),
            lambda page: len(page["Items"]) >= 5,
            seconds=60,
        )
        assert len({item["ServiceId"] for item in sent["Items"]}) == len(sent["Items"]) == 5
