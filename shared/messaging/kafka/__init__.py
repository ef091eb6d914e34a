"""Real Kafka behind the transport contract."""

from shared.messaging.kafka.transport import KafkaTransport

__all__ = ["KafkaTransport"]
