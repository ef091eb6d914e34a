"""The messages of a transport that this process has started: Kafka, or the embedded log."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing

from aiokafka import ConsumerRecord
from aiokafka.errors import UnknownTopicOrPartitionError

from epic.failure import SOME_FAILED, CommandFailed
from epic.messages import SeenRecord
from shared.envelope import Message, decode
from shared.errors import MessageTooLarge, Poison, Unavailable
from shared.messaging.publisher import Publisher, publish_all
from shared.messaging.topic_client import follow_records
from shared.messaging.transport import Transport
from shared.schemas.results import CommandResult
from shared.schemas.topics import COMMAND_RESULTS


class TransportMessages:
    """Reads and writes a started transport. ``where`` names it in error texts."""

    def __init__(self, transport: Transport, where: str) -> None:
        self._transport = transport
        self._where = where

    async def follow(self, topic: str, *, from_beginning: bool, to_end: bool) -> AsyncIterator[SeenRecord]:
        try:
            since = None if from_beginning else await self._transport.end_offsets(topic)
            async for record in follow_records(self._transport, topic, since, to_end=to_end):
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

    async def request(
        self, command: Message, *, patience: float, results_topic: str = COMMAND_RESULTS
    ) -> CommandResult:
        """Sends a command and returns its result. Sending it again with the same id is safe, and has the same result.

        CommandFailed when there is no result after ``patience`` seconds.
        """
        publisher = Publisher(self._transport, command.source)
        try:
            async with asyncio.timeout(patience):
                since = await self._transport.end_offsets(results_topic)
                await publish_all(publisher, [command])
                async with aclosing(follow_records(self._transport, results_topic, since)) as records:
                    async for record in records:
                        if (result := _result_of(record, command)) is not None:
                            return result
            raise AssertionError("the records of a topic that is followed do not end")
        except (TimeoutError, Unavailable) as error:
            reason = str(error) or f"{command.type} {command.id} was not answered within {patience:.0f} s"
            raise CommandFailed(
                f"{reason}; its service may be down or behind: see /health/ready. The command is kept and "
                "will be handled, and `epic tail command.results --from-beginning` shows its answer",
                SOME_FAILED,
            ) from None
        finally:
            await publisher.stop()


def _result_of(record: ConsumerRecord, command: Message) -> CommandResult | None:
    """The command's result, when the record is that."""
    try:
        message = decode(record)
        if message.trace.causation_id != command.id:
            return None
        result = CommandResult.model_validate_json(message.data, extra="ignore")
    except (ValueError, Poison):
        return None
    return result if result.source == command.source else None
