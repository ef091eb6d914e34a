"""Owns which transport the settings choose."""

from __future__ import annotations

from shared.embedded import DurableLog, EmbeddedTransport
from shared.messaging.kafka import KafkaTransport
from shared.messaging.transport import Transport
from shared.settings import Settings

__all__ = ["open_transport"]


def open_transport(settings: Settings) -> Transport:
    """Kafka, or the durable log in the data folder; not started."""
    if settings.transport == "kafka":
        return KafkaTransport(settings.kafka_bootstrap_servers or "")
    return EmbeddedTransport(DurableLog(settings.data_dir))
