"""The contract of bulk jobs: many rows of one resource, written one after another in the background (4.590)."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Final

from pydantic import Field

from shared.schemas.base import CommandBody, Count, Flag, Id, Instant, Name, Text, WireModel
from shared.schemas.results import Repeated

BULK_LIMIT: Final = 268_435_456
"""The most bytes of a bulk job's body by HTTP (rule 4.11e)."""

SHOWN_FAILURES: Final = 100
"""The failed rows that a read shows: a person corrects these first; the CSV of failures has them all."""


class BulkMode(StrEnum):
    """What a row may do: make a document, change one, or whichever of the two fits (4.591a)."""

    CREATE = "create"
    UPDATE = "update"
    UPSERT = "upsert"


class BulkJobStatus(StrEnum):
    RUNNING = "Running"
    DONE = "Done"  # every row was tried; RowsFailed says how many were refused
    FAILED = "Failed"  # the file cannot be read on, see Reason; the rows before that place were tried
    CANCELLED = "Cancelled"


class RowProblem(WireModel):
    """One bad member of a row: a JSON pointer into it, and what to give instead."""

    pointer: str
    detail: str


class FailedRow(WireModel):
    """A row that was refused. ``Row`` counts the rows from 1, ``Line`` the lines of the file.

    ``Status`` is HTTP's, ``Type`` the last word of the problem's type."""

    row: int
    line: int
    key: Repeated | None = None
    status: int
    type: Name
    reason: Text
    errors: list[RowProblem] = Field(default_factory=list)


class AwaitedService(WireModel):
    """The service whose answers a job waits for, how many of them, and since when."""

    service: Name
    rows: Count
    since: Instant


class BulkJob(WireModel):
    """A bulk job as it is read. ``RowsDone`` counts the refused rows too, ``BytesRead`` of ``Bytes`` is its progress.

    ``FailedByType`` counts the failed rows by the last word of their problem's type, such as ``exists``. ``Failures``
    are the first of them; ``GET /bulkjobs/{JobId}/failures`` has all of them. A job that was cancelled has no
    ``EndedAt`` until the rows under way are written and counted.
    """

    job_id: Id
    resource: Name
    mode: BulkMode
    dry_run: bool
    status: BulkJobStatus
    reason: Text | None = None
    bytes: int
    bytes_read: int = 0
    rows_done: int = 0
    rows_failed: int = 0
    failed_by_type: dict[str, int] = Field(default_factory=dict)
    failures: list[FailedRow] = Field(default_factory=list)
    waiting_for: AwaitedService | None = None
    created_at: Instant
    created_by: Name
    ended_at: Instant | None = None


class StartBulkJob(CommandBody):
    """Starts a bulk job with these rows. One whose body is over 1 MiB goes by HTTP."""

    resource: Name
    mode: BulkMode = BulkMode.UPSERT
    dry_run: Flag = False
    rows: list[dict[str, Any]] = Field(min_length=1)


class CancelBulkJob(CommandBody):
    """Stops a bulk job at the end of the rows that it has under way; what was written stays."""

    job_id: Id
