"""Use case: a bulk job is stopped."""

from __future__ import annotations

from services.fleet_svc.app.bulk.bulk_store import BulkStore
from shared.cause import Cause
from shared.documents import Written
from shared.schemas.fleet_svc.bulk_job import CancelBulkJob


async def cancel_bulk_job(command: CancelBulkJob, cause: Cause, *, jobs: BulkStore) -> Written:
    """Stops the job at the end of the rows that it has under way. NotFound, or Conflict when it has ended (4.283)."""
    return await jobs.cancel(command.job_id, cause)
