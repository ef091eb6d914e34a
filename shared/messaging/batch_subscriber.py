"""The one place that uses FastStream: a subscriber that takes batches and commits only what the kit has settled.

Used of FastStream: a KafkaBroker's start and stop, one batch subscriber with its loop (fetch, handle, finish within the
graceful time, wait after a broker's error), and its listener, which logs assignments. Replaced, each for a reason:

- The client: a transport's own consumer takes the place of aiokafka's, so that the same loop runs on the embedded log.
- Fetching: ``getmany`` waits for a record. After an empty fetch FastStream sleeps; sparse messages waited 74 ms, not 3.
- Parsing and decoding: per message they are 15 to 40 times slower than per batch, and one bad record fails the batch.
- Acknowledging: FastStream's ``ack`` commits every position, and its ``nack`` gives up at the first partition that a
  rebalance has taken away. The others are then not rewound, and the next commit would lose their records.
- Producer and admin client: the kit's publisher sends, and the transport creates topics.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final, TypeAlias

from aiokafka import ConsumerRecord, TopicPartition
from aiokafka.abc import ConsumerRebalanceListener
from faststream import AckPolicy
from faststream.kafka import KafkaBroker
from faststream.message import StreamMessage

from shared.messaging.transport import Consumer, Transport

_LOGGER: Final = logging.getLogger("epic.faststream.consumer")
_LOGGER.setLevel(logging.ERROR)  # its warnings say at each start that it creates no topics

_SLICE_MS: Final = 1_000
"""How long one fetch waits: aiokafka raises the coordinator's fatal errors when a fetch begins, not while it waits."""

Batch: TypeAlias = tuple[ConsumerRecord, ...]
"""The records of one fetch, in the order of each partition."""


class BatchSubscriber:
    """One member of a consumer group, which may leave it and join again.

    ``handle`` gets a batch at a time, and commits or rewinds it before it returns. ``before_revoke`` is awaited before
    the group takes partitions away.
    """

    def __init__(
        self,
        transport: Transport,
        group: str,
        topics: Sequence[str],
        *,
        max_records: int,
        handle: Callable[[Batch], Awaitable[None]],
        before_revoke: Callable[[], Awaitable[None]],
    ) -> None:
        self._broker = _ConsumingBroker(transport, group)
        self.faststream = self._broker.subscriber(
            *topics,
            group_id=group,
            batch=True,
            max_records=max_records,
            ack_policy=AckPolicy.MANUAL,
            parser=_parse,
            decoder=_decode,
            listener=_RebalanceListener(before_revoke),
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

    async def commit(self, offsets: Mapping[TopicPartition, int]) -> None:
        """Commits what comes before these offsets, of the partitions still assigned. Raises the broker's error."""
        assigned = self._broker.consumer.assignment()
        held = {partition: offset for partition, offset in offsets.items() if partition in assigned}
        if held:
            await self._broker.consumer.commit(held)

    def rewind(self, offsets: Mapping[TopicPartition, int]) -> None:
        """Has the records from these offsets on delivered again, of the partitions still assigned."""
        for partition in self._broker.consumer.assignment() & offsets.keys():
            self._broker.consumer.seek(partition, offsets[partition])


class _ConsumingBroker(KafkaBroker):
    """A broker that opens no connection of its own; its subscriber gets the transport's consumer."""

    consumer: Consumer

    def __init__(self, transport: Transport, group: str) -> None:
        super().__init__(consumer_only=True, apply_types=False, logger=_LOGGER, log_level=logging.DEBUG)
        self._transport = transport
        self._group = group

    async def _connect(self) -> Callable[..., Any]:
        self.config.broker_config.builder = self._new_consumer
        return self._new_consumer

    def _new_consumer(self, **_: Any) -> _WaitingConsumer:
        self.consumer = self._transport.consumer(group_id=self._group, client_id=self._group)
        return _WaitingConsumer(self.consumer)


class _WaitingConsumer:
    """What FastStream gets: its ``getmany`` returns only with records."""

    def __init__(self, consumer: Consumer) -> None:
        self._consumer = consumer

    def __getattr__(self, name: str) -> Any:
        return getattr(self._consumer, name)

    async def getmany(self, *, timeout_ms: float, max_records: int) -> dict[TopicPartition, list[ConsumerRecord]]:
        while not (records := await self._consumer.getmany(timeout_ms=_SLICE_MS, max_records=max_records)):
            pass
        return records


class _RebalanceListener(ConsumerRebalanceListener):  # type: ignore[misc]
    def __init__(self, before_revoke: Callable[[], Awaitable[None]]) -> None:
        self._before_revoke = before_revoke

    async def on_partitions_revoked(self, revoked: Sequence[TopicPartition]) -> None:
        if revoked:
            await self._before_revoke()

    async def on_partitions_assigned(self, assigned: Sequence[TopicPartition]) -> None:
        """Nothing to do: consuming begins at the group's committed offsets."""


async def _parse(records: Batch) -> StreamMessage[Batch]:
    return StreamMessage(records, records)


async def _decode(message: StreamMessage[Batch]) -> Batch:
    """What the handler gets."""
    return message.raw_message
