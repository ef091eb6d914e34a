"""The messages of a transport that this process has started: Kafka, or the embedded log."""

from __future__ import annotations

from collections.abc import AsyncIterator

from aiokafka.errors import UnknownTopicOrPartitionError

from epic.failure import SOME_FAILED, CommandFailed
from epic.messages import SeenRecord
from shared.envelope import Message
from shared.errors import MessageTooLarge, Unavailable
from shared.messaging.publisher import Publisher, publish_all
from shared.messaging.topic_client import Since, follow_records, request
from shared.messaging.transport import Transport
from shared.schemas.results import CommandResult


class TransportMessages:
    """Reads and writes a started transport. ``where`` names it in error texts."""

    def __init__(self, transport: Transport, where: str) -> None:
        self._transport = transport
        self._where = where

    async def follow(self, topic: str, *, from_beginning: bool, to_end: bool) -> AsyncIterator[SeenRecord]:
        since: Since = "earliest" if from_beginning else "latest"
        try:
            async for record in follow_records(self._transport, topic, since=since, to_end=to_end):
                yield SeenRecord.of(record)
        except UnknownTopicOrPartitionError:
            raise CommandFailed(f"{self._where} has no topic {topic}; `epic topics` lists those of EPIC") from None

    async def produce(self, message: Message) -> None:
        publisher = Publisher(self._transport, message.source)
        try:
            await publish_all(publisher, [message])
        except (Unavailable, MessageTooLarge) as error:
            raise CommandFailed(f"{self._where} did not take the message: {error}", SOME_FAILED) from None
        finally:
            await publisher.stop()

    async def request(self, command: Message, *, patience: float) -> CommandResult:
        try:
            return await request(self._transport, command, patience=patience)
        except Unavailable as error:
            raise CommandFailed(
                f"{error.detail}; its service may be down or behind: see /health/ready. The command is kept and "
                "will be handled, and `epic tail command.results --from-beginning` shows its answer",
                SOME_FAILED,
            ) from None
