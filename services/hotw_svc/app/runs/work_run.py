"""Use case: work off a run's fleets, a chunk at a time, however many workers share it and whichever of them dies."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import structlog

from services.hotw_svc.app.orders.facts import book_messages, refuse_too_large
from services.hotw_svc.app.ports import ClaimedFleet, LoadedInputs, PlacedExecution, Store, Unit
from services.hotw_svc.app.runs.run import Run, run_messages
from services.hotw_svc.domain.runs.execution import Execution, execute, fleet_gone, lock_held
from services.hotw_svc.domain.runs.execution_facts import execution_facts
from shared.clock import Clock
from shared.envelope import Message
from shared.errors import TooLarge, Unavailable
from shared.schemas.hotw_svc import RunStatus
from shared.trace import bind_trace, new_id

LEASE_SECONDS: Final = 30.0  # many times what a chunk takes, and as long as a dead worker's fleets wait
CHUNK: Final = 500  # fleets; a larger chunk gains nothing more and holds its locks longer
_FLEETS_PER_TURN: Final = 20  # fleets worked out before other tasks of the event loop get their turn, some 5 ms

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class ChunkResult:
    """How a chunk ended: fleets written, fleets lost to another worker, fleets that are still blocked."""

    written: int = 0
    lost: int = 0
    blocked: int = 0

    @property
    def found_work(self) -> bool:
        return bool(self.written or self.lost)


async def work_chunk(
    store: Store, clock: Clock, run_id: int, *, limit: int = CHUNK, lease: float = LEASE_SECONDS
) -> ChunkResult:
    """Claims some of the run's open fleets, works out what each needs, and writes all of it or nothing.

    Each fleet gets its execution exactly once. A fleet fails alone (a Fail execution) when another run keeps its lock
    for a whole lease (LockHeld), or when its execution can neither be written with the others nor by itself.
    """
    run = await store.read(lambda unit: unit.runs.get(run_id, counted=False))
    if run is None or run.status is not RunStatus.RUNNING:
        return ChunkResult()
    with bind_trace(run.trace):
        return await _Chunk(store, clock, run, new_id()).work(limit, lease)


async def complete_run(store: Store, clock: Clock, run_id: int) -> bool:
    """Completes the run once every fleet has its execution, and publishes that exactly once; whether it did now."""

    async def complete(unit: Unit) -> Run | None:
        if await unit.runs.has_open_fleets(run_id):
            return None
        run = await unit.runs.get(run_id, lock=True)
        if run is None or run.status is not RunStatus.RUNNING:
            return None
        now = clock.now()
        ended = await unit.runs.end(run, RunStatus.COMPLETED, now)
        services = await unit.runs.orders_by_service(run_id)
        await unit.work.emit(run_messages("hotw.run.completed", ended, now=now, services=services))
        return ended

    if await store.read(lambda unit: unit.runs.has_open_fleets(run_id)):
        return False
    ended = await store.write(complete)
    if ended is None:
        return False
    with bind_trace(ended.trace):
        log.info("run completed", run=run_id, event_id=ended.event_id, executions=ended.tally.executions)
    return True


@dataclass(frozen=True, slots=True)
class _Chunk:
    """One worker's pass over some fleets of a run, claimed under the name ``holder``."""

    store: Store
    clock: Clock
    run: Run
    holder: str

    async def work(self, limit: int, lease: float) -> ChunkResult:
        claim = await self.store.write(lambda unit: unit.claims.claim(self.run, self.holder, limit, lease))
        if claim.is_empty:
            return ChunkResult(blocked=claim.blocked)
        if claim.refused:
            await self.store.write(lambda unit: self._refuse(unit, claim.refused))
        written = await self._write(claim.fleets) if claim.fleets else 0
        return ChunkResult(written + len(claim.refused), len(claim.fleets) - written, claim.blocked)

    async def _write(self, fleets: Sequence[ClaimedFleet]) -> int:
        """Writes all fleets together, else each by itself; how many got their execution."""
        executions = await self._executed([fleet.fleet_id for fleet in fleets])
        try:
            return await self.store.write(lambda unit: self._record(unit, fleets, executions))
        except Unavailable:
            raise
        except Exception as error:
            log.warning(
                "a chunk could not be recorded; its fleets are taken one by one",
                run=self.run.run_id,
                fleets=len(fleets),
                error=repr(error),
            )
        return sum([await self._write_alone(fleet, executions) for fleet in fleets])

    async def _write_alone(self, fleet: ClaimedFleet, executions: Mapping[str, Execution]) -> int:
        try:
            return await self.store.write(lambda unit: self._record(unit, [fleet], executions))
        except Unavailable:
            raise
        except TooLarge as refusal:
            sentence = refusal.detail
        except Exception as error:
            log.exception("an execution could not be recorded", run=self.run.run_id, fleet=fleet.fleet_id)
            sentence = f"What was worked out for {fleet.fleet_id} could not be recorded ({type(error).__name__})."
        failed = {fleet.fleet_id: _failed(executions[fleet.fleet_id], sentence)}
        return await self.store.write(lambda unit: self._record(unit, [fleet], failed, anew=False))

    async def _executed(self, fleet_ids: Sequence[str]) -> dict[str, Execution]:
        loaded = await self.store.read(lambda unit: self._load(unit, fleet_ids))
        executions: dict[str, Execution] = {}
        for number, item in enumerate(loaded, start=1):
            executions[item.fleet_id] = _execution(item, self.clock)
            if not number % _FLEETS_PER_TURN:
                await asyncio.sleep(0)
        return executions

    async def _load(self, unit: Unit, fleet_ids: Sequence[str]) -> list[LoadedInputs]:
        event = await unit.inputs.event(self.run.event_id, deleted_too=True)
        if event is None:
            raise RuntimeError(f"run {self.run.run_id} is of an unknown event, {self.run.event_id}")
        return await unit.inputs.load(self.run.facts, fleet_ids, event)

    async def _record(
        self, unit: Unit, fleets: Sequence[ClaimedFleet], executions: Mapping[str, Execution], *, anew: bool = True
    ) -> int:
        """Writes the executions of the fleets still held. ``anew``: a fleet whose book changed is worked out again."""
        held = await unit.claims.still_held(self.run, self.holder, fleets)
        mine = [fleet for fleet in fleets if fleet.fleet_id in held]
        if not mine:
            return 0
        current = {fleet.fleet_id: executions[fleet.fleet_id] for fleet in mine}
        stale = [fleet.fleet_id for fleet in mine if held[fleet.fleet_id] != fleet.revision]
        if stale and anew:
            current |= {item.fleet_id: _execution(item, self.clock) for item in await self._load(unit, stale)}
        placed = await unit.executions.write(self.run, list(current.values()))
        await unit.work.emit([message for item in placed for message in _facts(self.run, item)])
        await unit.claims.release(self.run, self.holder, list(current))
        return len(current)

    async def _refuse(self, unit: Unit, refused: Mapping[str, str]) -> None:
        run = await unit.runs.get(self.run.run_id, lock=True, counted=False)
        if run is None or run.status is not RunStatus.RUNNING:  # what an ended run comes to is fixed
            return
        loaded = await self._load(unit, list(refused))
        now = self.clock.now()
        executions = [lock_held(item.inputs, locked_by=refused[item.fleet_id], now=now) for item in loaded]
        await unit.executions.write(self.run, executions)
        await unit.claims.release(self.run, None, list(refused))


def _execution(item: LoadedInputs, clock: Clock) -> Execution:
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


def _facts(run: Run, placed: PlacedExecution) -> list[Message]:
    """What the execution publishes of the book. TooLarge when its orders make the facts too large to publish."""
    execution = placed.execution
    named = (*execution_facts(execution), *placed.gap_facts)
    facts = book_messages(named, placed.book, now=execution.created_at, trace=run.trace, user=run.user)
    if execution.orders:  # an execution that orders nothing adds nothing to the fact
        refuse_too_large(facts, ordering=True)
    return facts
