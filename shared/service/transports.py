"""Owns which transport the settings choose."""

from __future__ import annotations

from shared.messaging.transport import DurableLog, EmbeddedTransport, KafkaTransport, Transport
from shared.settings import Settings

__all__ = ["open_transport"]


def open_transport(settings: Settings) -> Transport:
    """Kafka, or the durable log in the data folder; not started."""
    if settings.transport == "kafka":
        return KafkaTransport(settings.kafka_bootstrap_servers or "")
    return EmbeddedTransport(DurableLog(settings.data_dir))
