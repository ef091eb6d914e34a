"""Owns the transport on real Kafka: aiokafka's own clients with the settings EPIC needs."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any, Final, TypeVar

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import (
    CommitFailedError,
    KafkaConnectionError,
    KafkaError,
    KafkaTimeoutError,
    TopicAlreadyExistsError,
    UnknownTopicOrPartitionError,
    for_code,
)

from shared.embedded.partitioning import partition_of
from shared.messaging.kafka.topic_settings import LARGEST, raise_largest_record
from shared.messaging.transport import (
    BATCH_BYTES,
    RECORD_BYTES,
    Consumer,
    GroupInUse,
    Producer,
    TopicMismatch,
    TopicSpec,
)
from shared.messaging.waiting import WaitingConsumer

if TYPE_CHECKING:
    from faststream.kafka import KafkaBroker

__all__ = ["KafkaTransport", "WaitingConsumer"]

T = TypeVar("T")

_SETTLING_SECONDS: Final = 30
_RETRY_SECONDS: Final = 0.1


class KafkaTransport:
    """Producers are idempotent with acks=all; consumers commit only when told to."""

    name = "kafka"

    def __init__(self, bootstrap_servers: str | Sequence[str], *, client_id: str = "epic") -> None:
        self.bootstrap_servers = bootstrap_servers if isinstance(bootstrap_servers, str) else list(bootstrap_servers)
        self._client_id = client_id
        self._admin: AIOKafkaAdminClient | None = None
        self._asking: AIOKafkaConsumer | None = None
        self._first = asyncio.Lock()

    async def start(self) -> None:
        """KafkaConnectionError when no broker answers."""
        await self._connected()

    async def stop(self) -> None:
        asking, self._asking = self._asking, None
        admin, self._admin = self._admin, None
        if asking is not None:
            await asking.stop()
        if admin is not None:
            await admin.close()

    async def ping(self, timeout: float) -> None:
        """A metadata round trip. KafkaConnectionError when no broker answers in time."""
        try:
            async with asyncio.timeout(timeout):
                admin = await self._connected()
                await admin.describe_cluster()
        except (TimeoutError, KafkaError, OSError) as error:
            raise KafkaConnectionError(
                f"Kafka at {self.bootstrap_servers} does not answer: {error or f'nothing in {timeout:g} s'}"
            ) from error

    async def create_topics(self, specs: Sequence[TopicSpec]) -> None:
        """See to it that these topics are there, each partition with a leader; TopicMismatch when a count differs.

        One that is there already is left as it is, but for the size of its records, which may be raised.
        """
        wanted = {spec.name: spec for spec in specs}
        if not wanted:
            return
        admin = await self._connected()
        response = await admin.create_topics([_new_topic(spec) for spec in wanted.values()])
        there: dict[str, int] = {}
        for failed in response.to_object()["topic_errors"]:
            error = for_code(failed["error_code"])
            if error is TopicAlreadyExistsError:
                there[failed["topic"]] = wanted[failed["topic"]].setting(LARGEST, 0)
            elif failed["error_code"]:
                raise error(f"topic {failed['topic']}: {failed['error_message']}")
        deadline = asyncio.get_running_loop().time() + _SETTLING_SECONDS
        while missing := await self._not_ready(wanted):
            if asyncio.get_running_loop().time() > deadline:
                raise KafkaTimeoutError(f"topics without a leader after {_SETTLING_SECONDS} s: {', '.join(missing)}")
            await asyncio.sleep(_RETRY_SECONDS)
        await raise_largest_record(admin, {name: size for name, size in there.items() if size})

    def producer(self, *, client_id: str | None = None) -> Producer:
        producer: Producer = AIOKafkaProducer(
            bootstrap_servers=self.bootstrap_servers,
            client_id=client_id or self._client_id,
            acks="all",
            enable_idempotence=True,
            max_request_size=RECORD_BYTES,
            max_batch_size=BATCH_BYTES,
            partitioner=partition_of,
        )
        return producer

    def consumer(
        self,
        *topics: str,
        group_id: str | None = None,
        auto_offset_reset: str = "earliest",
        client_id: str | None = None,
        **options: Any,
    ) -> Consumer:
        consumer: Consumer = WaitingConsumer(
            *topics,
            bootstrap_servers=self.bootstrap_servers,
            client_id=client_id or self._client_id,
            group_id=group_id,
            auto_offset_reset=auto_offset_reset,
            **{"patience_ms": 0, **options},
        )
        return consumer

    def broker(self, client_id: str, **options: Any) -> KafkaBroker:
        from shared.messaging.broker import WaitingBroker

        return WaitingBroker(self.bootstrap_servers, client_id=client_id, **options)

    async def end_offsets(self, topic: str) -> dict[TopicPartition, int]:
        admin = await self._connected()
        (described,) = await admin.describe_topics([topic])
        if described["error_code"]:
            raise UnknownTopicOrPartitionError(f"there is no topic {topic}")
        return await self._ends(TopicPartition(topic, found["partition"]) for found in described["partitions"])

    async def lag(self, group: str) -> dict[TopicPartition, int]:
        admin = await self._connected()
        committed = await _when_ready(lambda: admin.list_consumer_group_offsets(group))
        noted = {name: said.offset for name, said in committed.items() if said.offset >= 0}
        ends = await self._ends(noted)
        return {name: max(0, ends[name] - offset) for name, offset in noted.items()}

    async def groups(self) -> list[str]:
        admin = await self._connected()
        return sorted(name for name, _ in await _when_ready(admin.list_consumer_groups))

    async def rewind(self, group: str, since: int | None) -> dict[TopicPartition, int]:
        admin = await self._connected()
        said = await _when_ready(lambda: admin.list_consumer_group_offsets(group))
        committed = {name: noted.offset for name, noted in said.items() if noted.offset >= 0}
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self.bootstrap_servers, client_id=self._client_id, group_id=group,
            enable_auto_commit=False,
        )  # fmt: skip
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
            raise GroupInUse(f"somebody consumes under {group} now") from error
        finally:
            await consumer.stop()
        return back

    async def _connected(self) -> AIOKafkaAdminClient:
        async with self._first:
            if self._admin is None:
                admin = AIOKafkaAdminClient(bootstrap_servers=self.bootstrap_servers, client_id=self._client_id)
                try:
                    await admin.start()
                except BaseException:
                    await admin.close()
                    raise
                self._admin = admin
            return self._admin

    async def _ends(self, partitions: Any) -> dict[TopicPartition, int]:
        names = list(partitions)
        if not names:
            return {}
        async with self._first:
            if self._asking is None:
                asking = AIOKafkaConsumer(bootstrap_servers=self.bootstrap_servers, client_id=self._client_id)
                try:
                    await asking.start()
                except BaseException:
                    await asking.stop()
                    raise
                self._asking = asking
        ends: dict[TopicPartition, int] = await self._asking.end_offsets(names)
        return ends

    async def _not_ready(self, wanted: dict[str, TopicSpec]) -> list[str]:
        """The topics that cannot be written to yet."""
        admin = await self._connected()
        waiting = []
        for described in await admin.describe_topics(list(wanted)):
            spec, partitions = wanted[described["topic"]], described["partitions"]
            if described["error_code"] or not partitions or any(found["leader"] < 0 for found in partitions):
                waiting.append(spec.name)
            elif len(partitions) != spec.partitions:
                raise TopicMismatch(spec.name, wanted=spec.partitions, found=len(partitions))
        return waiting


def _new_topic(spec: TopicSpec) -> NewTopic:
    # replication_factor -1 (the broker's own default) is only accepted beside an, empty, assignment
    assignments: dict[int, list[int]] | None = {} if spec.replication_factor == -1 else None
    config = {name: str(value) for name, value in spec.config.items()}
    return NewTopic(spec.name, spec.partitions, spec.replication_factor, assignments, config)


async def _when_ready(ask: Callable[[], Awaitable[T]]) -> T:
    """Ask again while the broker is still getting ready: a new cluster first makes the topic of committed offsets."""
    deadline = asyncio.get_running_loop().time() + _SETTLING_SECONDS
    while True:
        try:
            return await ask()
        except KafkaError as error:
            if not error.retriable or asyncio.get_running_loop().time() > deadline:
                raise
        await asyncio.sleep(_RETRY_SECONDS)
