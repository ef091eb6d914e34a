"""Use case: start a run over an event's fleets, or over those that are named (HOTW rules 0, 1 and 13)."""

from __future__ import annotations

from collections.abc import Callable

from services.hotw_svc.app.ports import Store, Unit, View
from services.hotw_svc.app.runs.run import NewRun, Run, run_messages, run_view, user_of
from services.hotw_svc.domain.runs.scope import (
    Scope,
    check_fleets_known,
    check_may_run,
    check_services_planned,
    choose_order_type,
)
from shared.cause import Cause
from shared.errors import NotFound
from shared.schemas.hotw_svc import RunStatus, StartRun


async def start_run(command: StartRun, cause: Cause, *, store: Store, wake_workers: Callable[[], None]) -> View:
    """The run, its fleets fixed. A run without fleets is Completed at once.

    NotFound for an unknown event, named fleet or named service. Conflict for an inactive event, for upscaling after the
    peak and descaling before its end, and for a named service that is not Registered.
    """

    async def start(unit: Unit) -> View:
        return View("RunId", run_view(await begin_run(unit, command, cause), cause.now))

    run = await store.run_once(cause, "RunId", start)
    wake_workers()
    return run


async def begin_run(unit: Unit, command: StartRun, cause: Cause) -> Run:
    """Starts the run in this transaction and publishes it."""
    event = await unit.inputs.event(command.event_id)
    if event is None:
        raise NotFound(f"there is no event {command.event_id}")
    check_may_run(event, cause.now, purpose=command.purpose, dry_run=command.dry_run)
    if command.service_ids is not None:
        check_services_planned(command.service_ids, await unit.inputs.service_types(command.service_ids))
    if command.fleet_ids is not None:
        check_fleets_known(await unit.inputs.unknown_fleets(command.fleet_ids))
    chosen = choose_order_type(event, cause.now, command.order_type)
    new = NewRun(
        event_id=command.event_id,
        order_type=chosen.order_type,
        order_type_reason=chosen.reason,
        purpose=command.purpose,
        user=user_of(cause.user),
        created_at=cause.now,
        trace=cause.trace,
        dry_run=command.dry_run,
    )
    run = await unit.runs.start(new, event, Scope.of(command.fleet_ids, command.service_ids))
    await unit.work.emit(run_messages("hotw.run.started", run, now=cause.now))
    if not run.fleets:
        run = await unit.runs.end(run, RunStatus.COMPLETED, cause.now)
        await unit.work.emit(run_messages("hotw.run.completed", run, now=cause.now))
    return run
