"""Owns when writes to MongoDB are finished: at once by who made them, later by the sweeper of any replica."""

from __future__ import annotations

import asyncio
import heapq
import random
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

import structlog
from bson.raw_bson import RawBSONDocument

from shared.documents.contract import MOST_OPEN, OutboxState
from shared.documents.mongo.faults import away
from shared.documents.mongo.finishing import Finisher, Heads, Ref, Work
from shared.documents.mongo.intents import Intents
from shared.documents.versions import Entry
from shared.errors import Unavailable
from shared.messaging.envelope import Message

__all__ = ["Relay"]

log = structlog.get_logger(__name__)

_BATCH: Final = 500
_AT_ONCE: Final = 3
_GATHER: Final = 0.002
_IN_MEMORY: Final = 5_000  # heads whose open writes are kept in memory; those of more are read back when it is time
_FIRST_WAIT: Final = 0.1
_LONGEST_WAIT: Final = 5.0
_SWEEP_SHARE: Final = 10  # a sweep that takes long (no index) is made rarer: it may take a tenth of the time
_LATER_THAN_ANY: Final = datetime(9999, 1, 1, tzinfo=UTC)


@dataclass(slots=True)
class _Open:
    """What this process knows of one head's open writes; ``work`` is None while only the store has them."""

    work: Work | None
    count: int
    oldest: datetime
    failures: int = 0
    taken: bool = False  # by a batch, or waiting for its next try
    grown: bool = False  # written again meanwhile


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
    _count: int = 0

    async def start(self) -> None:
        """Begins; what an earlier process left open is found at once."""
        self._idle.set()
        self._tasks = {asyncio.create_task(self._run()), asyncio.create_task(self._sweep())}

    async def stop(self, patience: float = 2.0) -> None:
        """Finishes what is at hand, within ``patience`` seconds, and ends."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + patience
        while (self._ready or self._batches) and loop.time() < deadline:
            await asyncio.wait(self._batches or self._tasks, timeout=0.05)
        tasks = [*self._tasks, *self._batches]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def check_room(self) -> None:
        """Unavailable when too much waits for the broker already."""
        waiting = self._count + self.intents.state().open
        if waiting >= MOST_OPEN:
            raise Unavailable(f"{waiting} writes wait for the broker; try again when it is back")

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
        done: dict[Ref, set[int]] = {}
        works: dict[Ref, Work] = {}
        try:
            unknown = [ref for ref in refs if self._open[ref].work is None]
            loaded = await self.finisher.load(unknown) if unknown else {}
            for ref in refs:
                mine = self._open[ref].work
                if mine is not None:
                    works[ref] = Work(dict(mine.entries), dict(mine.messages), dict(mine.items))
                elif ref in loaded:
                    works[ref] = loaded[ref]
                else:
                    done[ref] = set()
            done |= await self.finisher.finish(works)
        except Unavailable as error:
            log.warning("writes wait to be finished: the store is away", writes=len(refs), error=str(error))
        except Exception:
            log.exception("writes wait to be finished", writes=len(refs))
        for ref in refs:
            self._settle(ref, works.get(ref), done.get(ref))

    def _settle(self, ref: Ref, work: Work | None, done: set[int] | None) -> None:
        """Notes what a batch came to for one head; ``done`` is None when it came to nothing."""
        known = self._open[ref]
        left = None if done is None else (set() if work is None else set(work.entries) - done)
        if known.work is not None:
            for number in done or ():
                known.work.forget(number)
            self._grow(known, len(known.work.entries) - known.count)
            finished = known.count == 0
        else:
            finished = left is not None and not left and not known.grown
            if left is not None:
                self._grow(known, (0 if finished else max(len(left), 1)) - known.count)
        if finished:
            del self._open[ref]
            if not self._open:
                self._idle.set()
            return
        known.grown = False
        if left is not None and not left:
            known.failures, known.taken = 0, False
            self._ready[ref] = None
            return
        known.failures = 0 if done else known.failures + 1
        wait = min(_LONGEST_WAIT, _FIRST_WAIT * 2 ** min(known.failures, 10)) * random.uniform(0.5, 1)
        heapq.heappush(self._later, (asyncio.get_running_loop().time() + wait, ref))

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
            await asyncio.sleep(rest * random.uniform(0.8, 1.2))
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
                await asyncio.sleep(_FIRST_WAIT)
