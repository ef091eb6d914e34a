"""The worker of one process: works off every running run, together with the workers of other processes."""

from __future__ import annotations

from typing import Final

from services.hotw_svc.app.ports import Store
from services.hotw_svc.app.runs.work_run import CHUNK, LEASE_SECONDS, complete_run, work_chunk
from shared.clock import Clock
from shared.jobs import Worker

_SMALLEST: Final = 5  # fleets; a chunk this small is done within any lease
_CONCURRENCY: Final = 2  # one chunk waits for the store while another is worked out


def run_worker(
    store: Store, clock: Clock, *, poll: float = 1.0, chunk: int = CHUNK, lease: float = LEASE_SECONDS
) -> Worker:
    """``poll`` is how often it looks for runs that other processes started, in seconds."""
    limit = chunk

    async def work() -> bool:
        """One chunk of each running run; whether there is more to do at once."""
        nonlocal limit
        more = False
        for run_id in await store.read(lambda unit: unit.runs.running()):
            result = await work_chunk(store, clock, run_id, limit=limit, lease=lease)
            if result.found_work:
                more = True
                if result.lost > result.written:  # the lease is too short for so many
                    limit = max(limit // 2, _SMALLEST)
            elif not result.blocked:
                await complete_run(store, clock, run_id)
        return more

    return Worker("runs", work, poll=poll, concurrency=_CONCURRENCY)
