"""Owns what a transport is: the clients it hands out, the topics it makes, and the errors it raises."""

from __future__ import annotations

import re
from asyncio import Future
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Protocol

from aiokafka import ConsumerRecord, TopicPartition
from aiokafka.abc import ConsumerRebalanceListener
from aiokafka.structs import RecordMetadata

from shared.errors import EpicError

if TYPE_CHECKING:
    from faststream.kafka import KafkaBroker

__all__ = [
    "BATCH_BYTES",
    "CONSUMER_PATIENCE_MS",
    "RECORD_BYTES",
    "Batch",
    "Consumer",
    "DataFolderInUse",
    "GroupInUse",
    "Headers",
    "Producer",
    "TopicMismatch",
    "TopicSpec",
    "Transport",
    "make_broker",
    "refuse_auto_commit",
]

RECORD_BYTES: Final = 8_388_608
"""The largest record EPIC sends and takes, headers and framing included: what producers, topics and the log hold to.

Whoever reads needs nothing for it: a fetch brings at least one batch of records, however large.
"""
BATCH_BYTES: Final = 131_072
"""How much a producer gathers for one partition before it must go."""
CONSUMER_PATIENCE_MS: Final = 60_000
"""How long a waiting consumer's ``getmany`` stays when there is nothing."""

Headers = Sequence[tuple[str, bytes | None]]

_TOPIC_NAME: Final = re.compile(r"[A-Za-z0-9._-]{1,249}")


class DataFolderInUse(EpicError):
    """Another process (or another log of this one) has the data folder open."""


class GroupInUse(EpicError):
    """Somebody consumes under this group now."""


class TopicMismatch(EpicError):
    """A topic is there already, with another partition count than asked for."""

    def __init__(self, topic: str, *, wanted: int, found: int) -> None:
        super().__init__(
            f"topic {topic} has {found} partitions and {wanted} are asked for: keys would move between partitions; "
            f"make the registry say {found}, or move the records to a new topic"
        )
        self.topic = topic
        self.wanted = wanted
        self.found = found


@dataclass(frozen=True, slots=True)
class TopicSpec:
    """A topic to be there. ``config`` is Kafka's own (``cleanup.policy``, ``retention.ms``, ``min.compaction.lag.ms``).

    ``replication_factor`` -1 leaves it to the broker. ValueError for a name or a count Kafka would refuse.
    """

    name: str
    partitions: int
    config: Mapping[str, str | int] = field(default_factory=dict)
    replication_factor: int = -1

    def __post_init__(self) -> None:
        if not _TOPIC_NAME.fullmatch(self.name) or self.name in (".", ".."):
            raise ValueError(f"{self.name!r} is no topic name: 1 to 249 of letters, digits, '.', '_' and '-'")
        if self.partitions < 1:
            raise ValueError(f"topic {self.name} needs at least one partition, not {self.partitions}")

    def setting(self, name: str, default: int) -> int:
        """A whole number of the config, or the default."""
        return int(self.config.get(name, default))

    @property
    def policies(self) -> frozenset[str]:
        """``compact``, ``delete`` or both; ``delete`` unless said."""
        return frozenset(part.strip() for part in str(self.config.get("cleanup.policy", "delete")).split(","))


class Batch(Protocol):
    """Records for one partition that go together; ``append`` answers None when the batch is full or closed."""

    def append(
        self, *, timestamp: int | None, key: bytes | None, value: bytes | None, headers: Headers = ...
    ) -> Any: ...
    def record_count(self) -> int: ...
    def size(self) -> int: ...
    def close(self) -> None: ...
    def closed(self) -> bool: ...


class Producer(Protocol):
    """aiokafka's producer, as far as EPIC and FastStream use it."""

    async def start(self) -> None: ...
    async def stop(self) -> None: ...
    async def flush(self) -> None: ...
    async def send(
        self, topic: str, value: Any = None, key: Any = None, partition: int | None = None,
        timestamp_ms: int | None = None, headers: Headers | None = None,
    ) -> Future[RecordMetadata]: ...  # fmt: skip
    async def send_and_wait(
        self, topic: str, value: Any = None, key: Any = None, partition: int | None = None,
        timestamp_ms: int | None = None, headers: Headers | None = None,
    ) -> RecordMetadata: ...  # fmt: skip
    def create_batch(self) -> Batch: ...
    async def send_batch(self, batch: Any, topic: str, *, partition: int | None) -> Future[RecordMetadata]: ...
    async def partitions_for(self, topic: str) -> set[int]: ...


class Consumer(Protocol):
    """aiokafka's consumer, as far as EPIC and FastStream use it."""

    def subscribe(
        self, topics: Sequence[str] = (), pattern: str | None = None,
        listener: ConsumerRebalanceListener | None = None,
    ) -> None: ...  # fmt: skip
    def unsubscribe(self) -> None: ...
    def assign(self, partitions: Sequence[TopicPartition]) -> None: ...
    async def start(self) -> None: ...
    async def stop(self) -> None: ...
    async def getone(self, *partitions: TopicPartition) -> ConsumerRecord: ...
    async def getmany(
        self, *partitions: TopicPartition, timeout_ms: float = 0, max_records: int | None = None
    ) -> dict[TopicPartition, list[ConsumerRecord]]: ...
    async def commit(self, offsets: Mapping[TopicPartition, Any] | None = None) -> None: ...
    async def committed(self, partition: TopicPartition) -> int | None: ...
    def seek(self, partition: TopicPartition, offset: int) -> None: ...
    async def seek_to_beginning(self, *partitions: TopicPartition) -> bool: ...
    async def seek_to_end(self, *partitions: TopicPartition) -> bool: ...
    async def position(self, partition: TopicPartition) -> int: ...
    def highwater(self, partition: TopicPartition) -> int | None: ...
    def assignment(self) -> set[TopicPartition]: ...
    def subscription(self) -> frozenset[str]: ...
    async def topics(self) -> set[str]: ...
    def partitions_for_topic(self, topic: str) -> set[int] | None: ...
    async def beginning_offsets(self, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, int]: ...
    async def end_offsets(self, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, int]: ...
    def pause(self, *partitions: TopicPartition) -> None: ...
    def resume(self, *partitions: TopicPartition) -> None: ...
    def paused(self) -> set[TopicPartition]: ...


class Transport(Protocol):
    """Where messages go and come from; Kafka and the embedded log behave alike.

    Clients are handed out not started, and belong to whoever asked for them. Everything runs on one event loop.
    """

    @property
    def name(self) -> str: ...

    async def start(self) -> None:
        """Connect. KafkaConnectionError when the broker is away, DataFolderInUse when another process has the log."""

    async def stop(self) -> None: ...

    async def ping(self, timeout: float) -> None:
        """Ask the broker something and wait ``timeout`` seconds for its answer. KafkaConnectionError if none comes."""

    async def create_topics(self, specs: Sequence[TopicSpec]) -> None:
        """See to it that these topics are there and can be written to; those there already are left as they are,
        but made to take records as large as ``max.message.bytes`` asks for.

        Idempotent, and safe when several processes do it at once. TopicMismatch when a partition count differs.
        """

    def producer(self, *, client_id: str | None = None) -> Producer: ...

    def consumer(
        self, *topics: str, group_id: str | None = None, auto_offset_reset: str = "earliest",
        client_id: str | None = None, **options: Any,
    ) -> Consumer:  # fmt: skip
        """A consumer that commits only when told to, and whose ``getmany`` waits as long as it is told to."""

    def broker(self, client_id: str, **options: Any) -> KafkaBroker:
        """A FastStream broker, not started, whose batch subscribers wait for records instead of polling.

        ``options`` are KafkaBroker's own (middlewares, decoder, …).
        """

    async def end_offsets(self, topic: str) -> dict[TopicPartition, int]:
        """For each partition the offset its next record gets. UnknownTopicOrPartitionError for an unknown topic."""

    async def lag(self, group: str) -> dict[TopicPartition, int]:
        """How many offsets the group is behind, for each partition it ever committed."""

    async def groups(self) -> list[str]:
        """Every consumer group that ever committed."""

    async def rewind(self, group: str, since: int | None) -> dict[TopicPartition, int]:
        """Sets a group that nobody consumes under back to the first record kept, or to the first that was written at
        ``since`` (milliseconds since the epoch, real time) or later; never forward. GroupInUse while it has members.

        The answer: by how many offsets each partition was set back, those that were not left out.
        """


def make_broker(transport: Transport, *, client_id: str, **options: Any) -> KafkaBroker:
    """The transport's FastStream broker, not started; ``options`` are KafkaBroker's own (middlewares, decoder, …)."""
    return transport.broker(client_id, **options)


def refuse_auto_commit(group_id: str | None, *, enable_auto_commit: bool) -> None:
    """ValueError where a group would commit by itself: that is at most once, and loses what was not handled yet."""
    if group_id is not None and enable_auto_commit:
        raise ValueError(
            f"group {group_id} would commit by itself before its records are handled: "
            "give the subscriber an ack_policy other than ACK_FIRST (FastStream's default), or enable_auto_commit=False"
        )
