"""Owns one batch under way: each record handled, refused or made a dead letter; keys concurrently, a key in order."""

from __future__ import annotations

import asyncio
import time
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, TypeVar

import structlog
from aiokafka import TopicPartition

from shared.clock import Clock
from shared.durability.backoff import Backoff
from shared.durability.dead_letters import letter_of
from shared.durability.failures import ATTEMPTS, StopLimit, is_transient, reason_of
from shared.envelope import Record, decode
from shared.errors import Poison
from shared.messaging.dead_letter_queue import DeadLetterQueue
from shared.messaging.publisher import Publisher, publish_all
from shared.messaging.recall import STOP_LIMIT, HandBack, Recall
from shared.messaging.subscription import Done, Received, Subscribed
from shared.metrics import Metrics
from shared.schemas.results import DeadLetter, Outcome
from shared.trace import Trace, follow_trace

__all__ = ["Desk", "Settlement"]

log = structlog.get_logger(__name__)

_TOGETHER: Final = 500  # records a bulk handler gets at once, at most
_SLICE: Final = 0.01  # seconds of work without a breath for the event loop's other tasks
_UNDECODABLE: Final = "undecodable"
_FAILED: Final = "failed"

# What became of each record of the batch.
_OPEN: Final = 0
_GIVEN_UP: Final = 1  # to be a dead letter when the batch ends
_HANDLED: Final = 2
_REFUSED: Final = 3
_DEAD: Final = 4
_COUNTED: Final = {_HANDLED: "handled", _REFUSED: "refused", _DEAD: "dead"}

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Desk:
    """What a consumer settles its batches with."""

    subscription: Subscribed
    publisher: Publisher
    dead_letters: DeadLetterQueue
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
        self._state = bytearray(len(records))
        self._dead: list[_Dead] = []
        self._in_work: dict[int, float] = {}
        self._breathed = time.monotonic()

    async def run(self) -> str | None:
        """Settles the batch; None when all of it is, else why the rest is handed back."""
        try:
            if self._desk.subscription.handle_all is not None and len(self._records) > 1:
                await self._together()
            await self._key_by_key()
            if self._recall.reason != STOP_LIMIT:
                await self._dead_letter()
        except HandBack:
            pass
        self._count()
        whole = sum(map(self._state.count, _COUNTED)) == len(self._state)
        return None if whole else self._recall.reason

    def oldest(self) -> float | None:
        """Since when (monotonic) the record longest in work is."""
        return min(self._in_work.values(), default=None)

    def resume_at(self) -> dict[TopicPartition, int]:
        """For each partition the offset after its first records that are all settled."""
        at: dict[TopicPartition, int] = {}
        ended: set[TopicPartition] = set()
        for record, state in zip(self._records, self._state, strict=True):
            partition = TopicPartition(record.topic, record.partition)
            at.setdefault(partition, record.offset)
            if state in _COUNTED and partition not in ended:
                at[partition] = record.offset + 1
            else:
                ended.add(partition)
        return at

    # -- handling ------------------------------------------------------------------------------------------------------

    async def _together(self) -> None:
        """Gives the bulk handler what can be read, some hundreds at a time; what it does not take is left one by one.

        So a failure sends few of them to be handled singly, and a recall is heard between two calls.
        """
        handle = self._desk.subscription.handle_all
        if handle is None:
            return
        for first in range(0, len(self._records), _TOGETHER):
            if self._recall.workers_too or time.monotonic() > self._recall.deadline:
                return
            received, taken = await self._read_some(range(first, min(first + _TOGETHER, len(self._records))))
            if received and not await self._handled(partial(handle, received)):
                return  # the later ones must not overtake these
            for index in taken:
                self._state[index] = _HANDLED
            self._desk.limit.passed(len(taken))

    async def _read_some(self, indexes: range) -> tuple[list[Received[Any]], list[int]]:
        """Those of these records that can be read, and where they stand; the others are given up."""
        received: list[Received[Any]] = []
        taken: list[int] = []
        read = self._desk.subscription.read
        for index in indexes:
            try:
                received.append(read(self._records[index]))
            except Exception as error:
                self._unread(index, error)
            else:
                taken.append(index)
            if not index % 64 and time.monotonic() - self._breathed > _SLICE:
                await self._breathe()
        return received, taken

    async def _handled(self, handle: Callable[[], Awaitable[None]]) -> bool:
        """Whether the bulk handler took them."""
        self._in_work[-1] = time.monotonic()
        try:
            await self._until_not_transient(handle)
        except HandBack:
            raise
        except Exception as error:
            log.warning("a batch failed; its records are taken one by one", error=reason_of(error))
            return False
        finally:
            del self._in_work[-1]
        return True

    async def _key_by_key(self) -> None:
        groups: dict[bytes | None, list[int]] = {}
        for index, (record, state) in enumerate(zip(self._records, self._state, strict=True)):
            if state == _OPEN:
                group = groups.get(record.key)
                if group is None:
                    groups[record.key] = [index]
                else:
                    group.append(index)
        waiting = deque(groups.values())
        workers = min(self._desk.concurrency, len(waiting))
        if workers:
            async with asyncio.TaskGroup() as tasks:
                for number in range(workers):
                    tasks.create_task(self._work(number, waiting))

    async def _work(self, number: int, waiting: deque[list[int]]) -> None:
        read, handle, clock = self._desk.subscription.read, self._desk.subscription.handle, self._desk.clock
        passed, recall, in_work, monotonic = self._desk.limit.passed, self._recall, self._in_work, time.monotonic
        try:
            while waiting:
                for index in waiting.popleft():
                    in_work[number] = now = monotonic()
                    if now > recall.deadline or recall.workers_too:
                        return
                    if now - self._breathed > _SLICE:
                        await self._breathe()
                    try:
                        item = read(self._records[index])
                    except Exception as error:
                        self._unread(index, error)
                        continue
                    follow_trace(item)
                    try:
                        done = await handle(item, clock)
                    except Exception as error:
                        after = await self._after(error, index, item)
                        if after is None:
                            continue
                        done = after
                    if done.answers:
                        await self._until_not_transient(partial(publish_all, self._desk.publisher, done.answers))
                    self._state[index] = _HANDLED if done.outcome is Outcome.ACCEPTED else _REFUSED
                    passed()
        except HandBack:
            return
        finally:
            in_work.pop(number, None)

    def _unread(self, index: int, error: Exception) -> None:
        """Gives up a record that can never be read."""
        if not isinstance(error, Poison):
            record = self._records[index]
            log.error("a record could not be read", topic=record.topic, offset=record.offset, exc_info=error)
        self._give_up(index, reason_of(error), 1, _UNDECODABLE)

    async def _after(self, error: Exception, index: int, item: Received[Any]) -> Done | None:
        """Goes on after a first failure: how the record was done at last, or None when it is given up."""
        handle = partial(self._desk.subscription.handle, item, self._desk.clock)
        failures = 0
        while True:
            if not is_transient(error):
                failures += 1
                if failures >= ATTEMPTS or isinstance(error, Poison):
                    self._fail(index, item, error, failures)
                    return None
                self._desk.metrics.retries.labels(self._desk.subscription.group, "unexpected").inc()
                log.warning("a record failed", **_place(item), attempt=failures, error=reason_of(error))
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

    async def _dead_letter(self) -> None:
        if not self._dead:
            return
        letters, traces = [dead.letter for dead in self._dead], [dead.trace for dead in self._dead]
        await self._until_not_transient(partial(self._desk.dead_letters.publish, letters, traces))
        for dead in self._dead:
            self._state[dead.index] = _DEAD
            self._desk.metrics.dead_letters.labels(dead.letter.group, dead.letter.topic, dead.kind).inc()
            log.error("dead letter", dead_letter=dead.letter.id, reason=dead.letter.reason)

    def _fail(self, index: int, item: Received[Any], error: Exception, attempts: int) -> None:
        log.error("a record is given up", **_place(item), attempts=attempts, exc_info=error)
        if isinstance(error, Poison) and _unreadable(item):
            self._give_up(index, reason_of(error), 1, _UNDECODABLE)
            return
        self._give_up(index, reason_of(error), attempts, _FAILED)
        if self._desk.limit.failed(repr(item.record.key)):
            self._recall.call(STOP_LIMIT)

    def _give_up(self, index: int, reason: str, attempts: int, kind: str) -> None:
        record = self._records[index]
        group, now = self._desk.subscription.group, self._desk.clock.now()
        letter = letter_of(record, group=group, reason=reason, attempts=attempts, now=now)
        try:
            message = decode(record)
            trace = message.trace.caused_by(message.id)
        except Poison:
            trace = Trace.begin()
        self._dead.append(_Dead(index, letter, trace, kind))
        self._state[index] = _GIVEN_UP

    def _count(self) -> None:
        group, topics = self._desk.subscription.group, self._desk.subscription.topics
        if len(topics) == 1:
            tally = {(topics[0], state): self._state.count(state) for state in _COUNTED}
        else:
            tally = Counter((record.topic, state) for record, state in zip(self._records, self._state, strict=True))
        for (topic, state), count in tally.items():
            if state in _COUNTED and count:
                self._desk.metrics.consumed.labels(group, topic, _COUNTED[state]).inc(count)

    async def _breathe(self) -> None:
        await asyncio.sleep(0)
        self._breathed = time.monotonic()


def _unreadable(item: Received[Any]) -> bool:
    try:
        return item.message is None
    except Poison:
        return True


def _place(item: Received[Any]) -> dict[str, object]:
    record = item.record
    return {"topic": record.topic, "partition": record.partition, "offset": record.offset}
