"""The transport on Kafka: aiokafka's clients with the settings that EPIC needs."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import AsyncExitStack
from typing import Final, TypeVar

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import (
    CommitFailedError,
    KafkaConnectionError,
    KafkaError,
    UnknownTopicOrPartitionError,
)

from shared.messaging.kafka.topic_creation import create_topics
from shared.messaging.transport import RECORD_BYTES, Consumer, GroupInUse, Producer, TopicSpec, partition_of

T = TypeVar("T")

_BATCH_BYTES: Final = 131_072  # eight times aiokafka's default, because the relay sends thousands of records at once
_SETTLING_SECONDS: Final = 30  # a new cluster needs some seconds to create its topic of committed offsets
_RETRY_SECONDS: Final = 0.1


class KafkaTransport:
    """Producers are idempotent with acks=all; consumers never commit by themselves."""

    def __init__(self, bootstrap_servers: str | Sequence[str], *, client_id: str = "epic") -> None:
        self.bootstrap_servers = bootstrap_servers if isinstance(bootstrap_servers, str) else list(bootstrap_servers)
        self._client_id = client_id
        self._clients: tuple[AIOKafkaAdminClient, AIOKafkaConsumer] | None = None
        self._connecting = asyncio.Lock()
        self._connection = AsyncExitStack()

    async def start(self) -> None:
        await self._connected()

    async def stop(self) -> None:
        self._clients = None
        await self._connection.aclose()

    async def ping(self, timeout: float) -> None:
        try:
            async with asyncio.timeout(timeout):
                admin, _ = await self._connected()
                await admin.describe_cluster()
        except (TimeoutError, KafkaError, OSError) as error:
            raise KafkaConnectionError(
                f"Kafka at {self.bootstrap_servers} does not answer: {error or f'nothing in {timeout:g} s'}"
            ) from error

    async def create_topics(self, specs: Sequence[TopicSpec]) -> None:
        if specs:
            admin, _ = await self._connected()
            await create_topics(admin, specs)

    def producer(self, *, client_id: str | None = None) -> Producer:
        producer: Producer = AIOKafkaProducer(
            bootstrap_servers=self.bootstrap_servers,
            client_id=client_id or self._client_id,
            acks="all",
            enable_idempotence=True,
            max_request_size=RECORD_BYTES,
            max_batch_size=_BATCH_BYTES,
            partitioner=partition_of,
        )
        return producer

    def consumer(
        self,
        *topics: str,
        group_id: str | None = None,
        auto_offset_reset: str = "earliest",
        client_id: str | None = None,
        rebalance_timeout_ms: int | None = None,
    ) -> Consumer:
        consumer: Consumer = AIOKafkaConsumer(
            *topics,
            bootstrap_servers=self.bootstrap_servers,
            client_id=client_id or self._client_id,
            group_id=group_id,
            auto_offset_reset=auto_offset_reset,
            rebalance_timeout_ms=rebalance_timeout_ms,
            enable_auto_commit=False,
            isolation_level="read_committed",  # records of aborted transactions are not shown
        )
        return consumer

    async def end_offsets(self, topic: str) -> dict[TopicPartition, int]:
        admin, _ = await self._connected()
        (described,) = await admin.describe_topics([topic])
        if described["error_code"]:
            raise UnknownTopicOrPartitionError(f"there is no topic {topic}")
        return await self._ends(TopicPartition(topic, found["partition"]) for found in described["partitions"])

    async def lag(self, group: str) -> dict[TopicPartition, int]:
        committed = await self._committed(group)
        ends = await self._ends(committed)
        return {name: max(0, ends[name] - offset) for name, offset in committed.items()}

    async def groups(self) -> list[str]:
        admin, _ = await self._connected()
        return sorted(name for name, _ in await _when_ready(admin.list_consumer_groups))

    async def rewind(self, group: str, since: int | None) -> dict[TopicPartition, int]:
        committed = await self._committed(group)
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self.bootstrap_servers,
            client_id=self._client_id,
            group_id=group,
            enable_auto_commit=False,
        )
        await consumer.start()
        try:
            consumer.assign(list(committed))
            first = await consumer.beginning_offsets(list(committed))
            if since is not None:
                found = await consumer.offsets_for_times(dict.fromkeys(committed, since))
                first = {name: committed[name] if at is None else at.offset for name, at in found.items()}
            back = {name: offset - first[name] for name, offset in committed.items() if first[name] < offset}
            if back:
                await consumer.commit({name: first[name] for name in back})
        except CommitFailedError as error:
            raise GroupInUse(f"group {group} has members") from error
        finally:
            await consumer.stop()
        return back

    async def _committed(self, group: str) -> dict[TopicPartition, int]:
        admin, _ = await self._connected()
        found = await _when_ready(lambda: admin.list_consumer_group_offsets(group))
        return {name: committed.offset for name, committed in found.items() if committed.offset >= 0}

    async def _ends(self, partitions: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        names = list(partitions)
        _, consumer = await self._connected()
        ends: dict[TopicPartition, int] = await consumer.end_offsets(names) if names else {}
        return ends

    async def _connected(self) -> tuple[AIOKafkaAdminClient, AIOKafkaConsumer]:
        """The clients that ask about topics and groups; the admin client cannot ask for the ends of partitions."""
        async with self._connecting:
            if self._clients is None:
                async with AsyncExitStack() as connection:
                    admin = AIOKafkaAdminClient(bootstrap_servers=self.bootstrap_servers, client_id=self._client_id)
                    connection.push_async_callback(admin.close)
                    await admin.start()
                    consumer = AIOKafkaConsumer(bootstrap_servers=self.bootstrap_servers, client_id=self._client_id)
                    connection.push_async_callback(consumer.stop)
                    await consumer.start()
                    self._clients, self._connection = (admin, consumer), connection.pop_all()
            return self._clients


async def _when_ready(ask: Callable[[], Awaitable[T]]) -> T:
    """Ask again while the broker is still starting."""
    deadline = asyncio.get_running_loop().time() + _SETTLING_SECONDS
    while True:
        try:
            return await ask()
        except KafkaError as error:
            if not error.retriable or asyncio.get_running_loop().time() > deadline:
                raise
        await asyncio.sleep(_RETRY_SECONDS)
