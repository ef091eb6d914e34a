"""The messages of an EPIC: a topic followed, a message produced, a command sent and answered."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import aclosing, asynccontextmanager, contextmanager
from datetime import UTC, datetime
from typing import Any, Protocol, Self, TypeVar

import orjson
from aiokafka import ConsumerRecord
from aiokafka.errors import KafkaError, UnknownTopicOrPartitionError

from epic.api import Api
from epic.configuration import SILENCE, kafka_servers, url_of
from epic.failure import SOME_FAILED, CommandFailed, Declined, NotEpic
from shared.clock import iso
from shared.envelope import Message, Record, decode, encode_headers
from shared.errors import MessageTooLarge, Poison, Unavailable
from shared.messaging.kafka import KafkaTransport
from shared.messaging.publisher import Publisher, publish_all
from shared.messaging.transport import Transport, follow_records
from shared.schemas.results import CommandResult
from shared.schemas.topics import COMMAND_RESULTS

R = TypeVar("R")


class SeenRecord(Record):
    """A record of a topic, decodable or not."""

    __slots__ = ()

    @classmethod
    def of(cls, record: Record) -> Self:
        headers = tuple(record.headers)
        return cls(record.topic, record.partition, record.offset, record.timestamp, record.key, record.value, headers)

    def wire(self) -> dict[str, Any]:
        """The record as JSON; key and value are base64, so that nothing is lost on the way."""
        return {
            "Topic": self.topic,
            "Partition": self.partition,
            "Offset": self.offset,
            "Timestamp": self.timestamp,
            "Key": _base64(self.key),
            "Value": _base64(self.value),
            "Headers": [[name, _base64(value or b"")] for name, value in self.headers],
        }

    @classmethod
    def read(cls, wire: dict[str, Any]) -> Self:
        headers = tuple((name, base64.b64decode(value)) for name, value in wire["Headers"])
        key, value = _bytes(wire["Key"]), _bytes(wire["Value"])
        return cls(wire["Topic"], wire["Partition"], wire["Offset"], wire["Timestamp"], key, value, headers)

    def message(self) -> Message:
        """The record as a CloudEvent. Poison when it is none."""
        return decode(self)

    def time(self) -> str:
        return iso(datetime.fromtimestamp(self.timestamp / 1000, UTC))


class Messages(Protocol):
    """The messages of one EPIC, over HTTP or over its transport."""

    def follow(self, topic: str, *, from_beginning: bool, to_end: bool) -> AsyncIterator[SeenRecord]:
        """The records of a topic from its beginning or from now, up to the present end or for ever."""

    async def produce(self, message: Message) -> None:
        """Returns when the broker has acknowledged the message."""

    async def request(self, command: Message, *, patience: float) -> CommandResult:
        """Sends a command and returns its answer. CommandFailed when none comes within ``patience`` seconds."""


class HttpMessages:
    """Over the HTTP of the ``epic up`` that has the embedded log."""

    def __init__(self, api: Api) -> None:
        self._api = api

    async def follow(self, topic: str, *, from_beginning: bool, to_end: bool) -> AsyncIterator[SeenRecord]:
        query = {
            "Topic": topic,
            "From": "beginning" if from_beginning else "now",
            "Follow": "false" if to_end else "true",
        }
        with self._explaining_where_messages_are():
            async with self._api.stream("/embedded/tail", query) as lines:
                async for line in lines:
                    if line.strip():
                        yield self._read(line)

    async def produce(self, message: Message) -> None:
        with self._explaining_where_messages_are():
            await self._api.ask("POST", "/embedded/produce", wire_of(message), having={"Id": message.id})

    async def request(self, command: Message, *, patience: float) -> CommandResult:
        body = {**wire_of(command), "AnswerWithin": patience}
        with self._explaining_where_messages_are():
            answer = await self._api.ask(
                "POST", "/embedded/produce", body, answered_within=patience, having={"Id": command.id}
            )
        if isinstance(answer.get("Detail"), str):
            raise CommandFailed(answer["Detail"], SOME_FAILED)
        try:
            return CommandResult.model_validate(answer.get("Answer"))
        except ValueError:
            raise NotEpic(self._api.url, "POST /embedded/produce got no result of a command") from None

    def _read(self, line: bytes) -> SeenRecord:
        try:
            return SeenRecord.read(orjson.loads(line))
        except (KeyError, TypeError, ValueError):
            raise NotEpic(self._api.url, "what it streams are no records") from None

    @contextmanager
    def _explaining_where_messages_are(self) -> Iterator[None]:
        """CommandFailed with the remedy when there is no ``epic up``: the messages of a real stack are on Kafka."""
        try:
            yield
        except Declined as declined:
            if declined.slug != "no-such-path":
                raise
            raise CommandFailed(
                f"{self._api.url} is not an `epic up`, so its messages are on Kafka: "
                "give --bootstrap-servers (EPIC_KAFKA_BOOTSTRAP_SERVERS), such as 127.0.0.1:9094"
            ) from None


class TransportMessages:
    """Over a transport that this process has started: Kafka, or the embedded log. ``where`` names it in error texts."""

    def __init__(self, transport: Transport, where: str) -> None:
        self._transport = transport
        self._where = where

    async def follow(self, topic: str, *, from_beginning: bool, to_end: bool) -> AsyncIterator[SeenRecord]:
        try:
            since = None if from_beginning else await self._transport.end_offsets(topic)
            async with aclosing(follow_records(self._transport, topic, since, to_end=to_end)) as records:
                while (record := await self._next(records)) is not None:
                    yield SeenRecord.of(record)
        except UnknownTopicOrPartitionError:
            raise CommandFailed(f"{self._where} has no topic {topic}; `epic topics` lists those of EPIC") from None

    async def _next(self, records: AsyncGenerator[ConsumerRecord, None]) -> ConsumerRecord | None:
        """The next record, None at the end. KafkaConnectionError when there is none and the broker is away.

        Kafka's client waits for a broker that went away without an end, so the broker is asked after each silence.
        """
        coming = asyncio.ensure_future(next_or_none(records))
        try:
            while not coming.done():
                await asyncio.wait({coming}, timeout=SILENCE)
                if not coming.done():
                    await self._transport.ping(SILENCE)
            return coming.result()
        finally:
            if coming.cancel():
                await asyncio.wait({coming})

    async def produce(self, message: Message) -> None:
        publisher = Publisher(self._transport, message.source, patience=SILENCE)
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


async def next_or_none(records: AsyncIterator[R]) -> R | None:
    """The next record; None at the end."""
    return await anext(records, None)


def _result_of(record: Record, command: Message) -> CommandResult | None:
    """The command's result, when the record is that."""
    try:
        message = decode(record)
        if message.trace.causation_id != command.id:
            return None
        result = CommandResult.model_validate_json(message.data, extra="ignore")
    except (ValueError, Poison):
        return None
    return result if result.source == command.source else None


def wire_of(message: Message) -> dict[str, Any]:
    """A message to be produced, as JSON."""
    return {
        "Topic": message.topic,
        "Key": message.key,
        "Value": _base64(message.data),
        "Headers": [[name, _base64(value)] for name, value in encode_headers(message)],
    }


def _base64(value: bytes | None) -> str | None:
    return None if value is None else base64.b64encode(value).decode()


def _bytes(value: str | None) -> bytes | None:
    return None if value is None else base64.b64decode(value)


@asynccontextmanager
async def open_messages(url: str | None, bootstrap: str | None) -> AsyncIterator[Messages]:
    """The messages of Kafka where its servers are known, else those of the ``epic up`` at this address."""
    servers = kafka_servers(bootstrap)
    if servers is None:
        async with Api(url_of(url)) as api:
            yield HttpMessages(api)
        return
    transport = KafkaTransport(servers, timeout=SILENCE)
    try:
        await transport.start()
    except (KafkaError, OSError) as error:
        raise CommandFailed(
            f"no Kafka answers at {servers} ({error}); give its address by --bootstrap-servers"
        ) from None
    try:
        yield TransportMessages(transport, f"Kafka at {servers}")
    except KafkaError as error:
        raise CommandFailed(f"Kafka at {servers} stopped answering ({error})", SOME_FAILED) from None
    finally:
        await transport.stop()
