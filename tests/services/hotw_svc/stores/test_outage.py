"""MySQL gone in mid-run and back: what is asked meanwhile is refused for now, the run completes, nothing is lost."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from services.hotw_svc.adapters import tables as t
from services.hotw_svc.app.runs.worker import run_worker
from shared.errors import Unavailable
from tests.support import servers
from tests.support.clock import FixedClock
from tests.support.hotw_store import AZ_FACTORS, NOW, Broker, Replica, counted, many, open_replica

pytestmark = [pytest.mark.docker, pytest.mark.slow]


@pytest.fixture
async def server() -> AsyncIterator[servers.Server]:
    """A MySQL of this test's own, to be killed."""
    server = servers.mysql()
    try:
        yield await asyncio.to_thread(server.start)
    finally:
        await asyncio.to_thread(server.remove)


@pytest.fixture
async def hotw(server: servers.Server) -> AsyncIterator[Replica]:
    replica = open_replica(server.url, FixedClock(NOW), Broker(), AZ_FACTORS)
    await replica.database.start()
    yield replica
    await replica.database.stop()


async def test_a_run_outlives_its_database(hotw: Replica, server: servers.Server) -> None:
    await many(hotw, 200)
    run_id = (await hotw.start())["RunId"]
    worker = run_worker(hotw.store, hotw.clock, chunk=5, poll=0.05, lease=2.0)
    await worker.start()
    async with asyncio.timeout(180):
        while await counted(hotw, t.hotw_execution) < 20:
            await asyncio.sleep(0.01)
    await asyncio.to_thread(server.kill)
    for ask in (hotw.database.ping, hotw.start, hotw.database.outbox):
        with pytest.raises(Unavailable):
            await ask()
    await asyncio.to_thread(server.start_again)
    async with asyncio.timeout(180):
        while True:
            try:
                run = await hotw.read_run(run_id)
            except Unavailable:
                run = {"RunStatus": "unknown"}
            if run["RunStatus"] == "Completed":
                break
            await asyncio.sleep(0.1)
    await worker.stop()
    assert (run["Executions"], run["OrderedHosts"]) == (200, 200 * 37)
    facts = (await hotw.published()).facts("hotw.order.placed")
    assert len({fact["FleetId"] for fact in facts}) == 200
