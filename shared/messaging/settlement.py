"""Owns one batch under way: each record handled, refused or made a dead letter; keys concurrently, a key in order."""

from __future__ import annotations

import asyncio
import time
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final, TypeVar

import structlog
from aiokafka import TopicPartition

from shared.clock import Clock
from shared.errors import Poison
from shared.messaging.deadletters import DeadLetters, letter_of, reason_of
from shared.messaging.envelope import Record
from shared.messaging.failures import ATTEMPTS, Backoff, StopLimit, is_transient
from shared.messaging.publisher import Publisher, publish_all
from shared.messaging.recall import STOP_LIMIT, HandBack, Recall
from shared.messaging.subscription import Done, Received, Subscribed
from shared.metrics import Metrics
from shared.schemas.results import DeadLetter, Outcome
from shared.trace import Trace, follow_traces

__all__ = ["Desk", "Settlement"]

log = structlog.get_logger(__name__)

_SLICE: Final = 0.01  # seconds of work without a breath for the event loop's other tasks
_UNDECODABLE: Final = "undecodable"
_FAILED: Final = "failed"
_OUTCOMES: Final = {Outcome.ACCEPTED: "handled", Outcome.REFUSED: "refused"}

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Desk:
    """What a consumer settles its batches with."""

    subscription: Subscribed
    publisher: Publisher
    dead_letters: DeadLetters
    clock: Clock
    metrics: Metrics
    limit: StopLimit
    concurrency: int
    transient: Backoff
    unexpected: Backoff


@dataclass(frozen=True, slots=True)
class _Dead:
    """A record to be made a dead letter at the end of its batch."""

    index: int
    letter: DeadLetter
    trace: Trace
    kind: str


class Settlement:
    """The settling of one batch. What is not settled when ``run`` ends is to be delivered again."""

    def __init__(self, desk: Desk, records: Sequence[Record], recall: Recall) -> None:
        self._desk = desk
        self._records = records
        self._recall = recall
        self._settled = bytearray(len(records))
        self._dead: list[_Dead] = []
        self._outcomes: Counter[tuple[str, str]] = Counter()
        self._in_work: dict[int, float] = {}
        self._breathed = time.monotonic()

    async def run(self) -> str | None:
        """Settles the batch; None when all of it is, else why the rest is handed back."""
        try:
            received = await self._read()
            if self._desk.subscription.bulk_handler is not None and await self._together(received):
                received = []
            await self._key_by_key(received)
            if self._recall.reason != STOP_LIMIT:
                await self._bury()
        except HandBack:
            pass
        self._count()
        return None if all(self._settled) else self._recall.reason

    def oldest(self) -> float | None:
        """Since when (monotonic) the record longest in work is."""
        return min(self._in_work.values(), default=None)

    def resume_at(self) -> dict[TopicPartition, int]:
        """For each partition the offset after its first records that are all settled."""
        at: dict[TopicPartition, int] = {}
        ended: set[TopicPartition] = set()
        for record, settled in zip(self._records, self._settled, strict=True):
            partition = TopicPartition(record.topic, record.partition)
            at.setdefault(partition, record.offset)
            if settled and partition not in ended:
                at[partition] = record.offset + 1
            else:
                ended.add(partition)
        return at

    # -- reading -------------------------------------------------------------------------------------------------------

    async def _read(self) -> list[tuple[int, Received]]:
        read = self._desk.subscription.read
        found: list[tuple[int, Received]] = []
        for index, record in enumerate(self._records):
            try:
                found.append((index, read(record)))
            except Poison as poison:
                self._give_up(index, str(poison), 1, Trace.begin(), _UNDECODABLE)
            except Exception as error:
                log.exception("a record could not be read", topic=record.topic, offset=record.offset)
                self._give_up(index, reason_of(error), 1, Trace.begin(), _UNDECODABLE)
            if not index % 32:
                await self._breathe(time.monotonic())
        return found

    # -- handling ------------------------------------------------------------------------------------------------------

    async def _together(self, received: list[tuple[int, Received]]) -> bool:
        """Whether the bulk handler took them all; if not, they are to be handled one by one."""
        handle = self._desk.subscription.bulk_handler
        if handle is None or not received:
            return True
        batch = [item for _, item in received]
        if len(batch) == 1:
            return False
        self._in_work[-1] = time.monotonic()
        try:
            await self._until_not_transient(partial(handle, batch))
        except HandBack:
            raise
        except Exception as error:
            log.warning("a batch failed; its records are taken one by one", records=len(batch), error=repr(error))
            return False
        finally:
            del self._in_work[-1]
        for index, item in received:
            self._done(index, item, Outcome.ACCEPTED)
        self._desk.limit.passed(len(batch))
        return True

    async def _key_by_key(self, received: list[tuple[int, Received]]) -> None:
        groups: dict[str, deque[tuple[int, Received]]] = {}
        for entry in received:
            groups.setdefault(entry[1].message.key, deque()).append(entry)
        waiting = deque(groups.values())
        workers = min(self._desk.concurrency, len(waiting))
        if workers:
            async with asyncio.TaskGroup() as tasks:
                for number in range(workers):
                    tasks.create_task(self._work(number, waiting))

    async def _work(self, number: int, waiting: deque[deque[tuple[int, Received]]]) -> None:
        follow = follow_traces()
        while waiting:
            for index, item in waiting.popleft():
                now = time.monotonic()
                if self._recall.due(now):
                    return
                await self._breathe(now)
                self._in_work[number] = now
                follow(item.message.trace.caused_by(item.message.id))
                try:
                    await self._settle(index, item)
                except HandBack:
                    return
                finally:
                    del self._in_work[number]

    async def _settle(self, index: int, item: Received) -> None:
        try:
            done = await self._desk.subscription.handle(item, self._desk.clock)
        except Exception as error:
            again = await self._after(error, index, item)
            if again is None:
                return
            done = again
        if done.answers:
            await self._until_not_transient(partial(publish_all, self._desk.publisher, done.answers))
        self._done(index, item, done.outcome)
        self._desk.limit.passed()

    async def _after(self, error: Exception, index: int, item: Received) -> Done | None:
        """Goes on after a first failure: how the record was done at last, or None when it is given up."""
        handle = partial(self._desk.subscription.handle, item, self._desk.clock)
        failures = 0
        while True:
            if not is_transient(error):
                failures += 1
                if failures >= ATTEMPTS or isinstance(error, Poison):
                    log.error("a record is given up", **_place(item), attempts=failures, exc_info=error)
                    self._give_up(index, reason_of(error), failures, item.message.trace, _FAILED)
                    if self._desk.limit.failed(item.message.key):
                        self._recall.call(STOP_LIMIT)
                    return None
                self._desk.metrics.retries.labels(self._desk.subscription.group, "unexpected").inc()
                log.warning("a record failed", **_place(item), attempt=failures, exc_info=error)
                await self._recall.pause(self._desk.unexpected.before(failures))
            else:
                await self._wait(1, error)
            try:
                return await self._until_not_transient(handle)
            except HandBack:
                raise
            except Exception as next_error:
                error = next_error

    async def _until_not_transient(self, act: Callable[[], Awaitable[T]]) -> T:
        tries = 0
        while True:
            try:
                return await act()
            except Exception as error:
                if not is_transient(error):
                    raise
                tries += 1
                await self._wait(tries, error)

    async def _wait(self, tries: int, error: Exception) -> None:
        self._desk.metrics.retries.labels(self._desk.subscription.group, "transient").inc()
        if tries in (1, 5) or not tries % 20:
            log.warning("waiting for what is away", tries=tries, error=str(error) or repr(error))
        await self._recall.pause(self._desk.transient.before(tries))

    # -- ending --------------------------------------------------------------------------------------------------------

    async def _bury(self) -> None:
        if not self._dead:
            return
        letters, traces = [dead.letter for dead in self._dead], [dead.trace for dead in self._dead]
        await self._until_not_transient(partial(self._desk.dead_letters.bury, letters, traces))
        for dead in self._dead:
            self._settled[dead.index] = 1
            self._outcomes[dead.letter.topic, "dead"] += 1
            self._desk.metrics.dead_letters.labels(dead.letter.group, dead.letter.topic, dead.kind).inc()
            log.error("dead letter", dead_letter=dead.letter.id, reason=dead.letter.reason)

    def _give_up(self, index: int, reason: str, attempts: int, trace: Trace, kind: str) -> None:
        letter = letter_of(
            self._records[index],
            group=self._desk.subscription.group,
            reason=reason,
            attempts=attempts,
            now=self._desk.clock.now(),
        )
        self._dead.append(_Dead(index, letter, trace, kind))

    def _done(self, index: int, item: Received, outcome: Outcome) -> None:
        self._settled[index] = 1
        self._outcomes[item.message.topic, _OUTCOMES[outcome]] += 1

    def _count(self) -> None:
        group = self._desk.subscription.group
        for (topic, outcome), count in self._outcomes.items():
            self._desk.metrics.consumed.labels(group, topic, outcome).inc(count)

    async def _breathe(self, now: float) -> None:
        if now - self._breathed > _SLICE:
            await asyncio.sleep(0)
            self._breathed = time.monotonic()


def _place(item: Received) -> dict[str, object]:
    record = item.record
    return {"type": item.message.type, "topic": record.topic, "partition": record.partition, "offset": record.offset}
