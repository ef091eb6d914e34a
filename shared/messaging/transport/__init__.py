"""Owns how messages travel: one contract on real Kafka and on the embedded log, behind aiokafka's client interface."""

from shared.messaging.transport.contract import (
    Batch,
    Consumer,
    DataFolderInUse,
    GroupInUse,
    Producer,
    TopicMismatch,
    TopicSpec,
    Transport,
    make_broker,
)
from shared.messaging.transport.embedded import EmbeddedConsumer, EmbeddedProducer, EmbeddedTransport
from shared.messaging.transport.kafka import KafkaTransport
from shared.messaging.transport.log import DurableLog
from shared.messaging.transport.waiting import WaitingConsumer

__all__ = [
    "Batch",
    "Consumer",
    "DataFolderInUse",
    "DurableLog",
    "EmbeddedConsumer",
    "EmbeddedProducer",
    "EmbeddedTransport",
    "GroupInUse",
    "KafkaTransport",
    "Producer",
    "TopicMismatch",
    "TopicSpec",
    "Transport",
    "WaitingConsumer",
    "make_broker",
]
