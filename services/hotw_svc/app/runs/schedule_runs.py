"""Use case: start the runs of the schedule, one for each slot and event, whatever number of processes looks."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import structlog

from services.hotw_svc.app.ports import Store, Unit
from services.hotw_svc.app.runs.run import Run
from services.hotw_svc.app.runs.start_run import begin_run
from services.hotw_svc.domain.runs.schedule import takes_slot
from shared.cause import AUTOMATION, Cause
from shared.clock import Clock, iso
from shared.cron import MISSED_FOR, newest_slot
from shared.schemas.hotw_svc import StartRun
from shared.trace import Trace

log = structlog.get_logger(__name__)


async def start_scheduled_runs(
    *, schedule: str, store: Store, clock: Clock, wake_workers: Callable[[], None]
) -> list[int]:
    """Starts a run for the newest slot that has come, of each event that takes it; the runs that were started now.

    Idempotent, and safe in several processes at once. Of the slots that were missed, for want of a process or of the
    event, only the newest within 24 hours counts (7.0.11). A slot that finds a run of its event Running starts none,
    not even later (7.0.10).
    """
    now = clock.now()
    slot = newest_slot(schedule, None, after=now - MISSED_FOR, until=now)
    if slot is None:
        return []
    events = await store.read(lambda unit: unit.slots.events_without(slot))
    started: list[int] = []
    for event_id in sorted(event.event_id for event in events if takes_slot(event, slot, now)):
        run = await store.write(lambda unit, event_id=event_id: _start(unit, event_id, slot, now))  # type: ignore[misc]
        if run is not None:
            log.info("a scheduled run has started", run=run.run_id, event_id=event_id, slot=iso(slot))
            started.append(run.run_id)
            wake_workers()
    return started


async def _start(unit: Unit, event_id: str, slot: datetime, now: datetime) -> Run | None:
    """The run, or None where the slot is taken, by another process or by a run that is Running."""
    event = await unit.inputs.event(event_id)
    if event is None or not takes_slot(event, slot, now) or not await unit.slots.take(event_id, slot):
        return None
    if await unit.runs.is_running(event_id):
        return None
    run = await begin_run(unit, StartRun(event_id=event_id), Cause(now, AUTOMATION, Trace.begin()))
    await unit.slots.started(event_id, slot, run.run_id)
    return run
