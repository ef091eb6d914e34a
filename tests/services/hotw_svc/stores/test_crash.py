"""Workers killed with -9 in mid-run, several times over: the run completes, every fleet once, no order twice."""

from __future__ import annotations

import asyncio
import random
import signal
import sys
from collections import Counter
from pathlib import Path

import pytest
from sqlalchemy import func, select

from services.hotw_svc.adapters import tables as t
from tests.support.hotw_store import Replica, counted, many

_ROOT = Path(__file__).parents[4]
_FLEETS = 150


@pytest.mark.slow
async def test_killed_workers_are_succeeded_and_nothing_is_ordered_twice(hotw: Replica, address: str | Path) -> None:
    await many(hotw, _FLEETS)
    run_id = (await hotw.start())["RunId"]
    chance = random.Random(7)
    killed_in_mid_run = 0
    while killed_in_mid_run < 4 and (before := await counted(hotw, t.hotw_execution)) < _FLEETS - 20:
        worker = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.services.hotw_svc.stores.worker_process", str(address), str(run_id), cwd=_ROOT
        )
        try:
            async with asyncio.timeout(180):
                while await counted(hotw, t.hotw_execution) < before + 10:
                    await asyncio.sleep(0.01)
            await asyncio.sleep(chance.uniform(0, 0.05))
        finally:
            worker.send_signal(signal.SIGKILL)
            await worker.wait()
        killed_in_mid_run += await counted(hotw, t.hotw_execution) < _FLEETS
    assert killed_in_mid_run
    async with asyncio.timeout(180):
        while (await hotw.read_run(run_id))["RunStatus"] != "Completed":
            await hotw.work(run_id)
            await asyncio.sleep(0.05)
    order = t.fulfillment_details
    async with hotw.database.read() as connection:
        per_asg = await connection.execute(
            select(order.c.FleetIndexId, order.c.AutoScalingGroupName, func.count()).group_by(
                order.c.FleetIndexId, order.c.AutoScalingGroupName
            )
        )
        assert Counter(count for _, _, count in per_asg) == {1: 3 * _FLEETS}
        facts = await connection.execute(select(t.hotw_dashboard.c.OrdersVersionId))
        assert set(facts.scalars()) == {2}
    done = await hotw.read_run(run_id)
    assert (done["Executions"], done["OrderedHosts"]) == (_FLEETS, _FLEETS * 37)
