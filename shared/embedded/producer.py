"""Owns the embedded producer: aiokafka's producer interface on the durable log."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from aiokafka.errors import IllegalOperation, KafkaConnectionError, MessageSizeTooLargeError, ProducerClosed
from aiokafka.structs import RecordMetadata

from shared.embedded.batches import BATCH_BYTES, BatchBuilder, estimated_size
from shared.embedded.log import DurableLog
from shared.messaging.transport import RECORD_BYTES, Headers

__all__ = ["EmbeddedProducer"]


class EmbeddedProducer:
    """A record is acknowledged when it is on the disk; records of one producer keep their order.

    Keys go to the partitions Kafka's own partitioner gives them. Options that only concern a network are ignored.
    """

    def __init__(
        self,
        log: DurableLog,
        *,
        client_id: str | None = None,
        max_request_size: int = RECORD_BYTES,
        max_batch_size: int = BATCH_BYTES,
        key_serializer: Callable[[Any], bytes] | None = None,
        value_serializer: Callable[[Any], bytes] | None = None,
        **_network: Any,
    ) -> None:
        self.client_id = client_id or "epic-producer"
        self._log = log
        self._max_request_size = max_request_size
        self._max_batch_size = max_batch_size
        self._key_serializer = key_serializer
        self._value_serializer = value_serializer
        self._started = False
        self._closed = False

    async def start(self) -> None:
        """KafkaConnectionError when the log is not running."""
        if not self._log.running:
            raise KafkaConnectionError(f"the embedded log in {self._log.folder} is not running")
        self._started = True

    async def stop(self) -> None:
        """Waits until all that was sent is on the disk."""
        if self._closed:
            return
        self._closed = True
        if self._started and self._log.running:
            await self._log.barrier()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def flush(self) -> None:
        """Waits until all that was sent is acknowledged or failed."""
        await self._log.barrier()

    async def partitions_for(self, topic: str) -> set[int]:
        """UnknownTopicOrPartitionError when nobody made the topic."""
        return {partition.number for partition in self._log.partitions(topic)}

    async def send(
        self,
        topic: str,
        value: Any = None,
        key: Any = None,
        partition: int | None = None,
        timestamp_ms: int | None = None,
        headers: Headers | None = None,
    ) -> asyncio.Future[RecordMetadata]:
        """Hand a record over; the future answers when it is on the disk.

        MessageSizeTooLargeError, UnknownTopicOrPartitionError, and ValueError without key and value, at once.
        """
        self._check()
        if self._key_serializer is not None:
            key = self._key_serializer(key)
        if self._value_serializer is not None:
            value = self._value_serializer(value)
        if key is None and value is None:
            raise ValueError("a record needs a key or a value")
        given = headers if type(headers) is list else [*(headers or ())]
        size = estimated_size(key, value, given)
        if size > self._max_request_size:
            raise MessageSizeTooLargeError(
                f"the record for {topic} has {size} bytes; {self._max_request_size} is the most (max_request_size)"
            )
        place = self._log.place(topic, key, partition)
        if self._log.crowded:
            await self._log.room()
        return self._log.enqueue(place, key, value, given, timestamp_ms)

    async def send_and_wait(
        self,
        topic: str,
        value: Any = None,
        key: Any = None,
        partition: int | None = None,
        timestamp_ms: int | None = None,
        headers: Headers | None = None,
    ) -> RecordMetadata:
        """Send, and wait until the record is on the disk."""
        return await (await self.send(topic, value, key, partition, timestamp_ms, headers))

    def create_batch(self) -> BatchBuilder:
        return BatchBuilder(self._max_batch_size)

    async def send_batch(
        self, batch: BatchBuilder, topic: str, *, partition: int | None
    ) -> asyncio.Future[RecordMetadata]:
        """Hand a batch over: all of it becomes readable at once. The future answers its first record's place."""
        self._check()
        if not batch.record_count():
            raise ValueError("the batch is empty")
        await self._log.room()
        return self._log.enqueue_batch(topic, partition, batch)

    def _check(self) -> None:
        if self._closed:
            raise ProducerClosed
        if not self._started:
            raise IllegalOperation("start the producer first")
