"""Owns one fetch as FastStream hands it over: raw records, committed or put back partition by partition."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from aiokafka import ConsumerRecord, TopicPartition
from faststream.kafka.message import KafkaAckableMessage
from faststream.message import AckStatus, StreamMessage

from shared.messaging.transport import Consumer

__all__ = ["Batch", "parse", "undecoded"]


class Batch(KafkaAckableMessage):
    """The records of one fetch.

    FastStream's own ``ack`` commits every position, and its ``nack`` gives up at the first partition that a rebalance
    has taken away, leaving the others un-rewound, which the next commit would then lose. These touch the batch's own
    partitions, and only those still assigned.
    """

    @property
    def records(self) -> tuple[ConsumerRecord, ...]:
        records: tuple[ConsumerRecord, ...] = self.raw_message
        return records

    async def ack(self) -> None:
        """Commit all of it. Raises what the broker answers."""
        if self.committed is None:
            ends = {(record.topic, record.partition): record.offset + 1 for record in self.records}
            await self._commit({TopicPartition(*place): offset for place, offset in ends.items()})
            self.committed = AckStatus.ACKED

    async def nack(self) -> None:
        """Put all of it back."""
        firsts: dict[TopicPartition, int] = {}
        for record in self.records:
            firsts.setdefault(TopicPartition(record.topic, record.partition), record.offset)
        self.put_back(firsts)

    async def keep(self, resume_at: Mapping[TopicPartition, int]) -> None:
        """Commit what comes before these offsets, and put the rest back."""
        self.put_back(resume_at)
        await self._commit(resume_at)

    def put_back(self, offsets: Mapping[TopicPartition, int]) -> None:
        """Have the records from these offsets on delivered again."""
        consumer = self._aiokafka
        assigned = consumer.assignment()
        for partition, offset in offsets.items():
            if partition in assigned:
                consumer.seek(partition, offset)
        self.committed = AckStatus.NACKED

    async def _commit(self, offsets: Mapping[TopicPartition, int]) -> None:
        consumer = self._aiokafka
        assigned = consumer.assignment()
        held = {partition: offset for partition, offset in offsets.items() if partition in assigned}
        if held:
            await consumer.commit(held)

    @property
    def _aiokafka(self) -> Consumer:
        return cast("Consumer", self.consumer)


def parse(records: tuple[ConsumerRecord, ...], consumer: Consumer) -> Batch:
    """The batch, without a look at headers or values: a record that cannot be read must not cost the whole batch."""
    return Batch(
        body=[],
        headers={},
        batch_headers=[],
        reply_to="",
        content_type=None,
        message_id=f"{records[0].topic}:{records[0].partition}:{records[0].offset}",
        correlation_id=None,
        raw_message=records,
        path={},
        consumer=consumer,
    )


async def undecoded(message: StreamMessage[Any]) -> StreamMessage[Any]:
    """FastStream's decoder: the handler gets the batch itself."""
    return message
