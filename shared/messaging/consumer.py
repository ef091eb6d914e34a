"""Owns a running consumer: one FastStream batch subscriber, at least once, one commit a batch when all is settled."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

import structlog
from aiokafka import TopicPartition
from aiokafka.abc import ConsumerRebalanceListener
from aiokafka.errors import CommitFailedError, KafkaError

from shared.clock import Clock
from shared.durability.backoff import Backoff
from shared.durability.failures import StopLimit, is_transient
from shared.envelope import Record
from shared.errors import Unavailable
from shared.messaging.batch_subscriber import Batch, BatchSubscriber
from shared.messaging.dead_letter_queue import DeadLetterQueue
from shared.messaging.publisher import Publisher, publish_all
from shared.messaging.recall import REBALANCE, STOP_LIMIT, STOPPING, Recall
from shared.messaging.settlement import Desk, Settlement
from shared.messaging.subscription import Subscribed
from shared.messaging.transport import Transport
from shared.metrics import Metrics
from shared.tasks import end
from shared.trace import bind_trace

__all__ = ["Consumer", "ConsumerHealth", "ConsumerState", "Tuning"]

log = structlog.get_logger(__name__)

_LAG_EVERY: Final = 10.0


class ConsumerState(StrEnum):
    """``stuck``: a record has been in work for too long. ``stopped``: it consumes no more until it is started anew."""

    RUNNING = "running"
    STUCK = "stuck"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class ConsumerHealth:
    """How a consumer fares; ``lag`` is the whole group's, as last sampled (None: not yet)."""

    group: str
    state: ConsumerState
    reason: str
    lag: int | None

    @property
    def moving(self) -> bool:
        return self.state is ConsumerState.RUNNING


@dataclass(frozen=True, slots=True)
class Tuning:
    """How a consumer paces itself; seconds.

    ``patience``: the longest a batch may take before what is left of it is handed back (it must stay well under the
    broker's max.poll.interval, 300 s). ``handover``: how long a rebalance waits for the batch in work (under the
    broker's rebalance timeout). ``stuck_after``: how long a record may be in work before health says so.
    """

    max_records: int = 2_000
    concurrency: int = 32
    patience: float = 100.0
    handover: float = 20.0
    stuck_after: float = 60.0
    transient: Backoff = field(default_factory=lambda: Backoff(0.1, 5.0))
    unexpected: Backoff = field(default_factory=lambda: Backoff(0.05, 1.0))


class Consumer:
    """Runs one subscription.

    At least once: a batch is committed when every record is handled, refused or a durable dead letter, and every
    answer is acknowledged; else what is left of it is put back and delivered again. Starts again after a stop.
    """

    def __init__(
        self, transport: Transport, clock: Clock, subscription: Subscribed, publisher: Publisher,
        dead_letters: DeadLetterQueue, metrics: Metrics, *, tuning: Tuning | None = None,
    ) -> None:  # fmt: skip
        self.subscription = subscription
        self._transport = transport
        self._publisher = publisher
        self._clock = clock
        self._metrics = metrics
        self._tuning = tuning or Tuning()
        self._dead_letters = dead_letters
        self._subscriber: BatchSubscriber | None = None
        self._settlement: Settlement | None = None
        self._recall: Recall | None = None
        self._idle = asyncio.Event()
        self._idle.set()
        self._stopping = False
        self._stopped_because: str | None = "not started"
        self._lag: int | None = None
        self._sampling: asyncio.Task[None] | None = None
        self._leaving: asyncio.Task[None] | None = None
        self._desk = self._new_desk()
        dead_letters.attach(subscription.group, self.replay)

    # -- life ----------------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Joins the group and begins. Unavailable when the broker is away."""
        group = self.subscription.group
        self._desk = self._new_desk()
        self._stopping, self._leaving = False, None
        self._subscriber = subscriber = BatchSubscriber(
            self._transport,
            group,
            self.subscription.topics,
            max_records=self._tuning.max_records,
            auto_offset_reset=self.subscription.from_,
            handle=self._consume,
            listener=_Handover(self._hand_over),
        )
        try:
            await subscriber.start()
        except (KafkaError, OSError) as error:
            raise Unavailable(f"{group} cannot join its group: {error}") from error
        self._stopped_because = None
        self._metrics.stopped.labels(group).set(0)
        self._metrics.in_work_seconds.labels(group).set_function(self._in_work)
        self._sampling = asyncio.create_task(self._sample_lag(), name=f"lag of {group}")
        log.info("consuming", group=group, topics=list(self.subscription.topics))

    async def stop(self) -> None:
        """Finishes the records in hand, commits what is settled, and leaves the group."""
        self._stopping = True
        if self._subscriber is not None:
            self._subscriber.stop_fetching()
        if self._recall is not None:
            self._recall.call(STOPPING)
        if self._stopped_because is None:
            self._stopped_because = "stopped"
        sampling, self._sampling = self._sampling, None
        if sampling is not None:
            await end(sampling)
        if self._leaving is not None:
            await self._leaving
        await self._leave()

    def health(self) -> ConsumerHealth:
        """Whether it gets on; asks nobody."""
        group, in_work = self.subscription.group, self._in_work()
        state, reason = ConsumerState.RUNNING, ""
        if self._stopped_because is None and self._subscriber is not None and not self._subscriber.fetching:
            self._stopped_because = "its loop ended"
        if self._stopped_because is not None:
            state, reason = ConsumerState.STOPPED, self._stopped_because
        elif in_work > self._tuning.stuck_after:
            state, reason = ConsumerState.STUCK, f"a record has been in work for {in_work:.0f} s"
        return ConsumerHealth(group, state, reason, self._lag)

    async def settled(self) -> None:
        """Returns when no batch is in work: the last one's offsets are committed."""
        await self._idle.wait()

    async def replay(self, record: Record) -> None:
        """Handles one record here and now, outside of the group's own course; raises what the handler raises."""
        received = self.subscription.read(record)
        with bind_trace(received.effect):
            try:
                done = await self.subscription.handle(received, self._clock)
                await publish_all(self._publisher, done.answers)
            except Exception as error:
                if is_transient(error):
                    raise Unavailable(str(error)) from error
                raise

    # -- the course of a batch -----------------------------------------------------------------------------------------

    async def _consume(self, batch: Batch) -> None:
        began = time.monotonic()
        self._idle.clear()
        self._recall = Recall(self._tuning.patience)
        structlog.contextvars.bind_contextvars(group=self.subscription.group)
        try:
            if self._stopping or self._stopped_because is not None:
                await batch.nack()
                return
            await self._settle(batch, self._recall)
            self._metrics.batch_seconds.labels(self.subscription.group).observe(time.monotonic() - began)
            self._metrics.batch_records.labels(self.subscription.group).observe(len(batch.records))
        except Exception:
            log.exception("the batch could not be settled; all of it is delivered again")
            await batch.nack()
            await asyncio.sleep(1.0)
        finally:
            self._settlement = self._recall = None
            self._idle.set()

    async def _settle(self, batch: Batch, recall: Recall) -> None:
        self._settlement = settlement = Settlement(self._desk, batch.records, recall)
        handed_back = await settlement.run()
        if handed_back == STOP_LIMIT:
            self._stop_consuming()
        try:
            if handed_back is None:
                await batch.ack()
            else:
                log.info("a batch is handed back", reason=handed_back)
                self._metrics.rewinds.labels(self.subscription.group, handed_back).inc()
                await batch.keep(settlement.resume_at())
        except CommitFailedError as error:  # another member has the partitions now, and gets the records again
            log.info("the group has moved on; the batch is delivered again", error=str(error))
        except KafkaError as error:  # what is settled stays so; the next commit covers it
            log.warning("the commit failed", error=repr(error))

    def _stop_consuming(self) -> None:
        self._stopped_because = (
            "most records fail, whatever their key: the fault is not in one of them; see the log, mend it, start anew"
        )
        self._metrics.stopped.labels(self.subscription.group).set(1)
        log.error("consuming stops", group=self.subscription.group, reason=self._stopped_because)
        if self._subscriber is not None:
            self._subscriber.stop_fetching()
        self._leaving = asyncio.create_task(self._leave(), name=f"leaving {self.subscription.group}")

    async def _hand_over(self, revoked: Sequence[TopicPartition]) -> None:
        """Before a rebalance: let the batch in work be finished and committed, so that no other member repeats it."""
        recall = self._recall
        if recall is None or not revoked:
            return
        recall.call(REBALANCE, waiting_only=True)
        try:
            async with asyncio.timeout(self._tuning.handover):
                await self._idle.wait()
        except TimeoutError:
            recall.call(REBALANCE)

    # -- around it -----------------------------------------------------------------------------------------------------

    def _new_desk(self) -> Desk:
        return Desk(
            subscription=self.subscription,
            publisher=self._publisher,
            dead_letters=self._dead_letters,
            clock=self._clock,
            metrics=self._metrics,
            limit=StopLimit(),
            concurrency=self._tuning.concurrency,
            transient=self._tuning.transient,
            unexpected=self._tuning.unexpected,
        )

    async def _leave(self) -> None:
        subscriber, self._subscriber = self._subscriber, None
        if subscriber is not None:
            await subscriber.stop()

    def _in_work(self) -> float:
        oldest = self._settlement.oldest() if self._settlement is not None else None
        return 0.0 if oldest is None else time.monotonic() - oldest

    async def _sample_lag(self) -> None:
        group = self.subscription.group
        while True:
            try:
                lag = await self._transport.lag(group)
            except (KafkaError, OSError) as error:
                log.debug("the lag is not known now", group=group, error=repr(error))
            else:
                by_topic = dict.fromkeys(self.subscription.topics, 0)
                for partition, behind in lag.items():
                    by_topic[partition.topic] = by_topic.get(partition.topic, 0) + behind
                for topic, behind in by_topic.items():
                    self._metrics.lag.labels(group, topic).set(behind)
                self._lag = sum(by_topic.values())
            await asyncio.sleep(_LAG_EVERY)


class _Handover(ConsumerRebalanceListener):  # type: ignore[misc]
    def __init__(self, before: Any) -> None:
        self._before = before

    async def on_partitions_revoked(self, revoked: Sequence[TopicPartition]) -> None:
        await self._before(revoked)

    async def on_partitions_assigned(self, assigned: Sequence[TopicPartition]) -> None:
        """Nothing to do: the group's own offsets say where to begin."""
