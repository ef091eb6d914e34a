"""A running consumer: takes batches, settles them, commits each when all of it is settled, and reports its health."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from typing import Final

import structlog
from aiokafka.errors import CommitFailedError, KafkaError

from shared.durability.failures import StopLimit
from shared.envelope import Record
from shared.messaging.batch_subscriber import Batch, BatchSubscriber
from shared.messaging.consumer_context import ConsumerContext, Release, ReleaseReason
from shared.messaging.publisher import publish_all
from shared.messaging.settlement import Settlement
from shared.messaging.transport import Transport
from shared.tasks import end
from shared.trace import bind_trace

log = structlog.get_logger(__name__)

_LAG_EVERY: Final = 10.0  # seconds; a look at every partition's end, as often as Prometheus usually scrapes
_MOST_FAIL: Final = (
    "most records fail, whatever their key: the fault is not in one of them; see the log, mend it, start anew"
)
_AFTER_FAULT: Final = 1.0  # seconds after a fault of the kit itself, which would else repeat at full speed


class Consumer:
    """Runs one subscription, at least once.

    A batch is committed when every record is handled, refused or a durable dead letter, and every answer is
    acknowledged. Otherwise the settled part is committed and the rest is delivered again. Can be started again.
    """

    def __init__(self, transport: Transport, context: ConsumerContext) -> None:
        self.subscription = context.subscription
        self.lag: int | None = None
        """How many records the whole group is behind, as last sampled; None: not yet."""
        self._transport = transport
        self._context = context
        self._group = context.subscription.group
        self._subscriber = BatchSubscriber(
            transport,
            self._group,
            self.subscription.topics,
            max_records=context.tuning.max_records,
            handle=self._consume,
            before_revoke=self._hand_over,
        )
        self._settlement: Settlement | None = None
        self._idle = asyncio.Event()
        self._idle.set()
        self._stopped_because: str | None = "not started"
        self._sampling: asyncio.Task[None] | None = None
        self._leaving: asyncio.Task[None] | None = None
        context.dead_letters.attach(self._group, self.replay)

    # -- life ----------------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Joins the group and begins to consume. KafkaError or OSError when the broker is away."""
        self._context, self._leaving = replace(self._context, limit=StopLimit()), None
        await self._subscriber.start()
        self._stopped_because = None
        self._context.metrics.stopped.labels(self._group).set(0)
        self._context.metrics.in_work_seconds.labels(self._group).set_function(self._in_work)
        self._sampling = asyncio.create_task(self._sample_lag(), name=f"lag of {self._group}")
        log.info("consuming", group=self._group, topics=list(self.subscription.topics))

    async def stop(self) -> None:
        """Finishes the records in work, commits what is settled, and leaves the group."""
        self._stopped_because = self._stopped_because or "stopped"
        leaving = self._leave()
        if self._settlement is not None:
            self._settlement.release.request(ReleaseReason.STOPPING)
        if self._sampling is not None:
            await end(self._sampling)
        await leaving

    def halted(self) -> str | None:
        """Why nothing is consumed: it is stopped, or a record has been in work for too long. None while it gets on."""
        in_work = self._in_work()
        if self._stopped_because is None and not self._subscriber.fetching:
            self._stopped_because = "its loop ended"
        if self._stopped_because is None and in_work > self._context.tuning.stuck_after:
            return f"a record has been in work for {in_work:.0f} s"
        return self._stopped_because

    async def replay(self, record: Record) -> None:
        """Handles one record now, outside of the group's order. Raises what the handler raises."""
        received = self.subscription.read(record)
        with bind_trace(received.effect):
            done = await self.subscription.handle(received, self._context.clock)
            await publish_all(self._context.publisher, done.answers)

    # -- one batch -----------------------------------------------------------------------------------------------------

    async def _consume(self, batch: Batch) -> None:
        metrics, began = self._context.metrics, time.monotonic()
        self._idle.clear()
        release = Release(began + self._context.tuning.patience)
        self._settlement = settlement = Settlement(self._context, batch, release)
        structlog.contextvars.bind_contextvars(group=self._group)
        try:
            if self._stopped_because is not None:
                self._subscriber.rewind(settlement.offsets())
                return
            released = await settlement.run()
            if released is ReleaseReason.STOP_LIMIT:
                self._stopped_because = _MOST_FAIL
                metrics.stopped.labels(self._group).set(1)
                log.error("consuming stops", reason=_MOST_FAIL)
                self._leave()
            offsets = settlement.offsets()
            if released is not None:
                log.info("a batch is released", reason=released)
                metrics.rewinds.labels(self._group, released).inc()
                self._subscriber.rewind(offsets)
            try:
                await self._subscriber.commit(offsets)
            except CommitFailedError as error:  # another member has the partitions now, and gets the records again
                log.info("the group has moved on; the batch is delivered again", error=str(error))
            except KafkaError as error:  # what is settled stays settled; the next commit covers it
                log.warning("the commit failed", error=repr(error))
            metrics.batch_seconds.labels(self._group).observe(time.monotonic() - began)
            metrics.batch_records.labels(self._group).observe(len(batch))
        except Exception:
            log.exception("the batch could not be settled; what is not settled of it is delivered again")
            self._subscriber.rewind(settlement.offsets())
            await asyncio.sleep(_AFTER_FAULT)
        finally:
            self._settlement = None
            self._idle.set()

    def _leave(self) -> asyncio.Task[None]:
        """Ends when the batch in work is settled and the group is left."""
        self._subscriber.stop_fetching()
        self._leaving = self._leaving or asyncio.create_task(self._subscriber.stop(), name=f"leaving {self._group}")
        return self._leaving

    async def _hand_over(self) -> None:
        """Before a rebalance: lets the batch in work be finished and committed, so that no other member repeats it."""
        if self._settlement is None:
            return
        release = self._settlement.release
        release.request(ReleaseReason.REBALANCE, waiting_only=True)
        try:
            async with asyncio.timeout(self._context.tuning.handover):
                await self._idle.wait()
        except TimeoutError:
            release.request(ReleaseReason.REBALANCE)

    # -- around it -----------------------------------------------------------------------------------------------------

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
                    self._context.metrics.lag.labels(self._group, topic).set(behind)
                self.lag = sum(by_topic.values())
            await asyncio.sleep(_LAG_EVERY)
