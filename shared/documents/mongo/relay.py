"""Owns when writes to MongoDB are finished: told of at once by who made them, closed many at a time a moment later.

What a process leaves unfinished is found by the sweeper of any replica.
"""

from __future__ import annotations

import asyncio
import heapq
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

import structlog
from bson.raw_bson import RawBSONDocument

from shared.documents.mongo.closing import Closer
from shared.documents.mongo.faults import away
from shared.documents.mongo.finishing import Finisher, Heads, Ref, Work
from shared.documents.mongo.intents import Intents
from shared.documents.versions import Entry
from shared.durability.backoff import Backoff, jittered
from shared.durability.outbox import OutboxState, check_room
from shared.envelope import Message
from shared.errors import Unavailable
from shared.tasks import end

__all__ = ["Relay"]

log = structlog.get_logger(__name__)

_BATCH: Final = 500
_AT_ONCE: Final = 3
_GATHER: Final = 0.002
_IN_MEMORY: Final = 5_000  # heads whose open writes are kept in memory; those of more are read back when it is time
_BACKOFF: Final = Backoff(0.1, 5.0)
_SWEEP_SHARE: Final = 10  # a sweep that takes long (no index) is made rarer: it may take a tenth of the time
_LATER_THAN_ANY: Final = datetime(9999, 1, 1, tzinfo=UTC)


@dataclass(slots=True)
class _Open:
    """What this process knows of one head's open writes; ``work`` is None while only the store has them."""

    work: Work | None
    count: int
    oldest: datetime
    told: set[int] = field(default_factory=set)  # published, and not taken off yet
    failures: int = 0
    taken: bool = False  # by a batch, or waiting for its next try
    grown: bool = False  # written again meanwhile

    def untold(self) -> Work:
        """What is to be told of."""
        return Work() if self.work is None else self.work.part(self.work.entries.keys() - self.told)


@dataclass(slots=True)
class Relay:
    """One process's relay. ``sweep_after``: seconds after which anybody may finish a write."""

    finisher: Finisher
    heads: Mapping[str, Heads]
    sweep_after: float
    intents: Intents
    _open: dict[Ref, _Open] = field(default_factory=dict)
    _ready: dict[Ref, None] = field(default_factory=dict)
    _later: list[tuple[float, Ref]] = field(default_factory=list)
    _wake: asyncio.Event = field(default_factory=asyncio.Event)
    _idle: asyncio.Event = field(default_factory=asyncio.Event)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)
    _batches: set[asyncio.Task[None]] = field(default_factory=set)
    _closer: Closer = field(init=False)
    _count: int = 0

    def __post_init__(self) -> None:
        self._closer = Closer(self.finisher, self._closed)

    async def start(self) -> None:
        """Begins; what an earlier process left open is found at once."""
        self._idle.set()
        self._tasks = {asyncio.create_task(work) for work in (self._run(), self._closer.run(), self._sweep())}

    async def stop(self, patience: float = 2.0) -> None:
        """Finishes what is at hand, within ``patience`` seconds, and ends."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + patience
        while (self._ready or self._batches or self._closer.busy) and loop.time() < deadline:
            await asyncio.wait(self._batches or self._closer.batches or self._tasks, timeout=0.05)
        await end(*self._tasks, *self._batches, *self._closer.batches)

    def check_room(self) -> None:
        """Unavailable when too much waits for the broker already."""
        check_room(self._count + self.intents.state().open)

    def state(self) -> OutboxState:
        bulk = self.intents.state()
        instants = [known.oldest for known in self._open.values()]
        if bulk.oldest is not None:
            instants.append(bulk.oldest)
        return OutboxState(self._count + bulk.open, min(instants, default=None))

    def written(
        self,
        ref: Ref,
        entries: Sequence[Entry],
        made: Mapping[int, list[Message]],
        items: Mapping[str, RawBSONDocument],
    ) -> None:
        """A head was written by this process: all its open entries; messages by number and items of the new ones."""
        known = self._open.get(ref)
        if known is None:
            room = len(self._open) < _IN_MEMORY
            known = self._open[ref] = _Open(Work() if room else None, 0, entries[-1].at)
            self._idle.clear()
        told = self.finisher.told(ref)
        mine = {entry.number: entry for entry in entries if entry.number in made}
        if known.work is not None and any(
            entry.number > told and entry.number not in mine and entry.number not in known.work.entries
            for entry in entries
        ):
            known.work = None  # somebody else's writes are open too: the store has the whole
            known.told.clear()
        if known.work is None:
            known.grown = known.taken
        else:
            known.work.entries.update(mine)
            known.work.messages.update(made)
            known.work.items.update(items)
        self._grow(known, len(made))
        known.oldest = min(known.oldest, entries[0].at)
        if not known.taken:
            self._ready[ref] = None
            self._wake.set()

    def _grow(self, known: _Open, by: int) -> None:
        known.count += by
        self._count += by

    def _found(self, ref: Ref, count: int, oldest: datetime) -> None:
        if ref not in self._open:
            self._open[ref] = _Open(None, count, oldest)
            self._count += count
            self._ready[ref] = None
            self._idle.clear()
            self._wake.set()

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            timeout = self._later[0][0] - loop.time() if self._later else None
            if not self._ready and (timeout is None or timeout > 0):
                try:
                    async with asyncio.timeout(timeout):
                        await self._wake.wait()
                except TimeoutError:
                    pass
            self._wake.clear()
            while self._later and self._later[0][0] <= loop.time():
                _, ref = heapq.heappop(self._later)
                self._open[ref].taken = False
                self._ready[ref] = None
            if self._batches:  # a write that is alone goes at once
                await asyncio.sleep(_GATHER)
            while self._ready and len(self._batches) < _AT_ONCE:
                refs = [ref for ref, _ in zip(self._ready, range(_BATCH), strict=False)]
                for ref in refs:
                    del self._ready[ref]
                    self._open[ref].taken = True
                batch = asyncio.create_task(self._finish(refs))
                self._batches.add(batch)
                batch.add_done_callback(self._batch_done)
            if self._ready:
                await asyncio.wait(self._batches, return_when=asyncio.FIRST_COMPLETED)

    def _batch_done(self, batch: asyncio.Task[None]) -> None:
        self._batches.discard(batch)
        self._wake.set()

    async def _finish(self, refs: Sequence[Ref]) -> None:
        """Tells of heads; those that only the store knew are closed here, before they are looked at again."""
        mine = {ref: known.untold() for ref in refs if (known := self._open[ref]).work is not None}
        unknown = [ref for ref in refs if ref not in mine]
        told: dict[Ref, set[int]] = {}
        left: dict[Ref, int] = {}
        try:
            loaded = await self.finisher.load(unknown) if unknown else {}
            told = await self.finisher.tell(mine | loaded)
            await self.finisher.close({ref: work.part(told[ref]) for ref, work in loaded.items()})
            left = {ref: len(loaded[ref].entries) - len(told[ref]) if ref in loaded else 0 for ref in unknown}
        except Unavailable as error:
            log.warning("writes wait to be finished: the store is away", writes=len(refs), error=str(error))
        except Exception:
            log.exception("writes wait to be finished", writes=len(refs))
        for ref, work in mine.items():
            self._settle_told(ref, work, told.get(ref, set()))
        for ref in unknown:
            self._settle_loaded(ref, left.get(ref))

    def _settle_told(self, ref: Ref, work: Work, told: set[int]) -> None:
        """Notes which of a batch's writes of one head were told of."""
        known = self._open[ref]
        if told:
            self._closer.add(ref, work.part(told))
        if known.work is None:  # somebody else wrote it meanwhile
            known.grown = False
            self._take_up(ref)
            return
        known.told |= told
        if told != work.entries.keys():
            self._put_off(ref, failures=0 if told else known.failures + 1)
        elif known.work.entries.keys() - known.told:
            self._take_up(ref)
        else:
            known.failures, known.taken = 0, False
            self._forget_if_done(ref)

    def _settle_loaded(self, ref: Ref, left: int | None) -> None:
        """Notes how many writes of one head the store still has open; None when nobody knows."""
        known = self._open[ref]
        finished = left == 0 and not known.grown
        if left is not None:
            self._grow(known, (0 if finished else max(left, 1)) - known.count)
        known.grown = False
        if finished:
            self._forget(ref)
        elif left == 0:
            self._take_up(ref)
        else:
            self._put_off(ref, failures=known.failures + 1)

    def _closed(self, ref: Ref, numbers: Collection[int]) -> None:
        """These writes of a head are taken off."""
        known = self._open.get(ref)
        if known is None or known.work is None:
            return
        known.work.forget(numbers)
        known.told.difference_update(numbers)
        self._grow(known, len(known.work.entries) - known.count)
        known.oldest = min((entry.at for entry in known.work.entries.values()), default=known.oldest)
        self._forget_if_done(ref)

    def _take_up(self, ref: Ref) -> None:
        known = self._open[ref]
        known.failures, known.taken = 0, False
        self._ready[ref] = None
        self._wake.set()

    def _put_off(self, ref: Ref, *, failures: int) -> None:
        self._open[ref].failures = failures
        pause = _BACKOFF.before(failures)
        heapq.heappush(self._later, (asyncio.get_running_loop().time() + pause, ref))

    def _forget_if_done(self, ref: Ref) -> None:
        known = self._open[ref]
        if known.work is not None and not known.work.entries and not known.taken:
            self._forget(ref)

    def _forget(self, ref: Ref) -> None:
        del self._open[ref]
        if not self._open:
            self._idle.set()

    async def _sweep(self) -> None:
        before = _LATER_THAN_ANY
        while True:
            began = time.monotonic()
            try:
                await self.survey(before)
                before = datetime.min.replace(tzinfo=UTC)
            except Unavailable as error:
                log.warning("the sweeper waits: the store is away", error=str(error))
            except Exception:
                log.exception("the sweeper failed, and goes on")
            rest = max(self.sweep_after, (time.monotonic() - began) * _SWEEP_SHARE)
            await asyncio.sleep(jittered(rest))
            if before is not _LATER_THAN_ANY:
                before = datetime.now(UTC) - timedelta(seconds=self.sweep_after)

    async def survey(self, before: datetime) -> None:
        """Takes up what was written before that (real) instant and is still open, whoever wrote it."""
        for resource, heads in self.heads.items():
            with away():
                cursor = heads.collection.find({"Outbox.Since": {"$lt": before}}, {"Outbox.Number": 1, "Outbox.At": 1})
                async for form in cursor:
                    entries = form["Outbox"]
                    if entries:
                        oldest = min(entry["At"] for entry in entries)
                        self._found((resource, form["_id"]), len(entries), oldest)
        await self.intents.recover(before)

    async def drain(self) -> None:
        """Finishes everything that is open; returns when nothing is."""
        while True:
            await self._idle.wait()
            try:
                await self.survey(_LATER_THAN_ANY)
                if not self._open and not self.intents.state().open:
                    return
            except Unavailable as error:
                log.warning("draining waits: the store is away", error=str(error))
            if not self._open:
                await asyncio.sleep(_BACKOFF.first)
