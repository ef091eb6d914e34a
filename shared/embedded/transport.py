"""The transport on the embedded log and its producer: all in this process, and nothing needed but a data folder."""

from __future__ import annotations

import asyncio

from aiokafka import TopicPartition
from aiokafka.errors import KafkaConnectionError, MessageSizeTooLargeError, ProducerClosed
from aiokafka.structs import RecordMetadata

from shared.embedded.consumer import EmbeddedConsumer
from shared.embedded.log import DurableLog
from shared.messaging.transport import RECORD_BYTES, Consumer, GroupInUse, Headers, Producer, record_size


class EmbeddedProducer:
    """A record is acknowledged when it is on the disk; the records of one producer keep their order."""

    def __init__(self, log: DurableLog) -> None:
        self._log = log
        self._running = False

    async def start(self) -> None:
        self._running = True

    async def stop(self) -> None:
        if self._running and self._log.running:
            await self._log.flush()
        self._running = False

    async def send(
        self,
        topic: str,
        value: bytes | None = None,
        key: bytes | None = None,
        partition: int | None = None,
        timestamp_ms: int | None = None,
        headers: Headers | None = None,
    ) -> asyncio.Future[RecordMetadata]:
        if not self._running:
            raise ProducerClosed
        if key is None and value is None:
            raise ValueError("a record needs a key or a value")
        size = record_size(key, value, list(headers or ()))
        if size > RECORD_BYTES:
            raise MessageSizeTooLargeError(f"the record for {topic} has {size} bytes; {RECORD_BYTES} is the most")
        await self._log.room.wait()
        return self._log.append(
            topic, key=key, value=value, headers=headers or (), timestamp_ms=timestamp_ms, partition=partition
        )


class EmbeddedTransport(DurableLog):
    """The log as a transport."""

    async def ping(self, timeout: float) -> None:
        try:
            async with asyncio.timeout(timeout):
                await self.flush()
        except TimeoutError:
            raise KafkaConnectionError(f"{self.folder} did not answer in {timeout:g} s") from None

    def producer(self, *, client_id: str | None = None) -> Producer:
        return EmbeddedProducer(self)

    def consumer(self, *topics: str, group_id: str | None = None, client_id: str | None = None) -> Consumer:
        return EmbeddedConsumer(*topics, log=self, group_id=group_id, client_id=client_id)

    async def end_offsets(self, topic: str) -> dict[TopicPartition, int]:
        return {partition.name: partition.end for partition in self.partitions(topic)}

    async def lag(self, group: str) -> dict[TopicPartition, int]:
        committed = self.committed(group)
        return {name: max(0, self.partition(name).end - offset) for name, offset in committed.items()}

    async def groups(self) -> list[str]:
        return sorted(group for group, offsets in self._commits.items() if offsets)

    async def rewind(self, group: str, since: int | None) -> dict[TopicPartition, int]:
        if self.group(group).members:
            raise GroupInUse(f"group {group} has members")
        back: dict[TopicPartition, int] = {}
        for name, offset in tuple(self.committed(group).items()):
            partition = self.partition(name)
            first = partition.start if since is None else self.first_since(partition, since)
            if first < offset:
                await self.commit(group, {name: first})
                back[name] = offset - first
        return back
