"""Use case: start a run over an event's fleets, or over those that are named (HOTW rules 1 and 13)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from services.hotw_svc.app.ports import Store, Unit, View
from services.hotw_svc.app.runs.run import NewRun, Run, run_message, run_view, user_of
from services.hotw_svc.domain.runs.scope import check_upscaling, choose_order_type
from shared.cause import Cause
from shared.errors import NotFound
from shared.schemas.hotw_svc import OrderType, Purpose, RunStatus, StartRun

_MOST_NAMED: Final = 20  # unknown fleets in one sentence that a person reads


async def start_run(command: StartRun, cause: Cause, *, store: Store, wake_workers: Callable[[], None]) -> View:
    """The run, its fleets fixed. A run without fleets is Completed at once.

    NotFound for an unknown event or named fleet; Conflict for an inactive event or one whose peak is over.
    """

    async def start(unit: Unit) -> View:
        run = await begin_run(unit, command.event_id, cause, asked=command.order_type, fleet_ids=command.fleet_ids)
        if not run.fleets:
            run = await unit.runs.end(run, RunStatus.COMPLETED, cause.now)
            await unit.work.emit([run_message("hotw.run.completed", run, now=cause.now)])
        return View("RunId", run_view(run))

    run = await store.run_once(cause, "RunId", start)
    wake_workers()
    return run


async def begin_run(
    unit: Unit, event_id: str, cause: Cause, *, asked: OrderType | None, fleet_ids: list[str] | None
) -> Run:
    """Starts the run in this transaction and publishes it."""
    event = await unit.inputs.event(event_id)
    if event is None:
        raise NotFound(f"there is no event {event_id}")
    check_upscaling(event, cause.now)
    if fleet_ids is not None:
        unknown = await unit.inputs.unknown_fleets(fleet_ids)
        if unknown:
            more = f" and {len(unknown) - _MOST_NAMED} more" if len(unknown) > _MOST_NAMED else ""
            raise NotFound(f"there is no fleet {', '.join(unknown[:_MOST_NAMED])}{more}")
    chosen = choose_order_type(event, cause.now, asked)
    new = NewRun(
        event_id=event_id,
        order_type=chosen.order_type,
        order_type_reason=chosen.reason,
        purpose=Purpose.UPSCALING,
        user=user_of(cause.user),
        created_at=cause.now,
        trace=cause.trace,
    )
    run = await unit.runs.start(new, event, None if fleet_ids is None else set(fleet_ids))
    await unit.work.emit([run_message("hotw.run.started", run, now=cause.now)])
    return run
