"""A worker in a process of its own: works a run off in small chunks until a test kills it."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from services.hotw_svc.app.runs.work_run import ChunkResult, work_chunk
from shared.errors import Unavailable
from tests.support.clock import FixedClock
from tests.support.hotw_store import AZ_FACTORS, NOW, Broker, open_replica
from tests.support.relational import publish_all


async def work(address: str, run_id: int) -> None:
    target = address if "://" in address else Path(address)
    replica = open_replica(target, FixedClock(NOW), Broker(), AZ_FACTORS)
    while True:
        try:
            result = await work_chunk(replica.store, replica.clock, run_id, limit=5, lease=1.0)
            await publish_all(replica.database)
        except Unavailable:  # as any worker: a database that is busy for once is asked again
            result = ChunkResult()
        if not result.found_work:
            await asyncio.sleep(0.05)


if __name__ == "__main__":
    asyncio.run(work(sys.argv[1], int(sys.argv[2])))
