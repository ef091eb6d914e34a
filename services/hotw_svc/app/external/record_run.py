"""Use case: record an outside engine's run, or what became of it (7.0.22 to 7.0.26)."""

from __future__ import annotations

from services.hotw_svc.app.external.known import known_event
from services.hotw_svc.app.ports import Store, Unit, View
from services.hotw_svc.app.runs.run import NewRun, Run, run_messages, run_view, user_of
from services.hotw_svc.domain.runs.scope import check_not_ended
from shared.cause import Cause
from shared.errors import Conflict, NotFound
from shared.schemas.hotw_external import RecordRun
from shared.schemas.hotw_svc import Engine, Purpose, RunStatus

_ENDED = {RunStatus.COMPLETED: "hotw.run.completed", RunStatus.CANCELLED: "hotw.run.cancelled"}


async def record_run(command: RecordRun, cause: Cause, *, store: Store) -> View:
    """The run, made now where the command names none. EPIC's own workers never work on it.

    NotFound for an unknown event, or a run that the event does not have. Conflict for a run of EPIC's own, and for
    another status of a run that has ended. What is so already stays as it is.
    """

    async def record(unit: Unit) -> View:
        run = await (_made(unit, command, cause) if command.run_id is None else _found(unit, command, command.run_id))
        if command.order_type is not None and command.order_type is not run.order_type:
            run = await unit.runs.change_order_type(run, command.order_type)
        status = command.run_status or run.status
        if status is not run.status:
            check_not_ended(run.status, run.run_id)
            run = await unit.runs.end(run, status, cause.now)
            services = await unit.runs.orders_by_service(run.run_id)
            await unit.work.emit(run_messages(_ENDED[status], run, now=cause.now, services=services))
        return View("RunId", run_view(run, cause.now))

    return await store.run_once(cause, "RunId", record)


async def own_run(unit: Unit, run_id: int, event_id: str, *, lock: bool = False) -> Run:
    """An outside engine's run of the event. NotFound; Conflict for a run of EPIC's own."""
    run = await unit.runs.get(run_id, lock=lock)
    if run is None or run.event_id != event_id:
        raise NotFound(f"there is no run {run_id} of {event_id}")
    if run.engine is Engine.EPIC:
        raise Conflict(f"run {run_id} is EPIC's own; an outside engine records into a run of its own", slug="epics-run")
    return run


async def _found(unit: Unit, command: RecordRun, run_id: int) -> Run:
    if await unit.inputs.event(command.event_id, deleted_too=True) is None:
        raise NotFound(f"there is no event {command.event_id}")
    return await own_run(unit, run_id, command.event_id, lock=True)


async def _made(unit: Unit, command: RecordRun, cause: Cause) -> Run:
    await known_event(unit, command.event_id)
    new = NewRun(
        event_id=command.event_id,
        order_type=command.order_type,
        purpose=Purpose.UPSCALING,
        user=user_of(cause.user),
        created_at=cause.now,
        trace=cause.trace,
        engine=Engine.EXTERNAL,
    )
    run = await unit.runs.record(new)
    await unit.work.emit(run_messages("hotw.run.started", run, now=cause.now))
    return run
