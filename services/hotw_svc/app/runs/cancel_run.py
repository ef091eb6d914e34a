"""Use case: stop a run; what it has ordered stays (HOTW rule 13)."""

from __future__ import annotations

from typing import Any

from services.hotw_svc.app.ports import Store, Unit
from services.hotw_svc.app.refusals import ruled
from services.hotw_svc.app.runs.run import run_message
from services.hotw_svc.domain.runs.scope import RunStatus, cancelled
from shared.cause import Cause
from shared.errors import NotFound
from shared.schemas.hotw_svc import CancelRun

__all__ = ["cancel_run"]


async def cancel_run(store: Store, command: CancelRun, cause: Cause) -> dict[str, Any]:
    """The run, cancelled; the same again changes nothing. NotFound; Conflict for a run that is Completed."""

    async def cancel(unit: Unit) -> dict[str, Any]:
        run = await unit.run(command.run_id, lock=True)
        if run is None:
            raise NotFound(f"there is no run {command.run_id}")
        with ruled():
            status = cancelled(run.status, run.run_id)
        if run.status is RunStatus.CANCELLED:
            return run.wire()
        ended = await unit.end_run(run, status, cause.now)
        services = await unit.shares(run.run_id)
        await unit.emit([run_message("hotw.run.cancelled", ended, now=cause.now, services=services)])
        return ended.wire()

    answer, _ = await store.run_once(cause, cancel)
    return answer
