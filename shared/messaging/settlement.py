"""Settles one batch: every record is handled, refused or dead-lettered; keys concurrently, each key in order."""

from __future__ import annotations

import asyncio
import time
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any, Final, TypeVar

import structlog
from aiokafka import TopicPartition

from shared.durability.failures import ATTEMPTS, is_transient, reason_of
from shared.envelope import Record
from shared.errors import Poison
from shared.messaging.consumer_context import ConsumerContext, Release, Released, ReleaseReason
from shared.messaging.dead_letter_queue import GivenUp
from shared.messaging.publisher import publish_all
from shared.messaging.subscription import Received
from shared.schemas.results import Outcome
from shared.trace import follow_trace

log = structlog.get_logger(__name__)

T = TypeVar("T")

_BULK: Final = 500
"""Records in one call of a bulk handler, at most. After a failed call these are handled one by one; and a release takes
effect between two calls."""

_SLICE: Final = 0.01  # seconds of work after which the event loop's other tasks get a turn

# How a record was settled, as the metric names it.
_HANDLED: Final = "handled"
_REFUSED: Final = "refused"
_DEAD: Final = "dead"


class Settlement:
    """The settlement of one batch. What is not settled when ``run`` ends is to be delivered again."""

    def __init__(self, context: ConsumerContext, records: Sequence[Record], release: Release) -> None:
        self.release = release
        self._context = context
        self._subscription = context.subscription
        self._records = records
        self._settled: list[str | None] = [None] * len(records)  # how each record was settled; None: not yet
        self._given_up: dict[int, GivenUp] = {}  # by index; dead letters at the end of the batch
        self._begun: dict[int, float] = {}  # when (monotonic) each worker began its record
        self._yielded = time.monotonic()

    async def run(self) -> ReleaseReason | None:
        """Settles the batch. None when all of it is settled, else why the rest is released."""
        try:
            if len(self._records) > 1:
                await self._handle_in_bulk()
            keys: dict[bytes | None, list[int]] = {}
            for index, (record, outcome) in enumerate(zip(self._records, self._settled, strict=True)):
                if outcome is None and index not in self._given_up:
                    keys.setdefault(record.key, []).append(index)
            waiting = deque(keys.values())
            if waiting:
                async with asyncio.TaskGroup() as tasks:
                    for number in range(min(self._context.tuning.concurrency, len(waiting))):
                        tasks.create_task(self._work(number, waiting))
            # At the stop limit the fault is not in these records.
            if self._given_up and self.release.reason is not ReleaseReason.STOP_LIMIT:
                queue, group = self._context.dead_letters, self._subscription.group
                await self._retried(partial(queue.publish, group, list(self._given_up.values())))
                for index in self._given_up:
                    self._settled[index] = _DEAD
        except Released:
            pass
        counts = Counter(zip([record.topic for record in self._records], self._settled, strict=True))
        for (topic, outcome), count in counts.items():
            if outcome is not None:
                self._context.metrics.consumed.labels(self._subscription.group, topic, outcome).inc(count)
        return self.release.reason if None in self._settled else None

    def oldest(self) -> float | None:
        """When (monotonic) the record that is longest in work was begun."""
        return min(self._begun.values(), default=None)

    def offsets(self) -> dict[TopicPartition, int]:
        """For each partition the offset behind its first records that are all settled."""
        offsets: dict[tuple[str, int], int] = {}
        ended: set[tuple[str, int]] = set()
        for record, outcome in zip(self._records, self._settled, strict=True):
            place = (record.topic, record.partition)
            if place in ended:
                continue
            if outcome is None:
                ended.add(place)
                offsets.setdefault(place, record.offset)
            else:
                offsets[place] = record.offset + 1
        return {TopicPartition(*place): offset for place, offset in offsets.items()}

    # -- many records in one call --------------------------------------------------------------------------------------

    async def _handle_in_bulk(self) -> None:
        """Hands the records to the bulk handler, if there is one. What it does not handle stays open."""
        read, handle_all, monotonic = self._subscription.read, self._subscription.handle_all, time.monotonic
        if handle_all is None:
            return
        for first in range(0, len(self._records), _BULK):
            if time.monotonic() > self.release.deadline:
                return
            received: list[Received[Any]] = []
            indexes: list[int] = []
            for index in range(first, min(first + _BULK, len(self._records))):
                try:
                    received.append(read(self._records[index]))
                except Exception as error:
                    self._give_up(index, error, was_read=False)
                else:
                    indexes.append(index)
                if monotonic() - self._yielded > _SLICE:
                    await self._yield()
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
                self._settled[index] = _HANDLED
            if self._context.limit.failed_keys:
                self._context.limit.passed(len(indexes))

    # -- one record after another of a key, keys concurrently ----------------------------------------------------------

    async def _work(self, number: int, waiting: deque[list[int]]) -> None:
        read, handle, clock = self._subscription.read, self._subscription.handle, self._context.clock
        limit, release, begun, monotonic = self._context.limit, self.release, self._begun, time.monotonic
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
                        self._give_up(index, error, was_read=False)
                        continue
                    follow_trace(received)
                    try:
                        try:
                            done = await handle(received, clock)
                        except Exception as error:
                            done = await self._retried(partial(handle, received, clock), error, attempts=ATTEMPTS)
                    except Released:
                        raise
                    except Exception as error:
                        self._give_up(index, error, was_read=True)
                        continue
                    if done.answers:
                        await self._retried(partial(publish_all, self._context.publisher, done.answers))
                    self._settled[index] = _HANDLED if done.outcome is Outcome.ACCEPTED else _REFUSED
                    if limit.failed_keys:
                        limit.passed()
        except Released:
            return
        finally:
            begun.pop(number, None)

    # -- waiting -------------------------------------------------------------------------------------------------------

    async def _retried(
        self, act: Callable[[], Awaitable[T]], error: Exception | None = None, *, attempts: int = 1
    ) -> T:
        """Repeats ``act`` while a store or the broker is away; after any other error up to so many attempts in all.

        ``error`` is that of the first attempt, where it was made. Released when the batch is, meanwhile.
        """
        retries, group, tuning = self._context.metrics.retries, self._subscription.group, self._context.tuning
        waits = failures = 0
        while True:
            if error is None:
                pass
            elif is_transient(error):
                waits += 1
                retries.labels(group, "transient").inc()
                if waits in (1, 5) or not waits % 20:  # an outage takes many attempts; the log gets a few lines
                    log.warning("waiting for what is away", attempt=waits, error=str(error) or repr(error))
                await self.release.pause(tuning.transient.before(waits))
            else:
                failures += 1
                if failures >= attempts or isinstance(error, Poison):
                    raise error
                retries.labels(group, "unexpected").inc()
                log.warning("a record failed", attempt=failures, error=reason_of(error))
                await self.release.pause(tuning.unexpected.before(failures))
            try:
                return await act()
            except Exception as failed:
                error = failed

    async def _yield(self) -> None:
        await asyncio.sleep(0)
        self._yielded = time.monotonic()

    # -- giving up -----------------------------------------------------------------------------------------------------

    def _give_up(self, index: int, error: Exception, *, was_read: bool) -> None:
        """The record becomes a dead letter at the end of the batch. Too many that were read stop the consumer."""
        record = self._records[index]
        if not isinstance(error, Poison):
            place = {"topic": record.topic, "partition": record.partition, "offset": record.offset}
            log.error("a record is given up", **place, exc_info=error)
        failed = was_read and not isinstance(error, Poison)  # a plain record's envelope is read when it is asked for
        kind, attempts = ("failed", ATTEMPTS) if failed else ("undecodable", 1)
        self._given_up[index] = GivenUp(record, reason_of(error), attempts, kind)
        if failed and self._context.limit.failed(repr(record.key)):
            self.release.request(ReleaseReason.STOP_LIMIT)
