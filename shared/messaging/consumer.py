"""A running consumer: takes batches, settles them, commits each when all of it is settled, and reports its health."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

import structlog
from aiokafka import TopicPartition
from aiokafka.abc import ConsumerRebalanceListener
from aiokafka.errors import CommitFailedError, KafkaError

from shared.clock import Clock
from shared.durability.failures import StopLimit, is_transient
from shared.envelope import Record
from shared.errors import Unavailable
from shared.messaging.batch_subscriber import Batch, BatchSubscriber
from shared.messaging.consumer_context import ConsumerContext, Tuning
from shared.messaging.dead_letter_queue import DeadLetterQueue
from shared.messaging.publisher import Publisher, publish_all
from shared.messaging.release import Release, ReleaseReason
from shared.messaging.settlement import Settlement
from shared.messaging.subscription import Subscribed
from shared.messaging.transport import Transport
from shared.metrics import Metrics
from shared.tasks import end
from shared.trace import bind_trace

log = structlog.get_logger(__name__)

_LAG_EVERY: Final = 10.0  # seconds; a look at every partition's end, as often as Prometheus usually scrapes
_AFTER_FAULT: Final = 1.0  # seconds after a fault of the kit itself, which would else repeat at full speed


class ConsumerState(StrEnum):
    """``stuck``: a record has been in work for too long. ``stopped``: it consumes nothing until it is started again."""

    RUNNING = "running"
    STUCK = "stuck"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class ConsumerHealth:
    """The health of a consumer. ``lag`` is the whole group's, as last sampled; None: not yet."""

    group: str
    state: ConsumerState
    reason: str
    lag: int | None

    @property
    def moving(self) -> bool:
        return self.state is ConsumerState.RUNNING


class Consumer:
    """Runs one subscription, at least once.

    A batch is committed when every record is handled, refused or a durable dead letter, and every answer is
    acknowledged. Otherwise the settled part is committed and the rest is delivered again. Can be started again.
    """

    def __init__(
        self,
        transport: Transport,
        clock: Clock,
        subscription: Subscribed,
        publisher: Publisher,
        dead_letters: DeadLetterQueue,
        metrics: Metrics,
        *,
        tuning: Tuning | None = None,
    ) -> None:
        self.subscription = subscription
        self._group = subscription.group
        self._transport = transport
        self._metrics = metrics
        self._tuning = tuning or Tuning()
        self._context = ConsumerContext(subscription, publisher, dead_letters, clock, metrics, self._tuning)
        self._subscriber: BatchSubscriber | None = None
        self._settlement: Settlement | None = None
        self._release: Release | None = None
        self._idle = asyncio.Event()
        self._idle.set()
        self._stopped_because: str | None = "not started"
        self._lag: int | None = None
        self._sampling: asyncio.Task[None] | None = None
        self._leaving: asyncio.Task[None] | None = None
        dead_letters.attach(self._group, self.replay)

    # -- life ----------------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Joins the group and begins to consume. Unavailable when the broker is away."""
        self._context, self._leaving = replace(self._context, limit=StopLimit()), None
        self._subscriber = BatchSubscriber(
            self._transport,
            self._group,
            self.subscription.topics,
            max_records=self._tuning.max_records,
            auto_offset_reset=self.subscription.from_,
            handle=self._consume,
            listener=_RebalanceListener(self._hand_over),
        )
        try:
            await self._subscriber.start()
        except (KafkaError, OSError) as error:
            raise Unavailable(f"{self._group} cannot join its group: {error}") from error
        self._stopped_because = None
        self._metrics.stopped.labels(self._group).set(0)
        self._metrics.in_work_seconds.labels(self._group).set_function(self._in_work)
        self._sampling = asyncio.create_task(self._sample_lag(), name=f"lag of {self._group}")
        log.info("consuming", group=self._group, topics=list(self.subscription.topics))

    async def stop(self) -> None:
        """Finishes the records in work, commits what is settled, and leaves the group."""
        self._stopped_because = self._stopped_because or "stopped"
        if self._subscriber is not None:
            self._subscriber.stop_fetching()
        if self._release is not None:
            self._release.request(ReleaseReason.STOPPING)
        sampling, self._sampling = self._sampling, None
        if sampling is not None:
            await end(sampling)
        if self._leaving is not None:
            await self._leaving
        await self._leave()

    def health(self) -> ConsumerHealth:
        """The present health; no request to the broker."""
        in_work = self._in_work()
        if self._stopped_because is None and self._subscriber is not None and not self._subscriber.fetching:
            self._stopped_because = "its loop ended"
        state, reason = ConsumerState.RUNNING, ""
        if self._stopped_because is not None:
            state, reason = ConsumerState.STOPPED, self._stopped_because
        elif in_work > self._tuning.stuck_after:
            state, reason = ConsumerState.STUCK, f"a record has been in work for {in_work:.0f} s"
        return ConsumerHealth(self._group, state, reason, self._lag)

    async def settled(self) -> None:
        """Returns when no batch is in work: the offsets of the last one are committed."""
        await self._idle.wait()

    async def replay(self, record: Record) -> None:
        """Handles one record now, outside of the group's order. Raises what the handler raises."""
        received = self.subscription.read(record)
        with bind_trace(received.effect):
            try:
                done = await self.subscription.handle(received, self._context.clock)
                await publish_all(self._context.publisher, done.answers)
            except Exception as error:
                if is_transient(error):
                    raise Unavailable(str(error)) from error
                raise

    # -- one batch -----------------------------------------------------------------------------------------------------

    async def _consume(self, batch: Batch) -> None:
        began = time.monotonic()
        self._idle.clear()
        self._release = release = Release(began + self._tuning.patience)
        structlog.contextvars.bind_contextvars(group=self._group)
        try:
            if self._stopped_because is not None:
                await batch.nack()
                return
            self._settlement = settlement = Settlement(self._context, batch.raw_message, release)
            released = await settlement.run()
            if released is ReleaseReason.STOP_LIMIT:
                self._stop_consuming()
            try:
                if released is None:
                    await batch.ack()
                else:
                    log.info("a batch is released", reason=released)
                    self._metrics.rewinds.labels(self._group, released).inc()
                    await batch.commit_before(settlement.resume_at())
            except CommitFailedError as error:  # another member has the partitions now, and gets the records again
                log.info("the group has moved on; the batch is delivered again", error=str(error))
            except KafkaError as error:  # what is settled stays settled; the next commit covers it
                log.warning("the commit failed", error=repr(error))
            self._metrics.batch_seconds.labels(self._group).observe(time.monotonic() - began)
            self._metrics.batch_records.labels(self._group).observe(len(batch.raw_message))
        except Exception:
            log.exception("the batch could not be settled; all of it is delivered again")
            await batch.nack()
            await asyncio.sleep(_AFTER_FAULT)
        finally:
            self._settlement = self._release = None
            self._idle.set()

    def _stop_consuming(self) -> None:
        self._stopped_because = (
            "most records fail, whatever their key: the fault is not in one of them; see the log, mend it, start anew"
        )
        self._metrics.stopped.labels(self._group).set(1)
        log.error("consuming stops", group=self._group, reason=self._stopped_because)
        if self._subscriber is not None:
            self._subscriber.stop_fetching()
        self._leaving = asyncio.create_task(self._leave(), name=f"leaving {self._group}")

    async def _hand_over(self) -> None:
        """Before a rebalance: lets the batch in work be finished and committed, so that no other member repeats it."""
        release = self._release
        if release is None:
            return
        release.request(ReleaseReason.REBALANCE, waiting_only=True)
        try:
            async with asyncio.timeout(self._tuning.handover):
                await self._idle.wait()
        except TimeoutError:
            release.request(ReleaseReason.REBALANCE)

    # -- around it -----------------------------------------------------------------------------------------------------

    async def _leave(self) -> None:
        subscriber, self._subscriber = self._subscriber, None
        if subscriber is not None:
            await subscriber.stop()

    def _in_work(self) -> float:
        oldest = self._settlement.oldest() if self._settlement is not None else None
        return 0.0 if oldest is None else time.monotonic() - oldest

    async def _sample_lag(self) -> None:
        while True:
            try:
                lag = await self._transport.lag(self._group)
            except (KafkaError, OSError) as error:
                log.debug("the lag is not known now", group=self._group, error=repr(error))
            else:
                by_topic = dict.fromkeys(self.subscription.topics, 0)
                for partition, behind in lag.items():
                    by_topic[partition.topic] = by_topic.get(partition.topic, 0) + behind
                for topic, behind in by_topic.items():
                    self._metrics.lag.labels(self._group, topic).set(behind)
                self._lag = sum(by_topic.values())
            await asyncio.sleep(_LAG_EVERY)


class _RebalanceListener(ConsumerRebalanceListener):  # type: ignore[misc]
    def __init__(self, before_revoke: Callable[[], Awaitable[None]]) -> None:
        self._before_revoke = before_revoke

    async def on_partitions_revoked(self, revoked: Sequence[TopicPartition]) -> None:
        if revoked:
            await self._before_revoke()

    async def on_partitions_assigned(self, assigned: Sequence[TopicPartition]) -> None:
        """Nothing to do: consuming begins at the group's committed offsets."""
