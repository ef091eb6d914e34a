"""Owns which store and which transport the settings choose."""

from __future__ import annotations

from shared.documents.contract import Publish
from shared.documents.mongo import MongoStore
from shared.documents.sqlite import SqliteStore
from shared.messaging.transport import EmbeddedTransport, KafkaTransport
from shared.messaging.transport.contract import Transport
from shared.settings import Settings

__all__ = ["document_store", "open_transport"]


def document_store(settings: Settings, service: str, publish: Publish) -> MongoStore | SqliteStore:
    """A service's documents: a MongoDB database named as it is (``event`` of event_svc), or a file in the data folder."""
    if settings.mongo_url:
        return MongoStore(settings.mongo_url, service.removesuffix("_svc"), publish)
    return SqliteStore(settings.data_dir / f"{service}.db", publish)


def open_transport(settings: Settings) -> Transport:
    """Kafka, or the durable log in the data folder; not started."""
    if settings.transport == "kafka":
        return KafkaTransport(settings.kafka_bootstrap_servers)
    return EmbeddedTransport(settings.data_dir / "log.db")
