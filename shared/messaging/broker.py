"""Owns the FastStream brokers of both transports: batch subscribers that wait for records, topics made elsewhere.

Imported only when a broker is asked for: FastStream takes a second to import, and tools that read or send need none.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final, cast

from aiokafka.errors import KafkaError
from faststream.kafka import KafkaBroker
from faststream.kafka.helpers.admin import AdminService, CreateResult
from faststream.kafka.schemas import Topic

from shared.embedded.consumer import EmbeddedConsumer
from shared.embedded.log import DurableLog
from shared.embedded.producer import EmbeddedProducer
from shared.messaging.transport import BATCH_BYTES, CONSUMER_PATIENCE_MS, RECORD_BYTES
from shared.messaging.waiting import WaitingConsumer

__all__ = ["EmbeddedBroker", "WaitingBroker"]

_DEFAULTS: Final[dict[str, Any]] = {
    "logger": logging.getLogger("epic.faststream"),
    "log_level": logging.DEBUG,
    "max_request_size": RECORD_BYTES,
    "max_batch_size": BATCH_BYTES,
}


class _TopicsMadeElsewhere(AdminService):
    """Subscribers make no topics: the registry says how many partitions they have, and the transport makes them."""

    async def create_topics(self, topics: list[Topic]) -> list[CreateResult]:
        return []


class _NoAdmin(_TopicsMadeElsewhere):
    async def connect(self, **connection_kwargs: Any) -> None:
        return None


class WaitingBroker(KafkaBroker):
    """FastStream's Kafka broker with an idempotent producer and consumers whose ``getmany`` waits."""

    def __init__(self, bootstrap_servers: str | Sequence[str], *, client_id: str, **options: Any) -> None:
        settings = {**_DEFAULTS, "acks": "all", "enable_idempotence": True, **options}
        super().__init__(bootstrap_servers, client_id=client_id, **settings)
        self.config.broker_config.admin = _TopicsMadeElsewhere()

    async def _connect(self) -> Callable[..., Any]:
        plain = cast("partial[Any]", await super()._connect())
        builder = partial(WaitingConsumer, patience_ms=CONSUMER_PATIENCE_MS, **plain.keywords)
        self.config.broker_config.builder = builder
        return builder


class EmbeddedBroker(KafkaBroker):
    """FastStream's Kafka broker whose producer and consumers are the embedded log's: no network at all."""

    def __init__(self, log: DurableLog, *, client_id: str, **options: Any) -> None:
        super().__init__("embedded", client_id=client_id, **{**_DEFAULTS, **options})
        self._log = log
        self.config.broker_config.admin = _NoAdmin()

    async def _connect(self) -> Callable[..., Any]:
        config = self.config.broker_config
        producer = EmbeddedProducer(
            self._log,
            client_id=config.client_id,
            max_request_size=self._connection_kwargs["max_request_size"],
            max_batch_size=self._connection_kwargs["max_batch_size"],
        )
        serializer = config.fd_config._serializer  # noqa: SLF001 FastStream's own connect hands it over like this
        await config.producer.connect(producer, serializer=serializer, codec=config.broker_codec)
        config.builder = partial(EmbeddedConsumer, log=self._log, patience_ms=CONSUMER_PATIENCE_MS)
        return config.builder

    async def ping(self, timeout: float | None) -> bool:
        try:
            await self._log.ping(timeout)
        except KafkaError:
            return False
        return True
