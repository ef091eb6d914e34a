"""The worker of one process: works off every running run, together with the workers of other processes."""

from __future__ import annotations

from dataclasses import dataclass
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
    return Worker("runs", _Runs(store, clock, chunk, lease), poll=poll, concurrency=_CONCURRENCY)


@dataclass(slots=True)
class _Runs:
    store: Store
    clock: Clock
    chunk: int
    lease: float

    async def __call__(self) -> bool:
        """One chunk of each running run; whether there is more to do at once."""
        more = False
        for run_id in await self.store.read(lambda unit: unit.runs.running()):
            result = await work_chunk(self.store, self.clock, run_id, limit=self.chunk, lease=self.lease)
            if result.found_work:
                more = True
                if result.lost > result.written:  # the lease is too short for so many
                    self.chunk = max(self.chunk // 2, _SMALLEST)
            elif not result.blocked:
                await complete_run(self.store, self.clock, run_id)
        return more
