"""What is kept of a bulk job: its document, its body in parts until it has ended, and its failed rows in parts.

The document has no versions that a caller sees and publishes nothing (3.1b). It is a document all the same, so that the
same request starts one job, and the cancelling of a job and its end meet in one conditional write.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from services.fleet_svc.domain.bulk.failures import Failure, decode_failures, encode_failures
from services.fleet_svc.domain.bulk.progress import BulkProgress
from shared.cause import AUTOMATION, Cause
from shared.clock import Clock, iso, parse_instant
from shared.documents import Change, Document, ListPage, State, Store, Written
from shared.durability.parts import MAX_PART_BYTES
from shared.errors import Conflict, EpicError, NotFound, Unavailable
from shared.schemas.fleet_svc.bulk_job import SHOWN_FAILURES, BulkJob, BulkJobStatus
from shared.trace import Trace, new_id

PART_BYTES: Final = 262_144
"""The most bytes of a part of a body: so much of it is in memory at a time."""

UPLOAD_KEPT: Final = timedelta(days=1)
"""How long a body is kept that no running job has: its request was broken off, or its process died."""

FAILURES_KEPT: Final = timedelta(days=30)
"""How long the failed rows of a job are kept after its end."""

_PREFIX: Final = "bulkjob/"  # of the names of parts
_FAILURES: Final = "/failures"
_RUNNING: Final = {"Status": BulkJobStatus.RUNNING.value}
_KEPT: Final = ("Own", "Upload", "Parts", "Format", "FailureParts", "Open")  # members of the state that no read shows


@dataclass(frozen=True, slots=True)
class Job:
    """A bulk job as its worker sees it. ``user`` asked for it."""

    id: str
    resource: str
    mode: str
    dry_run: bool
    format: str
    upload: str
    parts: int
    user: str

    @classmethod
    def of(cls, document: Document) -> Job:
        state = document.state
        return cls(
            document.key,
            state["Resource"],
            state["Mode"],
            state["DryRun"],
            state["Format"],
            state["Upload"],
            state["Parts"],
            document.created_by or document.user,
        )


class BodyGone(EpicError):
    """A part of a job's body is not there any more."""


def new_upload() -> str:
    """The name of a new body, with the real time at which it began to arrive."""
    return f"{_PREFIX}{int(datetime.now(UTC).timestamp()):x}-{new_id()}"


class BulkStore:
    """The bulk jobs of fleet_svc. Make it before the store is started."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self.documents = store.documents("bulkjob", filters=("Status", "Own", "Open"))
        self._parts = store.parts()
        self._clock = clock

    async def upload(self, name: str, body: AsyncIterator[bytes]) -> tuple[int, int]:
        """Keeps a body; how many parts and how many bytes it has. What was kept of one that fails is deleted."""
        number, size, buffer = 0, 0, bytearray()
        try:
            async for piece in body:
                size += len(piece)
                buffer += piece
                while len(buffer) >= PART_BYTES:
                    await self._parts.put(name, number, bytes(buffer[:PART_BYTES]))
                    del buffer[:PART_BYTES]
                    number += 1
            if buffer:
                await self._parts.put(name, number, bytes(buffer))
                number += 1
        except BaseException:
            await self.forget(name)
            raise
        return number, size

    async def forget(self, name: str) -> None:
        """Deletes a body, unless the store is away: it is only in the way then."""
        with suppress(Unavailable):
            await self._parts.delete(name)

    async def body_of(self, job: Job) -> AsyncIterator[bytes]:
        """The body of a job, part by part. BodyGone where one is missing: the job has ended."""
        for number in range(job.parts):
            part = await self._parts.get(job.upload, number)
            if part is None:
                raise BodyGone(f"part {number} of the body is gone; start the job again")
            yield part

    async def get(self, job_id: str) -> Document:
        """NotFound when there is no such job."""
        document = await self.documents.latest(job_id)
        if document is None:
            raise NotFound(f"there is no bulk job {job_id}")
        return document

    async def is_running(self, job_id: str) -> bool:
        return BulkJobStatus((await self.get(job_id)).state["Status"]) is BulkJobStatus.RUNNING

    async def open(self, *, own: bool) -> list[Document]:
        """The jobs that a worker has yet to end, by their ids: of resources of this service, or of others."""
        where = {"Open": True, "Own": own}
        return [document async for page in self.documents.scan(where) for document in page]

    async def page(self, status: str | None, *, after: str | None, limit: int) -> ListPage:
        return await self.documents.list(None if status is None else {"Status": status}, after=after, limit=limit)

    async def show(self, job_id: str, progress: BulkProgress, waiting: State | None = None) -> None:
        """Shows how far a job is, and which service it waits for."""
        side = {**progress.shown(), "FailureParts": progress.parts}
        if waiting is not None:
            side["WaitingFor"] = waiting
        await self.documents.amend(job_id, lambda present: None if present.side == side else (side, ()), self.cause())

    async def end(self, job: Job, status: BulkJobStatus, progress: BulkProgress, reason: str | None = None) -> None:
        """Ends a job, unless it has ended; its body is deleted. One that was cancelled stays so."""

        def ended(present: Document | None) -> Change | None:
            if present is None or not present.state["Open"]:
                return None
            result = {"Status": status.value} if reason is None else {"Status": status.value, "Reason": reason}
            if present.state["Status"] != BulkJobStatus.RUNNING:
                result = {}
            counts = {**progress.shown(), "FailureParts": progress.parts}
            at = iso(self._clock.now())
            return Change({**present.state, **counts, **result, "Open": False, "EndedAt": at}, ())

        await self.documents.update(job.id, ended, self.cause())
        await self.forget(job.upload)

    async def cancel(self, job_id: str, cause: Cause) -> Written:
        """Stops a running job for good. NotFound, or Conflict when it has ended or was stopped (4.283).

        Its worker ends it, with the rows that it had under way; it has no ``EndedAt`` until then.
        """

        def cancelled(present: Document | None) -> Change:
            if present is None:
                raise NotFound(f"there is no bulk job {job_id}")
            if present.state["Status"] != BulkJobStatus.RUNNING:
                raise Conflict(f"the bulk job has ended: it is {present.state['Status']}", slug="ended")
            return Change({**present.state, "Status": BulkJobStatus.CANCELLED.value}, ())

        written = await self.documents.update(job_id, cancelled, cause)
        await self.forget(written.document.state["Upload"])
        return written

    async def keep_failures(self, job_id: str, first: int, failures: list[Failure]) -> int:
        """Keeps the failed rows of one chunk in parts from ``first`` on; the number behind the last of them.

        The same chunk again keeps them in the same place.
        """
        number = first
        for part in encode_failures(failures, most=MAX_PART_BYTES):
            await self._parts.put(_failures(job_id), number, part)
            number += 1
        return number

    async def failures(self, document: Document) -> AsyncIterator[Failure]:
        """The failed rows of a job, in the order of the file."""
        for number in range(_member(document, "FailureParts", 0)):
            part = await self._parts.get(_failures(document.key), number)
            for failure in decode_failures(part or b""):
                yield failure

    async def sweep(self) -> None:
        """Deletes bodies that no running job has, and failed rows of jobs that ended long ago."""
        running = {document.state["Upload"] async for page in self.documents.scan(_RUNNING) for document in page}
        after = ""
        while names := await self._parts.names(_PREFIX, after):
            for name in names:
                if await self._is_over(name, running):
                    await self._parts.delete(name)
            after = names[-1]

    async def _is_over(self, name: str, running: Collection[str]) -> bool:
        if not name.endswith(_FAILURES):
            begun = datetime.fromtimestamp(int(name.removeprefix(_PREFIX).partition("-")[0], 16), UTC)
            return name not in running and datetime.now(UTC) - begun > UPLOAD_KEPT
        document = await self.documents.latest(name.removeprefix(_PREFIX).removesuffix(_FAILURES))
        ended = None if document is None else document.state.get("EndedAt")
        return document is None or (ended is not None and self._clock.now() - parse_instant(ended) > FAILURES_KEPT)

    async def view(self, document: Document, *, failures: bool) -> BulkJob:
        """The job as it is read, with its first failed rows where they are wanted."""
        shown = {**document.side, **document.state}  # counts of the state are those of its end
        if document.state["Status"] != BulkJobStatus.RUNNING:
            shown.pop("WaitingFor", None)
        first: list[dict[str, Any]] = []
        if failures and shown.get("RowsFailed"):
            async for failure in self.failures(document):
                first.append(failure.shown().wire())
                if len(first) == SHOWN_FAILURES:
                    break
        members = {name: value for name, value in shown.items() if name not in _KEPT}
        made = {"CreatedAt": document.created, "CreatedBy": document.created_by}
        return BulkJob.model_validate({**members, **made, "Failures": first})

    def cause(self) -> Cause:
        """Why the service itself writes about a job."""
        return Cause(self._clock.now(), AUTOMATION, Trace.begin())


def _failures(job_id: str) -> str:
    return f"{_PREFIX}{job_id}{_FAILURES}"


def _member(document: Document, name: str, default: Any) -> Any:
    return document.state.get(name, document.side.get(name, default))
