"""Use case: start a run over an event's fleets, or over those that are named (HOTW rules 1 and 13)."""

from __future__ import annotations

from typing import Any

from services.hotw_svc.app.ports import Store, Unit
from services.hotw_svc.app.refusals import ruled
from services.hotw_svc.app.runs.run import Run, run_message, user_of
from services.hotw_svc.domain.inputs import EventFacts
from services.hotw_svc.domain.orders.order import OrderType
from services.hotw_svc.domain.runs.scope import RunStatus, check_upscaling, order_type
from shared.cause import Cause
from shared.errors import NotFound
from shared.schemas.hotw_svc import StartRun

__all__ = ["begin", "start_run"]

_MOST_NAMED = 20


async def start_run(store: Store, command: StartRun, cause: Cause) -> dict[str, Any]:
    """The run, its fleets fixed; completed at once where there are none.

    NotFound for an event or a named fleet nobody knows; Conflict for an inactive event or one whose peak is over.
    """

    async def start(unit: Unit) -> dict[str, Any]:
        run, _ = await begin(
            unit, command.event_id, cause, asked=_type(command), fleet_ids=command.fleet_ids, now_done=True
        )
        return run.wire()

    answer, _ = await store.run_once(cause, start)
    return answer


async def begin(
    unit: Unit,
    event_id: str,
    cause: Cause,
    *,
    asked: OrderType | None,
    fleet_ids: list[str] | None,
    now_done: bool = False,
) -> tuple[Run, EventFacts]:
    """Opens the run in this transaction and says so; ``now_done`` lets one without fleets complete at once."""
    event = await unit.event(event_id)
    if event is None:
        raise NotFound(f"there is no event {event_id}")
    with ruled():
        check_upscaling(event, cause.now)
    if fleet_ids is not None:
        unknown = await unit.unknown_fleets(fleet_ids)
        if unknown:
            more = f" and {len(unknown) - _MOST_NAMED} more" if len(unknown) > _MOST_NAMED else ""
            raise NotFound(f"there is no fleet {', '.join(unknown[:_MOST_NAMED])}{more}")
    run_id = await unit.open_run(
        event_id=event_id,
        order_type=order_type(event, cause.now, asked),
        purpose="Upscaling",
        user=user_of(cause.user),
        now=cause.now,
        trace=cause.trace,
    )
    if fleet_ids is None:
        await unit.take_event_fleets(run_id, event)
    else:
        await unit.take_fleets(run_id, set(fleet_ids))
    run = await unit.run(run_id)
    if run is None:
        raise RuntimeError(f"run {run_id} is not there right after it was written")
    messages = [run_message("hotw.run.started", run, now=cause.now)]
    if now_done and run.progress.is_complete:
        run = await unit.end_run(run, RunStatus.COMPLETED, cause.now)
        messages.append(run_message("hotw.run.completed", run, now=cause.now))
    await unit.emit(messages)
    return run, event


def _type(command: StartRun) -> OrderType | None:
    return None if command.order_type is None else OrderType(command.order_type.value)
