"""A job: long work in chunks, done once among all processes, resumed after a crash, and cancelled by anybody."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import Any, Final

import structlog

from shared.durability.lease import Lease, LeaseLost, Leases
from shared.errors import Unavailable
from shared.tasks import end
from shared.trace import new_id

log = structlog.get_logger(__name__)


class JobStatus(StrEnum):
    RUNNING = "Running"
    DONE = "Done"
    CANCELLED = "Cancelled"


@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece of work that is finished: how many items it had, and where the work goes on from here.

    ``total`` is the number of items of the whole job, where it is known by now.
    """

    items: int
    cursor: str
    total: int | None = None


Work = Callable[[str | None], AsyncGenerator[Chunk, None]]
"""Does the work from behind a cursor (None: from the beginning) and yields after each chunk. A chunk that was under way
when its worker died is done again, so each must be idempotent. It is closed at once where the lease is lost."""

_SHORTEST_PAUSE: Final = 0.25
"""Seconds between two renewals of a lease, however short it is: a store is not asked more often."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a job has come. Instants are seconds since 1970, by the clock of the process that wrote them."""

    status: JobStatus
    begun_at: float
    updated_at: float
    done: int = 0
    total: int | None = None
    cursor: str | None = None

    @classmethod
    def of(cls, record: Mapping[str, Any]) -> Progress | None:
        """The progress that a lease's record holds; None when no job was begun under it."""
        return cls(**{**record, "status": JobStatus(record["status"])}) if record else None

    @property
    def rate(self) -> float:
        """Items per second since the beginning, interruptions included; 0 before the first chunk."""
        return self.done / max(self.updated_at - self.begun_at, 0.001)

    @property
    def remaining_seconds(self) -> float | None:
        """The time that the rest takes at this rate; None while the rate or the total is unknown."""
        if self.total is None or not self.done:
            return None
        return max(self.total - self.done, 0) / self.rate


class Jobs:
    """The jobs of one store. A job lives in the record of a lease of its name, so only its present worker can write it.

    ``lease`` is how many seconds a dead worker keeps a job from the others.
    """

    def __init__(self, leases: Leases, *, lease: float, now: Callable[[], float] = time.time) -> None:
        self._leases = leases
        self._lease = lease
        self._now = now

    async def progress(self, name: str) -> Progress | None:
        return Progress.of(await self._leases.record_of(name))

    async def run(
        self, name: str, work: Work, *, due: Callable[[Progress | None], bool] = lambda last: last is None
    ) -> Progress | None:
        """Begins the job, or resumes it where its last worker died, and works until it is done.

        ``due`` decides whether a job that is not running begins, by how it went the last time (None: never). The result
        is None when there is nothing to do here, when another worker has the job, or when it was cancelled. An error of
        the work leaves the job to whoever runs it next.
        """
        if not _has_work(await self.progress(name), due):
            return None  # most calls end here, without a write
        lease = await self._leases.claim(name, new_id(), self._lease)
        if lease is None:
            return None
        try:
            last = Progress.of(lease.record)
            return await self._work(lease, last, work) if _has_work(last, due) else None
        except LeaseLost:
            log.info("job left to another worker, or cancelled", job=name)
            return None
        finally:
            await self._leases.release(lease)

    async def cancel(self, name: str) -> bool:
        """Ends a running job for good: its worker stops at the end of its chunk. Whether it was running."""
        lease = await self._leases.claim(name, new_id(), self._lease, from_others=True)
        if lease is None:
            return False
        try:
            last = Progress.of(lease.record)
            if last is None or last.status is not JobStatus.RUNNING:
                return False
            await self._write(lease, replace(last, status=JobStatus.CANCELLED))
        finally:
            await self._leases.release(lease)
        return True

    async def _work(self, lease: Lease, last: Progress | None, work: Work) -> Progress:
        now = self._now()
        if last is None or last.status is not JobStatus.RUNNING:
            last = Progress(JobStatus.RUNNING, begun_at=now, updated_at=now)
        progress = await self._write(lease, last)
        renewing = asyncio.create_task(self._renew(lease), name=f"lease of {lease.name}")
        try:
            async with aclosing(work(progress.cursor)) as chunks:
                async for chunk in chunks:
                    done, total = progress.done + chunk.items, progress.total if chunk.total is None else chunk.total
                    progress = await self._write(lease, replace(progress, done=done, total=total, cursor=chunk.cursor))
        finally:
            await end(renewing)
        progress = await self._write(lease, replace(progress, status=JobStatus.DONE))
        log.info("job done", job=lease.name, items=progress.done, per_second=round(progress.rate, 1))
        return progress

    async def _renew(self, lease: Lease) -> None:
        """Holds the lease while a chunk runs, however long it takes. A worker that lost it stops at the chunk's end."""
        while True:
            await asyncio.sleep(max(self._lease / 2, _SHORTEST_PAUSE))
            try:
                await self._leases.renew(lease, self._lease)
            except LeaseLost:
                return
            except Unavailable as error:
                log.warning("a job's lease is not renewed: the store is away", job=lease.name, error=str(error))

    async def _write(self, lease: Lease, progress: Progress) -> Progress:
        written = replace(progress, updated_at=self._now())
        await self._leases.renew(lease, self._lease, asdict(written))
        return written


def _has_work(last: Progress | None, due: Callable[[Progress | None], bool]) -> bool:
    """Whether the job is interrupted (or under way elsewhere, which the lease decides), or due to begin."""
    return (last is not None and last.status is JobStatus.RUNNING) or due(last)
