"""The transport on Kafka: aiokafka's clients with the settings that EPIC needs."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack
from typing import Final, TypeVar

import structlog
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import (
    CommitFailedError,
    KafkaConnectionError,
    KafkaError,
    LeaderNotAvailableError,
    TopicAlreadyExistsError,
    UnknownTopicOrPartitionError,
    for_code,
)

from shared.messaging.transport import RECORD_BYTES, Consumer, GroupInUse, Producer, TopicMismatch, partition_of
from shared.schemas.topics import Topic

log = structlog.get_logger(__name__)

T = TypeVar("T")

_BATCH_BYTES: Final = 131_072  # eight times aiokafka's default, because the relay sends thousands of records at once
_SETTLING_SECONDS: Final = 30  # a loaded or new cluster needs some seconds to elect the leaders of all topics
_RETRY_SECONDS: Final = 0.1
_REQUEST_SECONDS: Final = 40.0  # aiokafka's own default; longer than a loaded cluster needs to elect a leader
_REBALANCE_MS: Final = 30_000  # for a member that still works on its batch; longer than a handover takes
_LARGEST_RECORD: Final = "max.message.bytes"
_DYNAMIC_TOPIC_CONFIG: Final = 1  # Kafka's number for "set on this topic", since version 1 of DescribeConfigs


class KafkaTransport:
    """Producers are idempotent with acks=all; consumers never commit by themselves."""

    def __init__(
        self, bootstrap_servers: str | Sequence[str], *, client_id: str = "epic", timeout: float = _REQUEST_SECONDS
    ) -> None:
        """``timeout``: seconds in which the broker must take a connection, and answer a request."""
        self.bootstrap_servers = bootstrap_servers if isinstance(bootstrap_servers, str) else list(bootstrap_servers)
        self._client_id = client_id
        self._broker = {"bootstrap_servers": self.bootstrap_servers, "request_timeout_ms": int(timeout * 1000)}
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

    async def create_topics(self, topics: Sequence[Topic]) -> None:
        if topics:
            admin, _ = await self._connected()
            await _create_topics(admin, topics)

    def producer(self, *, client_id: str | None = None) -> Producer:
        producer: Producer = AIOKafkaProducer(
            **self._broker,
            client_id=client_id or self._client_id,
            acks="all",
            enable_idempotence=True,
            max_request_size=RECORD_BYTES,
            max_batch_size=_BATCH_BYTES,
            partitioner=partition_of,
        )
        return producer

    def consumer(self, *topics: str, group_id: str | None = None, client_id: str | None = None) -> Consumer:
        consumer: Consumer = AIOKafkaConsumer(
            *topics,
            **self._broker,
            client_id=client_id or self._client_id,
            group_id=group_id,
            auto_offset_reset="earliest",
            rebalance_timeout_ms=_REBALANCE_MS,
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
            **self._broker,
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
                    admin = AIOKafkaAdminClient(**self._broker, client_id=self._client_id)
                    connection.push_async_callback(admin.close)
                    await admin.start()
                    consumer = AIOKafkaConsumer(**self._broker, client_id=self._client_id)
                    connection.push_async_callback(consumer.stop)
                    await consumer.start()
                    self._clients, self._connection = (admin, consumer), connection.pop_all()
            return self._clients


async def _create_topics(admin: AIOKafkaAdminClient, topics: Sequence[Topic]) -> None:
    wanted = {topic.name: topic for topic in topics}
    response = await admin.create_topics([_new_topic(topic) for topic in wanted.values()])
    existing: list[str] = []
    for failed in response.to_object()["topic_errors"]:
        error = for_code(failed["error_code"])
        if error is TopicAlreadyExistsError:
            existing.append(failed["topic"])
        elif failed["error_code"]:
            raise error(f"topic {failed['topic']}: {failed['error_message']}")
    await _when_ready(lambda: _check_leaders(admin, wanted))
    if existing:
        await _raise_largest_record(admin, {name: _largest_record(wanted[name]) for name in existing})


def _new_topic(topic: Topic) -> NewTopic:
    # The replication factor -1 is the broker's default; Kafka accepts it only beside an empty assignment.
    config = {name: str(value) for name, value in topic.config.items()}
    return NewTopic(topic.name, topic.partitions, -1, {}, config | {_LARGEST_RECORD: str(_largest_record(topic))})


def _largest_record(topic: Topic) -> int:
    return topic.setting(_LARGEST_RECORD, RECORD_BYTES)


async def _check_leaders(admin: AIOKafkaAdminClient, wanted: Mapping[str, Topic]) -> None:
    """LeaderNotAvailableError for a topic that cannot be written to yet, TopicMismatch for another partition count."""
    for described in await admin.describe_topics(list(wanted)):
        topic, partitions = wanted[described["topic"]], described["partitions"]
        if described["error_code"] or not partitions or any(found["leader"] < 0 for found in partitions):
            raise LeaderNotAvailableError(f"topic {topic.name} has partitions without a leader")
        if len(partitions) != topic.partitions:
            raise TopicMismatch(topic.name, wanted=topic.partitions, found=len(partitions))


async def _raise_largest_record(admin: AIOKafkaAdminClient, wanted: Mapping[str, int]) -> None:
    """Let each topic take records of so many bytes; a topic that takes larger ones stays as it is.

    A broker that refuses is no reason not to start: a warning is logged, and records that are too large wait.
    """
    changed: list[ConfigResource] = []
    try:
        for response in await admin.describe_configs(
            [ConfigResource(ConfigResourceType.TOPIC, name) for name in wanted]
        ):
            for code, message, _, name, settings in response.resources:
                _raise_for(code, name, message)
                found = {setting: value for setting, value, *_ in settings}
                if int(found[_LARGEST_RECORD]) < wanted[name]:
                    # AlterConfigs replaces the topic's own settings, so all of them are sent again.
                    own = {
                        setting: value
                        for setting, value, _, source, *_ in settings
                        if (source == _DYNAMIC_TOPIC_CONFIG if response.API_VERSION else not source)
                    }
                    own[_LARGEST_RECORD] = str(wanted[name])
                    changed.append(ConfigResource(ConfigResourceType.TOPIC, name, own))
        if changed:
            for response in await admin.alter_configs(changed):
                for code, message, _, name in response.resources:
                    _raise_for(code, name, message)
            log.info("topics take larger records now", topics=sorted(resource.name for resource in changed))
    except (KafkaError, NotImplementedError) as error:
        hint = "the largest record of the topics could not be raised; set it by hand"
        log.warning(hint, setting=_LARGEST_RECORD, error=repr(error))


def _raise_for(code: int, topic: str, message: str) -> None:
    if code:
        raise for_code(code)(f"topic {topic}: {message}")


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
