"""Use case: a bulk job is asked for. It begins once its body is stored durably."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from typing import Final

from services.fleet_svc.app.bulk.bulk_store import BulkStore, new_upload
from services.fleet_svc.domain.bulk.kinds import SOURCE, row_kind
from shared import exact_json
from shared.cause import Cause, digest_of
from shared.documents import Change, Document, Written
from shared.errors import BadInput, Refused
from shared.schemas.fleet_svc.bulk_job import BulkJobStatus, BulkMode, StartBulkJob
from shared.trace import new_id

CSV: Final = "text/csv"
JSON: Final = "application/json"
NDJSON: Final = "application/x-ndjson"
FORMATS: Final = (CSV, JSON, NDJSON)
"""The media types of a body (10.6.13)."""


@dataclass(frozen=True, slots=True)
class NewBulkJob:
    """What a job is asked to do with the rows of a body. NotFound for an unknown resource, BadInput for its mode."""

    resource: str
    mode: BulkMode
    dry_run: bool
    format: str

    def __post_init__(self) -> None:
        row_kind(self.resource).check_mode(self.mode)


async def start_bulk_job(
    new: NewBulkJob, body: AsyncIterator[bytes], cause: Cause, *, jobs: BulkStore, wake: Callable[[], None]
) -> Written:
    """Stores the body and then the job. The same cause with the same body starts one job only.

    TooLarge as ``body`` raises it, Conflict when the cause had another body, BadInput for an empty one.
    """
    digest, upload = hashlib.blake2b(digest_size=16), new_upload()  # a body of its own: the first one may be being read

    async def read() -> AsyncIterator[bytes]:
        async for piece in body:
            digest.update(piece)
            yield piece

    parts, size = await jobs.upload(upload, read())
    if not size:
        raise BadInput("the body is empty; send the rows as CSV, JSON or NDJSON")
    cause = replace(cause, digest=digest_of(f"{cause.digest}\n{digest.hexdigest()}\n{new}".encode()))
    job_id, kind = digest_of((cause.id or new_id()).encode()), row_kind(new.resource)
    state = {
        "JobId": job_id,
        "Resource": kind.name,
        "Mode": new.mode.value,
        "DryRun": new.dry_run,
        "Own": kind.service == SOURCE,
        "Open": True,
        "Status": BulkJobStatus.RUNNING.value,
        "Bytes": size,
        "Format": new.format,
        "Upload": upload,
        "Parts": parts,
    }

    def started(present: Document | None) -> Change | None:
        return Change(state, ()) if present is None else None

    try:
        written = await jobs.documents.update(job_id, started, cause)
    except Refused:  # after any other error the job may be there; what nobody needs is swept later
        await jobs.forget(upload)
        raise
    if written.document.state["Upload"] != upload:
        await jobs.forget(upload)
    wake()
    return written


async def start_of_command(
    command: StartBulkJob, cause: Cause, *, jobs: BulkStore, wake: Callable[[], None]
) -> Written:
    """The same for rows that a command brings (4.591b)."""

    async def body() -> AsyncIterator[bytes]:
        yield exact_json.dumps(command.rows)

    new = NewBulkJob(command.resource, command.mode, command.dry_run, JSON)
    return await start_bulk_job(new, body(), cause, jobs=jobs, wake=wake)
