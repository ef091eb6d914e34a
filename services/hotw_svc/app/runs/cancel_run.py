"""Use case: cancel a run; what it has ordered stays (HOTW rule 13)."""

from __future__ import annotations

from services.hotw_svc.app.ports import Store, Unit, View
from services.hotw_svc.app.runs.run import run_message, run_view
from services.hotw_svc.domain.runs.scope import cancelled
from shared.cause import Cause
from shared.errors import NotFound
from shared.schemas.hotw_svc import CancelRun, RunStatus


async def cancel_run(command: CancelRun, cause: Cause, *, store: Store) -> View:
    """The cancelled run; a second cancel changes nothing. NotFound; Conflict for a run that is Completed."""

    async def cancel(unit: Unit) -> View:
        run = await unit.runs.get(command.run_id, lock=True)
        if run is None:
            raise NotFound(f"there is no run {command.run_id}")
        status = cancelled(run.status, run.run_id)
        if run.status is not RunStatus.CANCELLED:
            run = await unit.runs.end(run, status, cause.now)
            services = await unit.runs.orders_by_service(run.run_id)
            await unit.work.emit([run_message("hotw.run.cancelled", run, now=cause.now, services=services)])
        return View("RunId", run_view(run))

    return await store.run_once(cause, "RunId", cancel)
