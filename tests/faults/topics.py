"""What was published: every record of every topic, read from where the last reading ended."""

from __future__ import annotations

import asyncio
import hashlib
import json
import tempfile
from pathlib import Path
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from epic.runner import builds
from epic.serving import open_transport
from shared.clock import RunningClock
from shared.schemas.topics import COMMAND_RESULTS, TOPICS
from shared.settings import Settings
from tests.faults.picture import PublishedRecord

_READING_SECONDS: Final = 300


async def groups_of_epic() -> dict[str, tuple[str, ...]]:
    """Every consumer group of the five services with its topics, as the services themselves declare them."""
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(data_dir=Path(folder))
        services = [await build(settings, open_transport(settings), RunningClock()) for build in builds().values()]
    return {
        consumer.subscription.group: tuple(consumer.subscription.topics)
        for service in services
        for consumer in service.consumers
    }


def published_record(record: Any) -> PublishedRecord:
    """A record as a picture keeps it."""
    headers = {name: (value or b"").decode(errors="replace") for name, value in record.headers}
    value = record.value or b""
    return PublishedRecord(
        record.topic,
        record.partition,
        record.offset,
        (record.key or b"").decode(errors="replace"),
        headers.get("ce_id", ""),
        headers.get("ce_type", ""),
        headers.get("ce_source", ""),
        hashlib.blake2b(value, digest_size=12).hexdigest(),
        _object(value) if record.topic == COMMAND_RESULTS else None,
    )


def _object(value: bytes) -> dict[str, Any] | None:
    try:
        found = json.loads(value)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


class Topics:
    """All topics of one broker, by one consumer that reads only when it is asked to; what was read once is kept.

    After an outage the clients are made anew, and go on where they were.
    """

    def __init__(self, bootstrap: str) -> None:
        self._bootstrap = bootstrap
        self._places: dict[TopicPartition, int] = {}
        self._consumer: AIOKafkaConsumer | None = None
        self._admin: AIOKafkaAdminClient | None = None
        self.published: list[PublishedRecord] = []

    async def stop(self) -> None:
        consumer, self._consumer = self._consumer, None
        admin, self._admin = self._admin, None
        if consumer is not None:
            await consumer.stop()
        if admin is not None:
            await admin.close()

    async def read(self) -> list[PublishedRecord]:
        """Everything up to the present end of every topic."""
        async with asyncio.timeout(_READING_SECONDS):
            consumer, _ = await self._connected()
            ends = await consumer.end_offsets(_PARTITIONS)
            behind = {at: end for at, end in ends.items() if end > self._places.get(at, 0)}
            consumer.resume(*behind)
            for at in behind:
                consumer.seek(at, self._places.get(at, 0))
            while behind:
                for at, records in (await consumer.getmany(timeout_ms=100)).items():
                    self.published += [published_record(record) for record in records]
                    self._places[at] = records[-1].offset + 1
                done = [at for at, end in behind.items() if self._places.get(at, 0) >= end]
                for at in done:
                    del behind[at]
                consumer.pause(*done)
        return self.published

    async def behind(self, groups: dict[str, tuple[str, ...]]) -> tuple[dict[TopicPartition, int], dict[str, int]]:
        """The end of every partition, and by group how many records it has not committed yet."""
        try:
            consumer, admin = await self._connected()
            ends = await consumer.end_offsets(_PARTITIONS)
            lags = {}
            for group, topics in groups.items():
                found = await admin.list_consumer_group_offsets(group, group_coordinator_id=_ONLY_NODE)
                committed = {at: max(meta.offset, 0) for at, meta in found.items()}
                lags[group] = sum(end - committed.get(at, 0) for at, end in ends.items() if at.topic in topics)
        except (KafkaError, OSError) as error:
            await self.stop()
            return {}, {f"the broker: {error!r}"[:200]: 1}
        return ends, lags

    async def _connected(self) -> tuple[AIOKafkaConsumer, AIOKafkaAdminClient]:
        if self._consumer is None or self._admin is None:
            await self.stop()
            self._admin = admin = AIOKafkaAdminClient(bootstrap_servers=self._bootstrap)
            await admin.start()
            self._consumer = consumer = AIOKafkaConsumer(
                bootstrap_servers=self._bootstrap,
                enable_auto_commit=False,
                auto_offset_reset="earliest",
                fetch_max_wait_ms=50,
            )
            await consumer.start()
            consumer.assign(_PARTITIONS)
            consumer.pause(*_PARTITIONS)
        return self._consumer, self._admin


_PARTITIONS: Final = [TopicPartition(topic.name, n) for topic in TOPICS.values() for n in range(topic.partitions)]
_ONLY_NODE: Final = 1
