"""The log for one machine: topics, partitions and consumer groups in one SQLite file, behind the transport contract."""

from shared.embedded.consumer import EmbeddedConsumer
from shared.embedded.log import DurableLog
from shared.embedded.storage import DataFolderInUse
from shared.embedded.transport import EmbeddedProducer, EmbeddedTransport

__all__ = ["DataFolderInUse", "DurableLog", "EmbeddedConsumer", "EmbeddedProducer", "EmbeddedTransport"]
