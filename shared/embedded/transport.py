"""Owns the transport on the embedded log: everything in this process, nothing but a data folder needed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from aiokafka import TopicPartition
from aiokafka.structs import OffsetAndMetadata

from shared.embedded.consumer import EmbeddedConsumer
from shared.embedded.log import DurableLog
from shared.embedded.partitions import Partition
from shared.embedded.producer import EmbeddedProducer
from shared.messaging.transport import Consumer, GroupInUse, Producer, TopicSpec

__all__ = ["EmbeddedConsumer", "EmbeddedProducer", "EmbeddedTransport"]


class EmbeddedTransport:
    """Several transports may stand on one log: it opens with the first ``start`` and closes with the last ``stop``."""

    name = "embedded"

    def __init__(self, log: DurableLog | Path | str) -> None:
        """``log`` may also be the data folder to keep one in."""
        self._log = log if isinstance(log, DurableLog) else DurableLog(log)
        self._started = False

    async def start(self) -> None:
        """DataFolderInUse when another process has the log's folder."""
        if not self._started:
            await self._log.start()
            self._started = True

    async def stop(self) -> None:
        if self._started:
            self._started = False
            await self._log.stop()

    async def ping(self, timeout: float) -> None:
        """A round trip through the writing thread. KafkaConnectionError when it does not answer in time."""
        await self._log.ping(timeout)

    async def create_topics(self, specs: Sequence[TopicSpec]) -> None:
        await self._log.create_topics(specs)

    def producer(self, *, client_id: str | None = None) -> Producer:
        return EmbeddedProducer(self._log, client_id=client_id)

    def consumer(
        self,
        *topics: str,
        group_id: str | None = None,
        auto_offset_reset: str = "earliest",
        client_id: str | None = None,
        rebalance_timeout_ms: int | None = None,
        patience_ms: int = 0,
    ) -> Consumer:
        return EmbeddedConsumer(
            *topics,
            log=self._log,
            group_id=group_id,
            auto_offset_reset=auto_offset_reset,
            client_id=client_id,
            patience_ms=patience_ms,
        )

    async def end_offsets(self, topic: str) -> dict[TopicPartition, int]:
        return {partition.name: partition.end for partition in self._log.partitions(topic)}

    async def lag(self, group: str) -> dict[TopicPartition, int]:
        return {
            name: max(0, self._log.partition(name).end - noted.offset)
            for name, noted in self._log.committed(group).items()
        }

    async def groups(self) -> list[str]:
        return self._log.committing()

    async def rewind(self, group: str, since: int | None) -> dict[TopicPartition, int]:
        if self._log.group(group).in_use:
            raise GroupInUse(f"somebody consumes under {group} now")
        back: dict[TopicPartition, int] = {}
        for name, noted in self._log.committed(group).items():
            partition = self._log.partition(name)
            first = partition.start if since is None else await self._first_since(partition, since)
            if first < noted.offset:
                await self._log.commit(group, {name: OffsetAndMetadata(first, "")})
                back[name] = noted.offset - first
        return back

    async def _first_since(self, partition: Partition, since: int) -> int:
        """The offset of the first record written at ``since`` (milliseconds) or later; the end when there is none."""
        offset = partition.start
        while offset < partition.end:
            fetched = (await self._log.fetch([(partition, offset)]))[partition.name]
            for record in fetched.records:
                if record.timestamp >= since:
                    return int(record.offset)
            offset = fetched.next_offset
        return partition.end
