"""Use case: cancel a run; what it has ordered stays (HOTW rule 13)."""

from __future__ import annotations

from services.hotw_svc.app.ports import Store, Unit, View
from services.hotw_svc.app.runs.run import run_messages, run_view
from services.hotw_svc.domain.runs.scope import check_not_ended
from shared.cause import Cause
from shared.errors import NotFound
from shared.schemas.hotw_svc import CancelRun, RunStatus


async def cancel_run(command: CancelRun, cause: Cause, *, store: Store) -> View:
    """The cancelled run. NotFound; Conflict for a run that has ended, also by an earlier cancel (7.13.7a)."""

    async def cancel(unit: Unit) -> View:
        run = await unit.runs.get(command.run_id, lock=True)
        if run is None:
            raise NotFound(f"there is no run {command.run_id}")
        check_not_ended(run.status, run.run_id)
        run = await unit.runs.end(run, RunStatus.CANCELLED, cause.now)
        services = await unit.runs.orders_by_service(run.run_id)
        await unit.work.emit(run_messages("hotw.run.cancelled", run, now=cause.now, services=services))
        return View("RunId", run_view(run, cause.now))

    return await store.run_once(cause, "RunId", cancel)
