"""The one place that uses FastStream: a subscriber that takes batches and commits only what the kit has settled.

Used of FastStream: a KafkaBroker's start and stop, one batch subscriber with its loop (fetch, handle, finish within the
graceful time, wait after a broker's error), and its listener, which logs assignments. Replaced, each for a reason:

- The client: a transport's own consumer takes the place of aiokafka's, so that the same loop runs on the embedded log,
  and so that ``getmany`` waits. After an empty fetch FastStream sleeps; sparse messages waited 74 ms instead of 3.
- Parsing and decoding: per message they are 15 to 40 times slower than per batch, and one bad record fails the batch.
- Acknowledging: FastStream's ``ack`` commits every position, and its ``nack`` gives up at the first partition that a
  rebalance has taken away. The others are then not rewound, and the next commit would lose their records.
- Producer and admin client: the kit's publisher sends, and the transport creates topics.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final, Literal, cast

from aiokafka import ConsumerRecord, TopicPartition
from aiokafka.abc import ConsumerRebalanceListener
from faststream import AckPolicy
from faststream.kafka import KafkaBroker
from faststream.kafka.message import KafkaAckableMessage
from faststream.message import AckStatus, StreamMessage

from shared.messaging.transport import Consumer, Transport

_LOGGER: Final = logging.getLogger("epic.faststream.consumer")
_LOGGER.setLevel(logging.ERROR)  # its warnings say at each start that it creates no topics

_WAIT_MS: Final = 60_000
"""How long a fetch waits for a first record. Long, because FastStream sleeps after an empty one."""
_REBALANCE_MS: Final = 30_000
"""How long the broker waits for a member that still works on its batch; longer than a handover takes."""
_USED_OPTIONS: Final = ("group_id", "client_id", "auto_offset_reset", "rebalance_timeout_ms")
"""Of the options that FastStream gives a client of its own."""


class Batch(KafkaAckableMessage):
    """The records of one fetch, committed or rewound partition by partition, as far as they are still assigned."""

    raw_message: tuple[ConsumerRecord, ...]

    async def ack(self) -> None:
        """Commit all of it. Raises the broker's error."""
        if self.committed is None:
            ends = {(record.topic, record.partition): record.offset + 1 for record in self.raw_message}
            consumer = cast("Consumer", self.consumer)
            assigned = consumer.assignment()
            held = {place: offset for place, offset in ends.items() if place in assigned}
            if held:
                await consumer.commit({TopicPartition(*place): offset for place, offset in held.items()})
            self.committed = AckStatus.ACKED

    async def nack(self) -> None:
        """Rewind to the first record of each partition."""
        firsts: dict[TopicPartition, int] = {}
        for record in self.raw_message:
            firsts.setdefault(TopicPartition(record.topic, record.partition), record.offset)
        self.rewind(firsts)

    async def commit_before(self, offsets: Mapping[TopicPartition, int]) -> None:
        """Commit what comes before these offsets, and rewind to them."""
        held = self.rewind(offsets)
        if held:
            await cast("Consumer", self.consumer).commit(held)

    def rewind(self, offsets: Mapping[TopicPartition, int]) -> dict[TopicPartition, int]:
        """Have the records from these offsets on delivered again. Returns those of the partitions still assigned."""
        consumer = cast("Consumer", self.consumer)
        assigned = consumer.assignment()
        held = {partition: offset for partition, offset in offsets.items() if partition in assigned}
        for partition, offset in held.items():
            consumer.seek(partition, offset)
        self.committed = AckStatus.NACKED
        return held


class BatchSubscriber:
    """One member of a consumer group. ``handle`` gets a batch at a time and ends with ack, nack or commit_before."""

    def __init__(
        self,
        transport: Transport,
        group: str,
        topics: Sequence[str],
        *,
        max_records: int,
        auto_offset_reset: Literal["earliest", "latest"],
        handle: Callable[[Batch], Awaitable[None]],
        listener: ConsumerRebalanceListener,
    ) -> None:
        self._broker = _ConsumingBroker(transport, group)
        self.faststream = self._broker.subscriber(
            *topics,
            group_id=group,
            batch=True,
            max_records=max_records,
            auto_offset_reset=auto_offset_reset,
            rebalance_timeout_ms=_REBALANCE_MS,
            ack_policy=AckPolicy.MANUAL,
            parser=self._parse,
            decoder=_undecoded,
            listener=listener,
            no_reply=True,
        )
        self.faststream(handle)

    async def start(self) -> None:
        """Joins the group and begins to fetch. KafkaError or OSError when the broker is away."""
        try:
            await self._broker.start()
        except BaseException:
            await self._broker.stop()
            raise

    async def stop(self) -> None:
        """Returns when the batch in work is settled, or the graceful time is over, and the group is left."""
        await self._broker.stop()

    def stop_fetching(self) -> None:
        """The batch in work is the last; may be called while it is handled."""
        self.faststream.running = False

    @property
    def fetching(self) -> bool:
        """Whether the loop runs."""
        return any(not task.done() for task in self.faststream.tasks)

    async def _parse(self, records: tuple[ConsumerRecord, ...]) -> Batch:
        first = records[0]
        return Batch(
            body=[],
            headers={},
            batch_headers=[],
            reply_to="",
            content_type=None,
            message_id=f"{first.topic}:{first.partition}:{first.offset}",
            correlation_id=None,
            raw_message=records,
            path={},
            consumer=self.faststream.consumer,
        )


class _ConsumingBroker(KafkaBroker):
    """A broker that opens no connection of its own; its subscriber gets the transport's consumer."""

    def __init__(self, transport: Transport, client_id: str) -> None:
        super().__init__(
            client_id=client_id, consumer_only=True, apply_types=False, logger=_LOGGER, log_level=logging.DEBUG
        )
        self._transport = transport

    async def _connect(self) -> Callable[..., Any]:
        self.config.broker_config.builder = self._consumer
        return self._consumer

    def _consumer(self, **given: Any) -> Consumer:
        return self._transport.consumer(patience_ms=_WAIT_MS, **{name: given[name] for name in _USED_OPTIONS})


async def _undecoded(message: StreamMessage[Any]) -> StreamMessage[Any]:
    """FastStream's decoder gives the handler the batch itself."""
    return message
