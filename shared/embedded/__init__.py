"""The log for one machine: topics, partitions and consumer groups on SQLite, behind aiokafka's client interface."""

from shared.embedded.consumer import EmbeddedConsumer
from shared.embedded.log import DurableLog
from shared.embedded.producer import EmbeddedProducer
from shared.embedded.transport import EmbeddedTransport

__all__ = ["DurableLog", "EmbeddedConsumer", "EmbeddedProducer", "EmbeddedTransport"]
