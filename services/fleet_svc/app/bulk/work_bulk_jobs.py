"""Use case: work on the bulk jobs that run, chunk by chunk, by one worker each among all processes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Collection, Coroutine
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final, Protocol

import structlog

from services.fleet_svc.app.bulk.bulk_store import BodyGone, BulkStore, Job
from services.fleet_svc.app.bulk.start_bulk_job import CSV, NDJSON
from services.fleet_svc.app.bulk.write_rows import RowsChunk, Send, check_row, write_rows
from services.fleet_svc.domain.bulk.csv_rows import CsvRows
from services.fleet_svc.domain.bulk.kinds import SOURCE, RowKind, row_kind
from services.fleet_svc.domain.bulk.progress import BulkProgress
from services.fleet_svc.domain.bulk.rows import JsonRows, NdjsonRows, Row, Rows, Unreadable
from shared.clock import Clock, iso
from shared.durability.lease import Leases
from shared.errors import Unavailable
from shared.jobs import Chunk, Jobs, JobStatus
from shared.schemas.fleet_svc.bulk_job import BulkJobStatus
from shared.tasks import end

log = structlog.get_logger(__name__)

ROWS: Final = 500
"""The most rows of a chunk: what is done again after a crash, some tenths of a second of work."""

BYTES: Final = 1_048_576
"""The bytes of rows after which a chunk is full. They are in memory at once, and their failures are one part."""

_AT_ONCE: Final = 128  # rows of this service: enough for the store to read and commit many together
_AWAITED_AT_ONCE: Final = ROWS  # rows of another service: its answers come in batches
_LEASE: Final = 10.0  # seconds for which a dead worker keeps a job from the others; a chunk takes tenths of one
_LOOK: Final = 2.0  # seconds after which a worker looks whether its job was cancelled, and shows what it waits for


class Answers(Protocol):
    """Sends rows as commands to the services that own them, and awaits the answers."""

    def sending(self) -> AbstractAsyncContextManager[Send]:
        """What sends, as long as the context lasts."""

    def awaited(self, send: Send) -> int:
        """How many answers to what was sent by it are still to come."""


@dataclass(frozen=True, slots=True)
class BulkWork:
    """Call it until there is nothing to do. ``own`` writes rows of this service, ``dry`` only checks them.

    ``in_order``: the resources of this service whose rows are judged by those before them, and written one by one.
    ``of_others``: it takes the jobs of resources of other services, which may wait long, and no other.
    """

    jobs: BulkStore
    leases: Leases
    own: Send
    dry: Send
    answers: Answers
    clock: Clock
    in_order: Collection[str] = ()
    of_others: bool = False
    rows: int = ROWS
    look: float = _LOOK
    lease: float = _LEASE

    async def __call__(self) -> bool:
        """Works on the first job that no other worker has, to its end; whether there was one.

        A fault costs its own job some time, and no other: the job is tried again at the next call.
        """
        worked, kit = False, Jobs(self.leases, lease=self.lease)
        for document in await self.jobs.open(own=not self.of_others):
            job = Job.of(document)
            try:
                name = f"bulk job {job.id}"
                await kit.run(name, partial(self._work, job))
                progress = await kit.progress(name)
                if progress is not None and progress.status is JobStatus.DONE:
                    await self._end(job, BulkProgress.decode(progress.cursor))
                    worked = True
            except Unavailable:
                raise
            except Exception:
                log.exception("a bulk job waits: it failed", job=job.id)
        return worked

    async def _end(self, job: Job, progress: BulkProgress) -> None:
        status = BulkJobStatus.DONE if progress.unreadable is None else BulkJobStatus.FAILED
        await self.jobs.end(job, status, progress, progress.unreadable)

    async def _work(self, job: Job, cursor: str | None) -> AsyncGenerator[Chunk, None]:
        """The job from behind ``cursor``: the file is read from its beginning, and the rows that were tried skipped."""
        progress, kind = BulkProgress.decode(cursor), row_kind(job.resource)
        reader, at_once = reader_of(job.format, kind), self._at_once(kind)
        async with self._sending(job, kind) as send:
            try:
                async for rows in self._chunks(job, reader, behind=progress.rows):
                    if not await self.jobs.is_running(job.id):
                        break
                    chunk = RowsChunk(rows)
                    write = write_rows(chunk, job, kind=kind, reader=reader, send=send, at_once=at_once)
                    await self._write(job, progress, chunk, write, send)
                    failures = chunk.failed()
                    parts = await self.jobs.keep_failures(job.id, progress.parts, failures)
                    size, types = sum(row.size for row in chunk.tried), [one.type for one in failures]
                    progress = progress.after(rows=len(chunk.tried), size=size, failed=types, parts=parts)
                    await self.jobs.show(job.id, progress)
                    yield Chunk(len(chunk.tried), progress.encode())
                    if chunk.stopped:
                        break
            except Unreadable as error:
                yield Chunk(0, replace(progress, unreadable=str(error)).encode())
            except BodyGone as error:  # by the cancellation; or the store lost it, or was restored without it
                if await self.jobs.is_running(job.id):
                    yield Chunk(0, replace(progress, unreadable=str(error)).encode())

    def _at_once(self, kind: RowKind) -> int:
        if kind.name in self.in_order:
            return 1
        return _AT_ONCE if kind.service == SOURCE else _AWAITED_AT_ONCE

    def _sending(self, job: Job, kind: RowKind) -> AbstractAsyncContextManager[Send]:
        if kind.service == SOURCE:
            return _Given(self.dry if job.dry_run else self.own)
        return _Given(check_row) if job.dry_run else self.answers.sending()

    async def _chunks(self, job: Job, reader: Rows, *, behind: int) -> AsyncIterator[list[Row]]:
        """The rows behind so many, in chunks. What is read of them stays where it is until they are written."""
        chunk: list[Row] = []
        size = 0
        async for row in _rows(self.jobs.body_of(job), reader):
            if isinstance(row, Unreadable):
                if chunk:
                    yield chunk
                raise row
            if row.number <= behind:
                continue
            chunk.append(row)
            size += row.size
            if len(chunk) >= self.rows or size >= BYTES:
                yield chunk
                chunk, size = [], 0
        if chunk:
            yield chunk

    async def _write(
        self, job: Job, progress: BulkProgress, chunk: RowsChunk, write: Coroutine[Any, Any, None], send: Send
    ) -> None:
        """Writes a chunk. Meanwhile it is seen when the job is cancelled, and shown whose answers are awaited.

        A cancellation stops the chunk. The rows under way are written to their end, and count. Those of another service
        are not awaited any more, since that service may be away: their commands are sent, and they do not count.
        """
        service, since = row_kind(job.resource).service, iso(self.clock.now())
        writing = asyncio.create_task(write, name=f"rows of bulk job {job.id}")
        try:
            while not (await asyncio.wait({writing}, timeout=self.look))[0]:
                awaited = 0 if job.dry_run or service == SOURCE else self.answers.awaited(send)
                if not await self.jobs.is_running(job.id):
                    chunk.stopped = True
                    if awaited:
                        return
                elif awaited:
                    waiting = {"Service": service, "Rows": awaited, "Since": since}
                    await self.jobs.show(job.id, progress, waiting)
            writing.result()
        finally:
            await end(writing)


class _Given:
    """A context that gives what it was made with."""

    def __init__(self, send: Send) -> None:
        self._send = send

    async def __aenter__(self) -> Send:
        return self._send

    async def __aexit__(self, *_: object) -> None: ...


def reader_of(media_type: str, kind: RowKind) -> Rows:
    """What reads the rows of a body."""
    if media_type == CSV:
        return CsvRows(kind.model, known=kind.known, key=kind.required_key)
    return NdjsonRows() if media_type == NDJSON else JsonRows()


async def _rows(body: AsyncIterator[bytes], reader: Rows) -> AsyncIterator[Row | Unreadable]:
    """The rows of a body; last of all why it cannot be read on, where that is so."""
    try:
        async for part in body:
            for row in reader.feed(part):
                yield row
        for row in reader.end():
            yield row
    except Unreadable as error:
        yield error
