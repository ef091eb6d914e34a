"""Settles one batch: every record is handled, refused or dead-lettered; keys concurrently, each key in order."""

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

from shared.durability.dead_letters import letter_of
from shared.durability.failures import ATTEMPTS, is_transient, reason_of
from shared.envelope import Record, decode
from shared.errors import Poison
from shared.messaging.consumer_context import ConsumerContext
from shared.messaging.publisher import publish_all
from shared.messaging.release import Release, Released, ReleaseReason
from shared.messaging.subscription import Done, Received
from shared.schemas.results import DeadLetter, Outcome
from shared.trace import Trace, follow_trace

log = structlog.get_logger(__name__)

T = TypeVar("T")

_BULK: Final = 500
"""Records in one call of a bulk handler, at most. After a failed call these are handled one by one; and a release takes
effect between two calls."""

_SLICE: Final = 0.01  # seconds of work after which the event loop's other tasks get a turn
_YIELD_EVERY: Final = 64  # records that are read between two looks at the time

# The state of each record of the batch.
_OPEN: Final = 0
_GIVEN_UP: Final = 1  # becomes a dead letter at the end of the batch
_HANDLED: Final = 2
_REFUSED: Final = 3
_DEAD: Final = 4
_SETTLED: Final = {_HANDLED: "handled", _REFUSED: "refused", _DEAD: "dead"}

# Why a record became a dead letter, as the metric says it.
_UNDECODABLE: Final = "undecodable"
_FAILED: Final = "failed"


@dataclass(frozen=True, slots=True)
class _GivenUp:
    """A record that becomes a dead letter at the end of its batch."""

    index: int
    letter: DeadLetter
    trace: Trace
    kind: str


class Settlement:
    """The settlement of one batch. What is not settled when ``run`` ends is to be delivered again."""

    def __init__(self, context: ConsumerContext, records: Sequence[Record], release: Release) -> None:
        self._context = context
        self._subscription = context.subscription
        self._records = records
        self._release = release
        self._state = bytearray(len(records))
        self._given_up: list[_GivenUp] = []
        self._begun: dict[int, float] = {}  # when (monotonic) each worker began its record
        self._yielded = time.monotonic()

    async def run(self) -> ReleaseReason | None:
        """Settles the batch. None when all of it is settled, else why the rest is released."""
        try:
            if len(self._records) > 1:
                await self._handle_in_bulk()
            keys: dict[bytes | None, list[int]] = {}
            for index, (record, state) in enumerate(zip(self._records, self._state, strict=True)):
                if state == _OPEN:
                    keys.setdefault(record.key, []).append(index)
            waiting = deque(keys.values())
            if waiting:
                async with asyncio.TaskGroup() as tasks:
                    for number in range(min(self._context.tuning.concurrency, len(waiting))):
                        tasks.create_task(self._work(number, waiting))
            # At the stop limit the fault is not in these records.
            if self._given_up and self._release.reason is not ReleaseReason.STOP_LIMIT:
                await self._dead_letter()
        except Released:
            pass
        self._count()
        settled = sum(map(self._state.count, _SETTLED))
        return None if settled == len(self._state) else self._release.reason

    def oldest(self) -> float | None:
        """When (monotonic) the record that is longest in work was begun."""
        return min(self._begun.values(), default=None)

    def resume_at(self) -> dict[TopicPartition, int]:
        """For each partition the offset behind its first records that are all settled."""
        offsets: dict[TopicPartition, int] = {}
        ended: set[TopicPartition] = set()
        for record, state in zip(self._records, self._state, strict=True):
            partition = TopicPartition(record.topic, record.partition)
            offsets.setdefault(partition, record.offset)
            if state in _SETTLED and partition not in ended:
                offsets[partition] = record.offset + 1
            else:
                ended.add(partition)
        return offsets

    # -- many records in one call --------------------------------------------------------------------------------------

    async def _handle_in_bulk(self) -> None:
        """Hands the records to the bulk handler, if there is one. What it does not handle stays open."""
        handle_all = self._subscription.handle_all
        if handle_all is None:
            return
        for first in range(0, len(self._records), _BULK):
            if time.monotonic() > self._release.deadline:
                return
            received, indexes = await self._read_some(range(first, min(first + _BULK, len(self._records))))
            if received:
                self._begun[-1] = time.monotonic()
                try:
                    await self._retried(partial(handle_all, received))
                except Released:
                    raise
                except Exception as error:
                    log.warning("a batch failed; its records are handled one by one", error=reason_of(error))
                    return  # the later ones must not overtake these
                finally:
                    del self._begun[-1]
            for index in indexes:
                self._state[index] = _HANDLED
            if self._context.limit.failures:
                self._context.limit.passed(len(indexes))

    async def _read_some(self, indexes: range) -> tuple[list[Received[Any]], list[int]]:
        """Those of the records that can be read, and their indexes; the others are given up."""
        received: list[Received[Any]] = []
        readable: list[int] = []
        read = self._subscription.read
        for index in indexes:
            try:
                received.append(read(self._records[index]))
            except Exception as error:
                self._give_up_unread(index, error)
            else:
                readable.append(index)
            if not index % _YIELD_EVERY and time.monotonic() - self._yielded > _SLICE:
                await self._yield()
        return received, readable

    # -- one record after another of a key, keys concurrently ----------------------------------------------------------

    async def _work(self, number: int, waiting: deque[list[int]]) -> None:
        read, handle, clock = self._subscription.read, self._subscription.handle, self._context.clock
        limit, release, begun, monotonic = self._context.limit, self._release, self._begun, time.monotonic
        try:
            while waiting:
                for index in waiting.popleft():
                    begun[number] = now = monotonic()
                    if now > release.deadline:
                        return
                    if now - self._yielded > _SLICE:
                        await self._yield()
                    try:
                        received = read(self._records[index])
                    except Exception as error:
                        self._give_up_unread(index, error)
                        continue
                    follow_trace(received)
                    try:
                        done = await handle(received, clock)
                    except Exception as error:
                        later = await self._handle_again(error, index, received)
                        if later is None:
                            continue
                        done = later
                    if done.answers:
                        await self._retried(partial(publish_all, self._context.publisher, done.answers))
                    self._state[index] = _HANDLED if done.outcome is Outcome.ACCEPTED else _REFUSED
                    if limit.failures:
                        limit.passed()
        except Released:
            return
        finally:
            begun.pop(number, None)

    async def _handle_again(self, error: Exception, index: int, received: Received[Any]) -> Done | None:
        """Retries after a first failure. None when the record is given up."""
        handle = partial(self._subscription.handle, received, self._context.clock)
        failures = 0
        while True:
            if is_transient(error):
                await self._wait(1, error)
            else:
                failures += 1
                if failures >= ATTEMPTS or isinstance(error, Poison):
                    self._give_up_failed(index, received, error, failures)
                    return None
                self._context.metrics.retries.labels(self._subscription.group, "unexpected").inc()
                log.warning("a record failed", **_place(received), attempt=failures, error=reason_of(error))
                await self._release.pause(self._context.tuning.unexpected.before(failures))
            try:
                return await self._retried(handle)
            except Released:
                raise
            except Exception as next_error:
                error = next_error

    # -- waiting -------------------------------------------------------------------------------------------------------

    async def _retried(self, act: Callable[[], Awaitable[T]]) -> T:
        """Repeats ``act`` while a store or the broker is away. Released when the batch is, meanwhile."""
        attempt = 0
        while True:
            try:
                return await act()
            except Exception as error:
                if not is_transient(error):
                    raise
                attempt += 1
                await self._wait(attempt, error)

    async def _wait(self, attempt: int, error: Exception) -> None:
        self._context.metrics.retries.labels(self._subscription.group, "transient").inc()
        if attempt in (1, 5) or not attempt % 20:  # an outage takes many attempts; the log gets a few lines
            log.warning("waiting for what is away", attempt=attempt, error=str(error) or repr(error))
        await self._release.pause(self._context.tuning.transient.before(attempt))

    async def _yield(self) -> None:
        await asyncio.sleep(0)
        self._yielded = time.monotonic()

    # -- giving up -----------------------------------------------------------------------------------------------------

    def _give_up_unread(self, index: int, error: Exception) -> None:
        if not isinstance(error, Poison):
            record = self._records[index]
            log.error("a record could not be read", topic=record.topic, offset=record.offset, exc_info=error)
        self._give_up(index, reason_of(error), 1, _UNDECODABLE)

    def _give_up_failed(self, index: int, received: Received[Any], error: Exception, attempts: int) -> None:
        log.error("a record is given up", **_place(received), attempts=attempts, exc_info=error)
        if isinstance(error, Poison) and _has_bad_envelope(received):
            self._give_up(index, reason_of(error), 1, _UNDECODABLE)
            return
        self._give_up(index, reason_of(error), attempts, _FAILED)
        if self._context.limit.failed(repr(received.record.key)):
            self._release.request(ReleaseReason.STOP_LIMIT)

    def _give_up(self, index: int, reason: str, attempts: int, kind: str) -> None:
        record = self._records[index]
        group, now = self._subscription.group, self._context.clock.now()
        letter = letter_of(record, group=group, reason=reason, attempts=attempts, now=now)
        try:
            message = decode(record)
            trace = message.trace._replace(causation_id=message.id)
        except Poison:
            trace = Trace.begin()
        self._given_up.append(_GivenUp(index, letter, trace, kind))
        self._state[index] = _GIVEN_UP

    async def _dead_letter(self) -> None:
        """Makes the dead letters durable."""
        letters, traces = [one.letter for one in self._given_up], [one.trace for one in self._given_up]
        await self._retried(partial(self._context.dead_letters.publish, letters, traces))
        for one in self._given_up:
            self._state[one.index] = _DEAD
            self._context.metrics.dead_letters.labels(one.letter.group, one.letter.topic, one.kind).inc()
            log.error("dead letter", dead_letter=one.letter.id, reason=one.letter.reason)

    def _count(self) -> None:
        group, topics = self._subscription.group, self._subscription.topics
        if len(topics) == 1:
            counts = {(topics[0], state): self._state.count(state) for state in _SETTLED}
        else:
            counts = Counter((record.topic, state) for record, state in zip(self._records, self._state, strict=True))
        for (topic, state), count in counts.items():
            if state in _SETTLED and count:
                self._context.metrics.consumed.labels(group, topic, _SETTLED[state]).inc(count)


def _has_bad_envelope(received: Received[Any]) -> bool:
    """Whether it cannot be decoded: a handler that asked for the envelope of a plain record found out."""
    try:
        return received.message is None
    except Poison:
        return True


def _place(received: Received[Any]) -> dict[str, object]:
    record = received.record
    return {"topic": record.topic, "partition": record.partition, "offset": record.offset}
