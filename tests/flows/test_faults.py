"""A server that goes for 20 s under load and comes back, and processes killed in mid-run, lose nothing."""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from services.notify_svc.app.send_mails import LEASE_SECONDS
from shared.schemas.topics import SERVICES
from tests.support import reference
from tests.support.fresh_stacks import SETTINGS
from tests.support.scenario import Caller
from tests.support.stacks import RealStack, running
from tests.support.waiting import eventually

pytestmark = [pytest.mark.docker, pytest.mark.slow, pytest.mark.timeout(1500)]
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


async def company(caller: Caller, prefix: str, services: int, fleets: int) -> list[str]:
    """Registers services with fleets, inventories and projections for PD2024; returns the fleets' ids."""

    async def register(service: str) -> list[str]:
        await caller.call("POST", "/service", {**reference.SERVICE, "ServiceId": service, "Fleet": []})
        made = [fleet_of(service, number) for number in range(fleets)]
        for fleet in made:
            await caller.call("POST", "/fleet", fleet)
            await caller.call("PUT", f"/fleet/{fleet['FleetId']}/inventory", reference.INVENTORY)
            projection = {"FleetId": fleet["FleetId"], "EventId": "PD2024", "TotalInputTPM": 50000}
            await caller.call("POST", "/projection", projection)
        return [str(fleet["FleetId"]) for fleet in made]

    registered = await asyncio.gather(*(register(f"{prefix}-{number}") for number in range(services)))
    return [fleet_id for fleet_ids in registered for fleet_id in fleet_ids]


Wanted = Callable[[str], tuple[str, Any]]
"""What a writer asks for, by the name of one of its writes: the path and the body of a POST."""


def a_service(name: str) -> tuple[str, Any]:
    return "/service", {**reference.SERVICE, "ServiceId": name, "Fleet": []}


def an_execution(fleets: Sequence[str]) -> Wanted:
    """Each writer runs HOTW for a fleet of its own, again and again."""

    def wanted(name: str) -> tuple[str, Any]:
        return f"/hotw/atomic/{fleets[int(name.split('-')[2])]}/PD2024", None

    return wanted


class Load:
    """Writes without pause, each write until it is acknowledged, under an Idempotency-Key of its own."""

    def __init__(self, caller: Caller, wanted: Wanted) -> None:
        self.caller = caller
        self.wanted = wanted
        self.acknowledged: dict[str, Any] = {}

    async def run(self, writer: str) -> None:
        for number in itertools.count():
            name = f"{writer}-{number}"
            while not await self._write(name):
                await asyncio.sleep(0.2)

    async def _write(self, name: str) -> bool:
        path, body = self.wanted(name)
        try:
            answer = await self.caller.http.post(
                self.caller.stack.url(path), json=body, headers={"Idempotency-Key": name}, timeout=30
            )
        except httpx.HTTPError:
            return False
        if answer.status_code == 200:
            self.acknowledged[name] = answer.json()
            return True
        assert answer.status_code in (409, 503), answer.text
        assert answer.status_code == 503 or "retry-after" in answer.headers, answer.text
        return False


@asynccontextmanager
async def under_load(caller: Caller, name: str, wanted: Wanted, writers: int = 4) -> AsyncIterator[Load]:
    load = Load(caller, wanted)
    tasks = [asyncio.create_task(load.run(f"L-{name}-{number}")) for number in range(writers)]
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
        return (await http.get(f"http://127.0.0.1:{replica_port}/health/ready", timeout=30)).status_code
    except httpx.HTTPError:
        return 0


async def _now(value: Any) -> Any:
    return value


async def test_a_server_away_for_20_s_under_load_loses_nothing_and_readiness_says_so(
    pair: RealStack, http: httpx.AsyncClient
) -> None:
    caller = Caller(pair, http)
    await caller.call("POST", "/event", reference.EVENT)
    services: set[str] = set()
    for server, unready in (("kafka", "fleet_svc"), ("mongo", "fleet_svc"), ("mysql", "hotw_svc")):
        fleets = await company(caller, server, 2, 2)
        for fleet in fleets:
            await caller.known_to_hotw("PD2024", fleet, line="base")
        if server == "mysql":
            executions = await away_under_load(server, unready, an_execution(fleets), pair, caller)
            for execution in executions.values():
                # One whose end MySQL did not take is answered by its record, and the run is completed by a worker.
                run = await eventually(
                    partial(caller.call, "GET", f"/hotw/run/{execution['RunId']}"),
                    lambda run: run["RunStatus"] == "Completed",
                    "the run of an acknowledged execution",
                )
                assert run["Executions"] == 1, "an acknowledged execution is missing"
            assert len({execution["RunId"] for execution in executions.values()}) == len(executions)
        else:
            services |= (await away_under_load(server, unready, a_service, pair, caller)).keys()
        known = {item["ServiceId"] for item in await caller.everything("/service?")}
        assert services <= known, "an acknowledged write is missing"
        run = await caller.run("PD2024", FleetIds=fleets)
        assert run["Executions"] == 4
        assert await hosts_ordered(caller, fleets) == dict.fromkeys(fleets, 50)


async def hosts_ordered(caller: Caller, fleets: Sequence[str]) -> dict[str, int]:
    """All hosts ever ordered for each fleet, whatever became of the orders."""
    by_fleet = Counter[str]()
    for order in await caller.everything("/hotw/order?EventId=PD2024"):
        by_fleet[order["FleetId"]] += order["FulfillmentValue"]
    return {fleet: by_fleet[fleet] for fleet in fleets}


async def away_under_load(server: str, unready: str, wanted: Wanted, pair: RealStack, caller: Caller) -> dict[str, Any]:
    """Stops the server for 20 s, and until readiness reports it, while four writers write.

    Returns what was acknowledged: each write's answer, by its name.
    """
    gone, port = pair.servers[server], pair.replicas[unready][0].port
    loop = asyncio.get_running_loop()
    async with under_load(caller, server, wanted) as load:
        await eventually(lambda: _now(len(load.acknowledged)), lambda count: count > 50, "some writes")
        await asyncio.to_thread(gone.stop)
        left = loop.time() + AWAY_SECONDS
        await eventually(
            lambda: readiness(port, caller.http), lambda code: code == 503, f"{unready} unready without {server}"
        )
        await eventually(lambda: _now(loop.time()), lambda now: now > left, "20 s have gone by")
        await asyncio.to_thread(gone.start_again)
        for replica in pair.each():
            await replica.ready()
        back = len(load.acknowledged)
        await eventually(lambda: _now(len(load.acknowledged)), lambda count: count > back + 20, "writes go on")
    return load.acknowledged


async def test_kill_9_of_each_service_in_mid_run_completes_it_and_orders_nothing_twice(
    fresh_stack: Callable[..., RealStack], tmp_path: Path, http: httpx.AsyncClient
) -> None:
    stack = fresh_stack(tmp_path, environment=dict(SETTINGS))
    async with running(stack):
        caller = Caller(stack, http)
        await caller.call("POST", "/event", reference.EVENT)
        ordered = 0
        for victim in SERVICES:
            ordered += len(await run_under_kill(victim, stack, caller))
            await eventually(
                lambda: plans_ordered(caller), ordered.__eq__, f"every plan saw its order though {victim} was killed"
            )


async def plans_ordered(caller: Caller) -> int:
    answer = await caller.http.put(caller.stack.url("/event/PD2024/dashboard"), json={"Limit": 1})
    if answer.status_code == 404:  # the event is not known yet
        return 0
    return int(answer.json()["Totals"]["ByMilestone"]["PlaceHardwareOrder"].get("Completed", 0))


async def run_under_kill(victim: str, stack: RealStack, caller: Caller) -> list[str]:
    """Runs HOTW for a hundred new fleets, killing one service when the run has begun; returns the fleets."""
    services, each = 5, 20
    fleets = await company(caller, victim, services, each)
    for fleet in fleets:
        await caller.known_to_hotw("PD2024", fleet, line="base")
    started = await caller.call("POST", "/hotw/run", {"EventId": "PD2024", "FleetIds": fleets})
    [replica] = stack.replicas[victim]
    replica.kill()
    replica.start()
    await replica.ready()
    run = await eventually(
        lambda: caller.peek(f"/hotw/run/{started['RunId']}"),
        lambda seen: seen["RunStatus"] == "Completed",
        f"the run completes though {victim} was killed",
        seconds=300,
    )
    assert run["Executions"] == len(fleets)
    assert await hosts_ordered(caller, fleets) == dict.fromkeys(fleets, 50)
    summaries = await eventually(
        lambda: caller.call("GET", "/notification?EventId=PD2024&Status=Sent&Limit=1000"),
        lambda page: sum(item["RunId"] == run["RunId"] for item in page["Items"]) >= services,
        "one order summary a service and run",
        seconds=LEASE_SECONDS + 180,
    )
    summarised = [item["ServiceId"] for item in summaries["Items"] if item["RunId"] == run["RunId"]]
    assert sorted(summarised) == [f"{victim}-{number}" for number in range(services)]
    return fleets
