"""Two workers killed with -9 in mid-run, several times over: each fleet once, no order twice, no approval in part."""

from __future__ import annotations

import asyncio
import random
import signal
import sys
from asyncio.subprocess import Process
from collections import Counter
from pathlib import Path

import pytest
from sqlalchemy import func, select

from services.hotw_svc.adapters import tables as t
from tests.support.hotw_store import Replica, counted, many, rule_body, service_body, snapshot

_ROOT = Path(__file__).parents[4]
_FLEETS = 150
_OF_TIER_1 = 75  # fleets of the services whose orders a rule approves


@pytest.mark.slow
async def test_killed_workers_are_succeeded_and_nothing_is_ordered_twice(hotw: Replica, address: str | Path) -> None:
    await many(hotw, _FLEETS)
    tier_1 = [f"Service-{number}" for number in range(_OF_TIER_1 // 5)]
    await hotw.keep("service", *(snapshot(name, service_body(name, 9, ServiceTier="Tier1")) for name in tier_1))
    await hotw.keep("approval_rule", snapshot("small", rule_body(ServiceTiers=["Tier1"], MaxHosts=37)))
    run_id = (await hotw.start())["RunId"]
    chance = random.Random(7)
    killed_in_mid_run = 0
    while killed_in_mid_run < 3 and (before := await counted(hotw, t.hotw_execution)) < _FLEETS - 20:
        workers = [await _worker(address, run_id), await _worker(address, run_id)]
        try:
            async with asyncio.timeout(180):
                while await counted(hotw, t.hotw_execution) < before + 10:
                    await asyncio.sleep(0.01)
            await asyncio.sleep(chance.uniform(0, 0.05))
        finally:
            for worker in workers:
                worker.send_signal(signal.SIGKILL)
            await asyncio.gather(*(worker.wait() for worker in workers))
        killed_in_mid_run += await counted(hotw, t.hotw_execution) < _FLEETS
    assert killed_in_mid_run
    async with asyncio.timeout(180):
        while (await hotw.read_run(run_id))["RunStatus"] != "Completed":
            await hotw.work(run_id)
            await asyncio.sleep(0.05)
    order, board = t.fulfillment_details, t.hotw_dashboard
    async with hotw.database.read() as connection:
        per_asg = await connection.execute(
            select(order.c.FleetIndexId, order.c.AutoScalingGroupName, func.count()).group_by(
                order.c.FleetIndexId, order.c.AutoScalingGroupName
            )
        )
        assert Counter(count for _, _, count in per_asg) == {1: 3 * _FLEETS}
        books = await connection.execute(select(board.c.OrdersVersionId, board.c.LiveOrders, board.c.GrantedOrders))
        expected = {(2, 3, 0): _FLEETS - _OF_TIER_1, (3, 3, 3): _OF_TIER_1}
        assert Counter(tuple(book) for book in books) == expected
        overrides = t.capacity_override_details
        by_status = select(overrides.c.OverrideStatus, func.count()).group_by(overrides.c.OverrideStatus)
        statuses = dict((await connection.execute(by_status)).all())
        assert statuses == {"Proposed": 3 * (_FLEETS - _OF_TIER_1), "Approved": 3 * _OF_TIER_1}
    done = await hotw.read_run(run_id)
    assert (done["Executions"], done["OrderedHosts"]) == (_FLEETS, _FLEETS * 37)


async def _worker(address: str | Path, run_id: int) -> Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.services.hotw_svc.stores.worker_process", str(address), str(run_id), cwd=_ROOT
    )
