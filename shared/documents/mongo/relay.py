"""The relay of a MongoDB store: it brings each open write from pending over published to removed.

A write of this process is pending in memory and published at once. Published writes are stored and removed many at a
time, a moment later: a server stores many in about the time of one, and nobody waits for it. What other processes left
open is found by the sweeper and loaded when it is to be published.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any, Final

import structlog

from shared.documents.mongo.bulk import BulkCreations
from shared.documents.mongo.errors import away
from shared.documents.mongo.heads import Collections, MongoHead
from shared.documents.mongo.steps import LoadedHead, PreparedWrite, Ref, Steps
from shared.durability.backoff import Backoff, jittered
from shared.durability.outbox import OutboxFull, OutboxState, check_room
from shared.durability.room import STALLED_SECONDS, Room
from shared.errors import Unavailable
from shared.tasks import end

log = structlog.get_logger(__name__)

_BATCH: Final = 500  # heads in one step: more gain nothing, and one that fails is repeated whole
_BATCH_OF_A_HEAD: Final = 50  # a head's events go one after another, and whatever is in the batch with them waits
_BATCHES_AT_ONCE: Final = 3
_GATHER_TO_PUBLISH: Final = 0.002  # seconds; a write that is alone is not kept waiting
_GATHER_TO_REMOVE: Final = 0.03
_MAX_IN_MEMORY: Final = 5_000  # heads whose open writes are kept in memory; those of more are read back
_SWEEP_SHARE: Final = 10  # a sweep that takes long (no index) is made rarer: it may take a tenth of the time
_LATER_THAN_ANY: Final = datetime(9999, 1, 1, tzinfo=UTC)
_BACKOFF: Final = Backoff(first=0.1, longest=5.0)


@dataclass(slots=True)
class _OpenHead:
    """What this process knows of one head's open writes."""

    oldest: datetime
    writes: dict[int, PreparedWrite] = field(default_factory=dict)
    published: set[int] = field(default_factory=set)
    unloaded: int = 0  # about how many more only the store knows; they are loaded before more is published
    busy: bool = False  # in a batch, or resting after one that failed
    failures: int = 0
    progress: float = field(default_factory=time.monotonic)  # when the first was written, or the broker took the last

    @property
    def pending(self) -> list[int]:
        """The numbers of the writes to publish, in order."""
        return sorted(self.writes.keys() - self.published)


class MongoRelay:
    """One process's relay. ``sweep_after``: seconds after which any process may finish a write."""

    def __init__(
        self, steps: Steps, collections: Mapping[str, Collections], bulk: BulkCreations, sweep_after: float
    ) -> None:
        self._steps = steps
        self._collections = collections
        self._bulk = bulk
        self._sweep_after = sweep_after
        self._heads: dict[Ref, _OpenHead] = {}
        self._open = 0  # writes of all heads
        self._to_publish: dict[Ref, None] = {}
        self._to_remove: dict[Ref, dict[int, PreparedWrite]] = {}
        self._room = Room()
        self._removal_failures = 0
        self._publish_wake = asyncio.Event()
        self._remove_wake = asyncio.Event()
        self._idle = asyncio.Event()
        self._loops: set[asyncio.Task[None]] = set()
        self._publishing: set[asyncio.Task[None]] = set()
        self._removing: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Begins; what an earlier process left open is found at once."""
        self._idle.set()
        self._loops = {asyncio.create_task(loop) for loop in (self._publish_loop(), self._remove_loop(), self._sweep())}

    async def stop(self, patience: float = 2.0) -> None:
        """Finishes what is at hand, within ``patience`` seconds, unless the store is away; then it ends."""
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            removing = not self._removal_failures and (self._to_remove or self._removing)
            if not (self._to_publish or self._publishing or removing):
                break
            await asyncio.wait(self._batches or self._loops, timeout=0.05)
        await end(*self._loops, *self._batches)

    def check_room(self) -> None:
        """Unavailable when too much waits for the broker already."""
        check_room(self._open + self._bulk.state().open)

    async def wait_for_room(self, full: OutboxFull, since: float) -> None:
        """Returns when a write that found its head full, asked for at ``since`` (monotonic), should be tried again.

        Raises as ``Room.wait`` does.
        """
        head = self._heads.get(full.lane) if isinstance(full.lane, tuple) else None
        is_stalled = head is not None and (head.failures > 0 or time.monotonic() - head.progress > STALLED_SECONDS)
        await self._room.wait(full, since=since, stalled=is_stalled)

    def state(self) -> OutboxState:
        bulk = self._bulk.state()
        instants = [head.oldest for head in self._heads.values()]
        if bulk.oldest is not None:
            instants.append(bulk.oldest)
        return OutboxState(self._open + bulk.open, min(instants, default=None))

    async def drain(self) -> None:
        """Finishes everything that is open; returns when nothing is."""
        while True:
            await self._idle.wait()
            try:
                await self.sweep(_LATER_THAN_ANY)
                if not self._heads and not self._bulk.state().open:
                    return
            except Unavailable as error:
                log.warning("draining waits: the store is away", error=str(error))
            if not self._heads:
                await asyncio.sleep(_BACKOFF.first)

    # The transitions of a head's writes. They never wait.

    def written(self, ref: Ref, head: MongoHead, added: PreparedWrite) -> None:
        """→ pending: this process wrote a head, whose latest open write is ``added``."""
        state, is_full = self._heads.get(ref), False
        if state is None:
            state = self._heads[ref] = _OpenHead(added.write.at)
            is_full = len(self._heads) > _MAX_IN_MEMORY
            self._idle.clear()
        number, published_to = added.write.number, self._steps.published_to(ref)
        is_new = number not in state.writes  # otherwise it was loaded before this process knew that it is written
        known = state.writes.keys() | {number}
        unknown = sum(write.number > published_to and write.number not in known for write in head.open_writes)
        if is_full or unknown:  # another process's writes are open too, and go before this one
            self._add_unloaded(state, unknown + is_new - state.unloaded)
        else:
            self._add_unloaded(state, -state.unloaded)
            state.writes.setdefault(number, added)
            self._open += is_new
        state.oldest = min(state.oldest, head.open_writes[0].at)
        if not state.busy:
            self._queue(ref)

    def _found(self, ref: Ref, count: int, oldest: datetime) -> None:
        """→ pending: the sweeper found a head with open writes."""
        if ref not in self._heads:
            self._heads[ref] = _OpenHead(oldest)
            self._add_unloaded(self._heads[ref], count)
            self._idle.clear()
            self._queue(ref)

    def _add_unloaded(self, state: _OpenHead, count: int) -> None:
        state.unloaded += count
        self._open += count

    def _loaded(self, ref: Ref, loaded: LoadedHead) -> list[PreparedWrite]:
        """Takes what the store knows into memory; returns what is to be published of it, in order."""
        state = self._heads[ref]
        new = {prepared.write.number: prepared for prepared in loaded.writes} | state.writes
        self._open += len(new) - len(state.writes)
        state.writes = new
        self._add_unloaded(state, loaded.missing)
        last = loaded.writes[-1].write.number if loaded.writes else 0
        pending = [number for number in state.pending if number <= last]
        return [state.writes[number] for number in pending[:_BATCH_OF_A_HEAD]]

    def _published(self, ref: Ref, batch: Sequence[PreparedWrite], published: Collection[int], *, failed: bool) -> None:
        """pending → published, where the broker acknowledged; the rest is tried again after a while."""
        state = self._heads[ref]
        state.published.update(published)
        for number in published:
            self._to_remove.setdefault(ref, {})[number] = state.writes[number]
        if published:
            state.progress = time.monotonic()
            self._remove_wake.set()
        if failed or len(published) < len(batch):
            state.failures = 0 if published else state.failures + 1
            if len(self._heads) > _MAX_IN_MEMORY:
                for number in state.pending:
                    del state.writes[number]
                    state.unloaded += 1
            asyncio.get_running_loop().call_later(_BACKOFF.before(max(1, state.failures)), self._queue, ref)
            return
        state.failures = 0
        if state.unloaded or state.pending:
            self._queue(ref)
        else:
            state.busy = False
            self._forget_if_done(ref)

    def _removed(self, ref: Ref, numbers: Collection[int]) -> None:
        """published → removed."""
        state = self._heads[ref]
        for number in numbers:
            del state.writes[number]
        state.published.difference_update(numbers)
        self._open -= len(numbers)
        state.oldest = min((prepared.write.at for prepared in state.writes.values()), default=state.oldest)
        self._forget_if_done(ref)

    def _queue(self, ref: Ref) -> None:
        self._heads[ref].busy = False
        self._to_publish[ref] = None
        self._publish_wake.set()

    def _forget_if_done(self, ref: Ref) -> None:
        state = self._heads[ref]
        if not state.writes and not state.unloaded and not state.busy:
            del self._heads[ref]
            self._to_publish.pop(ref, None)
            if not self._heads:
                self._idle.set()

    # What drives the transitions.

    @property
    def _batches(self) -> set[asyncio.Task[None]]:
        return self._publishing | self._removing

    async def _publish_loop(self) -> None:
        while True:
            await self._publish_wake.wait()
            self._publish_wake.clear()
            if self._publishing:
                await asyncio.sleep(_GATHER_TO_PUBLISH)
            while (
                self._to_publish
                and len(self._publishing) < _BATCHES_AT_ONCE
                and len(self._to_remove) < _MAX_IN_MEMORY  # else memory fills with what waits to be removed
            ):
                refs = list(islice(self._to_publish, _BATCH))
                for ref in refs:
                    del self._to_publish[ref]
                    self._heads[ref].busy = True
                self._spawn(self._publishing, self._publish_batch(refs))

    async def _publish_batch(self, refs: Sequence[Ref]) -> None:
        to_load = {ref: self._heads[ref].unloaded for ref in refs if self._heads[ref].unloaded}
        heads = {ref: self._heads[ref] for ref in refs}
        batch = {ref: [head.writes[n] for n in head.pending[:_BATCH_OF_A_HEAD]] for ref, head in heads.items()}
        published: dict[Ref, set[int]] = {}
        failed = set(refs)
        for ref, count in to_load.items():
            self._add_unloaded(self._heads[ref], -count)
            batch[ref] = []
        try:
            loaded = await self._steps.load(list(to_load)) if to_load else {}
            for ref in to_load:
                batch[ref] = self._loaded(ref, loaded.get(ref) or LoadedHead())
            to_load.clear()
            failed = {ref for ref, head in loaded.items() if head.missing}
            published = await self._steps.publish(batch)
        except Unavailable as error:
            log.warning("writes wait to be published: the store is away", heads=len(refs), error=str(error))
        except Exception:
            log.exception("writes wait to be published", heads=len(refs))
        for ref, count in to_load.items():
            self._add_unloaded(self._heads[ref], count)
        for ref in refs:
            self._published(ref, batch[ref], published.get(ref, ()), failed=ref in failed)

    async def _remove_loop(self) -> None:
        while True:
            await self._remove_wake.wait()
            if len(self._to_remove) < _BATCH:
                await asyncio.sleep(_GATHER_TO_REMOVE)
            self._remove_wake.clear()
            while self._to_remove and len(self._removing) < _BATCHES_AT_ONCE:
                refs = list(islice(self._to_remove, _BATCH))
                self._spawn(self._removing, self._remove_batch({ref: self._to_remove.pop(ref) for ref in refs}))

    async def _remove_batch(self, batch: dict[Ref, dict[int, PreparedWrite]]) -> None:
        try:
            await self._steps.store_and_remove({ref: list(writes.values()) for ref, writes in batch.items()})
        except Unavailable as error:
            log.warning("published writes wait to be removed: the store is away", heads=len(batch), error=str(error))
        except Exception:
            log.exception("published writes wait to be removed", heads=len(batch))
        else:
            self._removal_failures = 0
            for ref, writes in batch.items():
                self._removed(ref, writes.keys())
            self._room.make(batch)
            return
        self._removal_failures += 1
        await asyncio.sleep(_BACKOFF.before(self._removal_failures))
        for ref, writes in batch.items():
            self._to_remove.setdefault(ref, {}).update(writes)

    def _spawn(self, batches: set[asyncio.Task[None]], work: Coroutine[Any, Any, None]) -> None:
        def done(batch: asyncio.Task[None]) -> None:
            batches.discard(batch)
            self._publish_wake.set()
            self._remove_wake.set()

        batch = asyncio.create_task(work)
        batches.add(batch)
        batch.add_done_callback(done)

    async def _sweep(self) -> None:
        at_start = True
        while True:
            began = time.monotonic()
            before = datetime.now(UTC) - timedelta(seconds=self._sweep_after)
            try:
                await self.sweep(_LATER_THAN_ANY if at_start else before)
                at_start = False
            except Unavailable as error:
                log.warning("the sweeper waits: the store is away", error=str(error))
            except Exception:
                log.exception("the sweeper failed, and goes on")
            rest = max(self._sweep_after, (time.monotonic() - began) * _SWEEP_SHARE)
            await asyncio.sleep(jittered(rest))

    async def sweep(self, before: datetime) -> None:
        """Queues what was written before that (real) instant and is still open, whoever wrote it."""
        for resource, collections in self._collections.items():
            with away():
                cursor = collections.heads.find({"Outbox.Since": {"$lt": before}}, {"Outbox.Number": 1, "Outbox.At": 1})
                async for form in cursor:
                    writes = form["Outbox"]
                    if writes:
                        self._found((resource, form["_id"]), len(writes), min(write["At"] for write in writes))
        await self._bulk.recover(before)
