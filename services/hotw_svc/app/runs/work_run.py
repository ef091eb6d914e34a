"""Use case: work off a run's fleets, a chunk at a time, however many workers share it and whichever of them dies."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import structlog

from services.hotw_svc.app.orders.books import Book, BookKey, News, SettledUnder, fact_messages, refuse_too_large
from services.hotw_svc.app.ports import Claimed, Loaded, Placed, Store, Unit
from services.hotw_svc.app.runs.run import Run, run_message
from services.hotw_svc.domain.runs.execution import Execution, execute, fleet_gone, lock_held
from services.hotw_svc.domain.runs.scope import RunStatus
from shared.clock import Clock
from shared.envelope import Message
from shared.errors import TooLarge, Unavailable
from shared.trace import bind_trace, new_id

__all__ = ["LEASE_SECONDS", "Worked", "complete_run", "work_chunk"]

LEASE_SECONDS: Final = 30.0
CHUNK: Final = 500
_BREATH: Final = 20  # fleets worked out without letting anyone else on the event loop get on

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Worked:
    """What became of a chunk: executions written, fleets lost to another worker, fleets another run has locked."""

    written: int = 0
    lost: int = 0
    blocked: int = 0

    @property
    def found_work(self) -> bool:
        return bool(self.written or self.lost)


async def work_chunk(
    store: Store, clock: Clock, run_id: int, *, limit: int = CHUNK, lease: float = LEASE_SECONDS
) -> Worked:
    """Claims some of the run's open fleets, works out what each needs and writes it, or nothing of it.

    Each fleet gets its execution exactly once. One whose lock another run keeps for a whole lease fails (LockHeld); one
    that cannot be written with the others is written alone; one that cannot be written at all, or told of, fails alone.
    """
    run = await store.read(lambda unit: unit.run(run_id, counted=False))
    if run is None or run.status is not RunStatus.RUNNING:
        return Worked()
    with bind_trace(run.trace):
        return await _work_chunk(store, clock, run, limit, lease)


async def _work_chunk(store: Store, clock: Clock, run: Run, limit: int, lease: float) -> Worked:
    holder = new_id()
    claim = await store.write(lambda unit: unit.claim(run, holder, limit, lease))
    if claim.is_empty:
        return Worked(blocked=claim.blocked)
    if claim.refused:
        await store.write(lambda unit: _refuse(unit, run, dict(claim.refused), clock))
    written = await _write(store, clock, run, holder, claim.fleets)
    return Worked(written + len(claim.refused), len(claim.fleets) - written, claim.blocked)


async def complete_run(store: Store, clock: Clock, run_id: int) -> bool:
    """Completes the run once every fleet has its execution, and says so exactly once; whether it did now."""

    async def complete(unit: Unit) -> Run | None:
        if await unit.has_open_fleets(run_id):
            return None
        run = await unit.run(run_id, lock=True)
        if run is None or run.status is not RunStatus.RUNNING:
            return None
        now = clock.now()
        ended = await unit.end_run(run, run.progress.status_after(run.status), now)
        services = await unit.shares(run_id)
        await unit.emit([run_message("hotw.run.completed", ended, now=now, services=services)])
        return ended

    if await store.read(lambda unit: unit.has_open_fleets(run_id)):
        return False
    ended = await store.write(complete)
    if ended is None:
        return False
    with bind_trace(ended.trace):
        log.info("run completed", run=run_id, event_id=ended.event_id, executions=ended.progress.executions)
    return True


async def _write(store: Store, clock: Clock, run: Run, holder: str, fleets: Sequence[Claimed]) -> int:
    """How many of the fleets got their execution."""
    if not fleets:
        return 0
    worked_out = await _work_out(store, clock, run, [fleet.fleet_id for fleet in fleets])
    try:
        return await store.write(lambda unit: _record(unit, clock, run, holder, fleets, worked_out))
    except Unavailable:
        raise
    except Exception as error:
        log.warning(
            "a chunk could not be recorded; its fleets are taken one by one",
            run=run.run_id,
            fleets=len(fleets),
            error=repr(error),
        )
    return sum([await _alone(store, clock, run, holder, fleet, worked_out) for fleet in fleets])


async def _alone(
    store: Store, clock: Clock, run: Run, holder: str, fleet: Claimed, worked_out: dict[str, Execution]
) -> int:
    try:
        return await store.write(lambda unit: _record(unit, clock, run, holder, [fleet], worked_out))
    except Unavailable:
        raise
    except TooLarge as refusal:
        sentence = refusal.detail
    except Exception as error:
        log.exception("an execution could not be recorded", run=run.run_id, fleet=fleet.fleet_id)
        sentence = f"What was worked out for {fleet.fleet_id} could not be recorded ({type(error).__name__})."
    failed = {fleet.fleet_id: _failed(worked_out[fleet.fleet_id], sentence)}
    return await store.write(lambda unit: _record(unit, clock, run, holder, [fleet], failed, anew=False))


async def _work_out(store: Store, clock: Clock, run: Run, fleet_ids: Sequence[str]) -> dict[str, Execution]:
    loaded = await store.read(lambda unit: _load(unit, run, fleet_ids))
    found: dict[str, Execution] = {}
    for number, item in enumerate(loaded, start=1):
        found[item.fleet_id] = _executed(item, clock)
        if not number % _BREATH:
            await asyncio.sleep(0)
    return found


async def _load(unit: Unit, run: Run, fleet_ids: Sequence[str]) -> list[Loaded]:
    event = await unit.event(run.event_id, deleted_too=True)
    if event is None:
        raise RuntimeError(f"run {run.run_id} is of an event nobody knows, {run.event_id}")
    return await unit.load(run, fleet_ids, event)


def _executed(item: Loaded, clock: Clock) -> Execution:
    now = clock.now()
    if item.gone:
        return fleet_gone(item.inputs, now=now)
    if item.fault is not None:
        return _failed(fleet_gone(item.inputs, now=now), item.fault)
    try:
        return execute(item.inputs, now=now)
    except Exception as error:  # one fleet's fault fails it alone
        log.exception("a fleet could not be worked out", fleet=item.fleet_id)
        return _failed(fleet_gone(item.inputs, now=now), f"What it needs could not be worked out: {error!r}.")


def _failed(execution: Execution, sentence: str) -> Execution:
    return replace(fleet_gone(execution.inputs, now=execution.created_at), reasoning=sentence)


async def _record(
    unit: Unit,
    clock: Clock,
    run: Run,
    holder: str,
    fleets: Sequence[Claimed],
    worked_out: dict[str, Execution],
    *,
    anew: bool = True,
) -> int:
    """Writes what was worked out for the fleets still held; whose books changed meanwhile is worked out anew."""
    held = await unit.still_held(run, holder, fleets)
    mine = [fleet for fleet in fleets if fleet.fleet_id in held]
    if not mine:
        return 0
    stale = [fleet.fleet_id for fleet in mine if held[fleet.fleet_id] != fleet.revision]
    executions = {fleet.fleet_id: worked_out[fleet.fleet_id] for fleet in mine}
    if stale and anew:
        executions |= {item.fleet_id: _executed(item, clock) for item in await _load(unit, run, stale)}
    placed = await unit.write_executions(run, list(executions.values()))
    await unit.emit([message for item in placed for message in _facts(run, item)])
    await unit.release(run, holder, [fleet.fleet_id for fleet in mine])
    return len(executions)


async def _refuse(unit: Unit, run: Run, refused: dict[str, str], clock: Clock) -> None:
    loaded = await _load(unit, run, list(refused))
    executions = [lock_held(item.inputs, locked_by=refused[item.fleet_id], now=clock.now()) for item in loaded]
    await unit.write_executions(run, executions)
    await unit.release(run, None, list(refused))


def _facts(run: Run, placed: Placed) -> list[Message]:
    """The completed execution, then, if it ordered, its orders: two facts of the book, numbered in this order.

    TooLarge when they would hold more orders than can be told of.
    """
    execution, inputs = placed.execution, placed.execution.inputs
    book = Book(
        key=BookKey(run.event_id, inputs.fleet.fleet_id, run.purpose),
        service_id=inputs.fleet.service_id,
        event=inputs.event,
        fleet=inputs.fleet,
        orders=(),
        overrides=(),
        orders_version_id=placed.orders_version_id,
        settled_under=SettledUnder.of(inputs.event),
        execution=placed.columns,
    )
    about = tuple(order.fulfillment_id for order in execution.orders)
    topics = ("hotw.execution.completed", "hotw.order.placed") if about else ("hotw.execution.completed",)
    facts = fact_messages(
        [News(topic, about) for topic in topics],
        book,
        placed.orders,
        first=placed.orders_version_id - len(topics) + 1,
        now=execution.created_at,
        trace=run.trace,
        user=run.user,
        run_id=run.run_id,
    )
    if about:  # an execution that orders nothing is told of with the orders there are
        refuse_too_large(facts, ordering=True)
    return facts
