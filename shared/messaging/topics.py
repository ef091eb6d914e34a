"""Owns how the registry's topics come to be on a transport."""

from __future__ import annotations

from collections.abc import Iterable

from shared.messaging.transport import RECORD_BYTES, TopicSpec, Transport
from shared.schemas.topics import TOPICS, Topic

__all__ = ["ensure_topics", "specs"]


def specs(topics: Iterable[Topic]) -> list[TopicSpec]:
    """What the transport is asked for: the registry's topics, each taking the largest record that EPIC sends."""
    size = {"max.message.bytes": str(RECORD_BYTES)}
    return [TopicSpec(topic.name, topic.partitions, {**topic.config, **size}) for topic in topics]


async def ensure_topics(transport: Transport, service: str | None = None) -> None:
    """Sees to it that every topic a service owns, produces or consumes is there; all of the registry without one.

    Idempotent. A service makes what it consumes as well, so that services may start in any order.
    """
    await transport.create_topics(
        specs(
            topic
            for topic in TOPICS.values()
            if service is None or service == topic.owner or service in topic.producers or service in topic.consumers
        )
    )
