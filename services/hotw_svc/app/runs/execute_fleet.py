"""Use case: the atomic trigger, a run of one fleet that is waited for (HOTW 7)."""

from __future__ import annotations

import asyncio
import time
from typing import Any, Final

from services.hotw_svc.app.ports import Store, Unit
from services.hotw_svc.app.runs.start_run import begin
from services.hotw_svc.app.runs.work_run import LEASE_SECONDS, complete_run, work_chunk
from services.hotw_svc.domain.orders.order import OrderType
from services.hotw_svc.domain.runs.scope import RunStatus
from shared.cause import Cause
from shared.clock import Clock
from shared.errors import Conflict, Refused, UnderWay
from shared.relational import IdempotencyRecord
from shared.schemas.hotw_svc import ExecuteFleet

__all__ = ["execute_fleet"]

_PATIENCE: Final = LEASE_SECONDS + 15


async def execute_fleet(store: Store, clock: Clock, command: ExecuteFleet, cause: Cause) -> dict[str, Any]:
    """The fleet's execution, worked out now. Whoever dies meanwhile, a worker finishes the run.

    NotFound and Conflict as for a run. UnderWay while the same request is being worked on, or when another run keeps
    the fleet's lock for longer than anyone should wait.
    """
    try:
        answered, run_id = await store.write(lambda unit: _open(unit, command, cause))
    except Refused as refusal:
        await store.keep_refusal(cause, refusal)
        raise
    if answered is not None:
        return answered.result()
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        await work_chunk(store, clock, run_id, limit=1)
        answer = await store.write(lambda unit: _close(unit, run_id, command.fleet_id, cause))
        if answer is not None:
            await complete_run(store, clock, run_id)
            return answer.result()
        await asyncio.sleep(0.1)
    raise UnderWay(f"run {run_id} of {command.fleet_id} is not finished yet", retry_after=5)


async def _open(unit: Unit, command: ExecuteFleet, cause: Cause) -> tuple[IdempotencyRecord | None, int]:
    before = await unit.record_of(cause)
    if before is None:
        asked = None if command.order_type is None else OrderType(command.order_type.value)
        run, _ = await begin(unit, command.event_id, cause, asked=asked, fleet_ids=[command.fleet_id])
        await unit.answer(cause, IdempotencyRecord(under_way=True, reference=str(run.run_id)))
        return None, run.run_id
    if not before.under_way:
        return before, 0
    run_id = int(before.reference or 0)
    answer = await _close(unit, run_id, command.fleet_id, cause)
    if answer is None:
        raise UnderWay(f"run {run_id} of {command.fleet_id} is not finished yet")
    return answer, run_id


async def _close(unit: Unit, run_id: int, fleet_id: str, cause: Cause) -> IdempotencyRecord | None:
    """The answer, if there is one by now: kept from here on. Of several who close at once all give the first.

    The run is read before the execution: one that is found over has written all that it will.
    """
    run = await unit.run(run_id, counted=False)
    execution = await unit.execution_of(run_id, fleet_id)
    if execution is not None:
        answer = IdempotencyRecord(body=execution)
    elif run is not None and run.status is RunStatus.RUNNING:
        return None
    else:
        answer = IdempotencyRecord(
            refusal=Conflict(f"run {run_id} was cancelled before its execution", slug="run-cancelled")
        )
    await unit.finish_record(cause, answer)
    return await unit.record_of(cause) or answer
