"""The producer of the embedded log, with the part of aiokafka's interface that the transport contract names."""

from __future__ import annotations

import asyncio

from aiokafka.errors import IllegalOperation, KafkaConnectionError, MessageSizeTooLargeError, ProducerClosed
from aiokafka.structs import RecordMetadata

from shared.embedded.log import DurableLog
from shared.messaging.transport import RECORD_BYTES, Headers, record_size


class EmbeddedProducer:
    """A record is acknowledged when it is on the disk; the records of one producer keep their order."""

    def __init__(self, log: DurableLog) -> None:
        self._log = log
        self._started = self._stopped = False

    async def start(self) -> None:
        """KafkaConnectionError when the log is not running."""
        if not self._log.running:
            raise KafkaConnectionError(f"the embedded log in {self._log.folder} is not running")
        self._started = True

    async def stop(self) -> None:
        if self._started and not self._stopped and self._log.running:
            await self._log.flush()
        self._stopped = True

    async def send(
        self,
        topic: str,
        value: bytes | None = None,
        key: bytes | None = None,
        partition: int | None = None,
        timestamp_ms: int | None = None,
        headers: Headers | None = None,
    ) -> asyncio.Future[RecordMetadata]:
        if self._stopped:
            raise ProducerClosed
        if not self._started:
            raise IllegalOperation("start the producer first")
        if key is None and value is None:
            raise ValueError("a record needs a key or a value")
        size = record_size(key, value, headers or ())
        if size > RECORD_BYTES:
            raise MessageSizeTooLargeError(f"the record for {topic} has {size} bytes; {RECORD_BYTES} is the most")
        await self._log.room()
        return self._log.append(
            topic, key=key, value=value, headers=headers or (), timestamp_ms=timestamp_ms, partition=partition
        )
