"""Use case: the atomic trigger, a run of one fleet whose execution is waited for (HOTW 7)."""

from __future__ import annotations

import asyncio
import time
from typing import Final

from services.hotw_svc.app.ports import Store, Unit, View
from services.hotw_svc.app.runs.start_run import begin_run
from services.hotw_svc.app.runs.work_run import LEASE_SECONDS, complete_run, work_chunk
from shared.cause import Cause
from shared.clock import Clock
from shared.durability.idempotency import IdempotencyRecord
from shared.errors import Conflict, Refused, UnderWay
from shared.schemas.hotw_svc import ExecuteFleet, RunStatus, StartRun

_PATIENCE: Final = LEASE_SECONDS + 15  # the lock of a dead run is over by then, and this fleet worked out
_POLL: Final = 0.1  # seconds between looks at a fleet that another run has locked


async def execute_fleet(command: ExecuteFleet, cause: Cause, *, store: Store, clock: Clock) -> View:
    """The fleet's execution, worked out now. If this process dies meanwhile, a worker finishes the run.

    NotFound and Conflict as for a run. UnderWay while the same request is being worked on, or when another run keeps
    the fleet's lock for longer than anyone should wait.
    """
    try:
        record, run_id = await store.write(lambda unit: open_record(unit, command, cause))
    except Refused as refusal:
        await store.database.keep_refusal(cause, refusal)
        raise
    if record is None:
        record = await _work_off(store, clock, run_id, command.fleet_id, cause)
    return View("ExecutionId", record.result())


async def _work_off(store: Store, clock: Clock, run_id: int, fleet_id: str, cause: Cause) -> IdempotencyRecord:
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        await work_chunk(store, clock, run_id, limit=1)
        record = await store.write(lambda unit: close_record(unit, run_id, fleet_id, cause))
        if record is not None:
            await complete_run(store, clock, run_id)
            return record
        await asyncio.sleep(_POLL)
    raise UnderWay(f"run {run_id} of {fleet_id} is not finished yet", retry_after=5)


async def open_record(unit: Unit, command: ExecuteFleet, cause: Cause) -> tuple[IdempotencyRecord | None, int]:
    """The outcome of an earlier attempt, or (None) the run that was started now. UnderWay while one is at work."""
    before = await unit.work.record_of(cause)
    if before is None:
        run = await begin_run(unit, _run_of(command), cause)
        await unit.work.add_record(cause, IdempotencyRecord(under_way=True, reference=str(run.run_id)))
        return None, run.run_id
    if not before.under_way:
        return before, 0
    run_id = int(before.reference or 0)
    record = await close_record(unit, run_id, command.fleet_id, cause)
    if record is None:
        raise UnderWay(f"run {run_id} of {command.fleet_id} is not finished yet")
    return record, run_id


async def close_record(unit: Unit, run_id: int, fleet_id: str, cause: Cause) -> IdempotencyRecord | None:
    """The outcome, kept from here on; None while there is none. Of several who close at once all get the first.

    The run is read before the execution, because a run that is over has written all that it ever will.
    """
    run = await unit.runs.get(run_id, counted=False)
    execution = await unit.executions.get(run_id, fleet_id)
    if execution is not None:
        record = IdempotencyRecord(body=execution.body)
    elif run is not None and run.status is RunStatus.RUNNING:
        return None
    else:
        refusal = Conflict(f"run {run_id} was cancelled before its execution", slug="run-cancelled")
        record = IdempotencyRecord(refusal=refusal)
    await unit.work.finish_record(cause, record)
    return await unit.work.record_of(cause) or record


def _run_of(command: ExecuteFleet) -> StartRun:
    return StartRun(
        event_id=command.event_id,
        fleet_ids=[command.fleet_id],
        order_type=command.order_type,
        purpose=command.purpose,
        dry_run=command.dry_run,
    )
