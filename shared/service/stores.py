"""Owns which store and which transport the settings choose; what is not chosen is not even imported."""

from __future__ import annotations

from shared.documents.contract import Publish, Store
from shared.messaging.transport import DurableLog, EmbeddedTransport, KafkaTransport, Transport
from shared.settings import Settings

__all__ = ["document_store", "open_transport"]


def document_store(settings: Settings, service: str, publish: Publish) -> Store:
    """A service's documents: the MongoDB database named as it is (``event`` of event_svc), or a file of its own."""
    if settings.mongo_url:
        from shared.documents.mongo import MongoStore

        return MongoStore(settings.mongo_url, service.removesuffix("_svc"), publish, source=service)
    from shared.documents.sqlite import SqliteStore

    settings.data_dir.mkdir(parents=True, exist_ok=True)
    return SqliteStore(settings.data_dir / f"{service}.db", publish, source=service)


def open_transport(settings: Settings) -> Transport:
    """Kafka, or the durable log in the data folder; not started."""
    if settings.transport == "kafka":
        return KafkaTransport(settings.kafka_bootstrap_servers or "")
    return EmbeddedTransport(DurableLog(settings.data_dir))
