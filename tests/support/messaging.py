"""The doubles of the messaging tests: a broker in memory that can be away, records, a store of dead letters."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, cast

import orjson
from aiokafka import ConsumerRecord
from aiokafka.errors import KafkaConnectionError, KafkaError

from shared.envelope import Message, decode, encode_headers
from shared.messaging.transport import Transport
from shared.schemas.base import CommandBody, Id, PositiveCount, WireModel
from shared.schemas.results import CommandResult, DeadLetter
from shared.schemas.topics import MessageType, Topic
from shared.trace import Trace

NOW = datetime(2024, 6, 15, 9, tzinfo=UTC)


class Thing(WireModel):
    """What the tests' topics carry."""

    thing_id: Id
    version_id: PositiveCount


class MakeThing(CommandBody):
    thing_id: Id


def topic(name: str, *types: MessageType, owner: str = "test_svc", partitions: int = 3) -> Topic:
    return Topic(name, partitions, {}, owner, "ThingId", types, (owner,), (owner,))


def registry(suffix: str = "", partitions: int = 3) -> dict[str, Topic]:
    """Topics of a service of its own: an event, its commands and their answers, its dead letters."""
    owner = f"test{suffix}_svc"
    topics = (
        topic(f"thing{suffix}.created", MessageType("thing.created", Thing, ""), owner=owner, partitions=partitions),
        topic(f"thing{suffix}.updated", MessageType("thing.updated", Thing, ""), owner=owner, partitions=partitions),
        topic(f"thing{suffix}.commands", MessageType("MakeThing", MakeThing, ""), owner=owner, partitions=partitions),
        topic(f"results{suffix}", MessageType("*", CommandResult, ""), owner=owner, partitions=partitions),
        topic(f"{owner}.dlq", MessageType("DeadLetter", DeadLetter, ""), owner=owner, partitions=partitions),
    )
    return {one.name: one for one in topics}


def event(key: str, version: int = 1, *, topic: str = "thing.created", data: Any = None, **more: Any) -> Message:
    """An event about a thing; its id names key and version."""
    body = {"ThingId": key, "VersionId": version} if data is None else data
    more.setdefault("id", f"{key}:{version}")
    return Message(topic, "thing.created", key, orjson.dumps(body), "test_svc", NOW, Trace("corr"), **more)


def record_of(message: Message, offset: int = 0, partition: int = 0) -> ConsumerRecord[bytes, bytes]:
    key, headers = message.key.encode(), tuple(encode_headers(message))
    return raw(message.topic, key, message.data, headers, offset=offset, partition=partition)


def raw(
    topic: str, key: bytes | None, value: bytes | None, headers: Any = (), *, offset: int = 0, partition: int = 0
) -> ConsumerRecord[bytes, bytes]:
    return ConsumerRecord(topic, partition, offset, 1_718_442_000_000, 0, key, value, None, -1, -1, tuple(headers))


class MemoryLetters:
    """A store of dead letters in memory."""

    def __init__(self) -> None:
        self.letters: dict[str, DeadLetter] = {}
        self.error: Exception | None = None

    async def put(self, letter: DeadLetter) -> None:
        if self.error is not None:
            raise self.error
        self.letters[letter.id] = letter

    async def get(self, letter_id: str) -> DeadLetter | None:
        return self.letters.get(letter_id)

    async def list(self, after: str | None = None, limit: int = 100) -> list[DeadLetter]:
        return [self.letters[key] for key in sorted(self.letters) if after is None or key > after][:limit]

    async def delete(self, letter_id: str) -> bool:
        return self.letters.pop(letter_id, None) is not None


class MemoryBroker:
    """The producing side of a transport. ``away``: it connects nobody and acknowledges nothing until it is back."""

    def __init__(self) -> None:
        self.sent: list[Message] = []
        self.attempts: list[str] = []
        self.away = False
        self.rejects: dict[str, KafkaError] = {}
        self.started = self.stopped = 0
        self._back = asyncio.Event()

    @property
    def transport(self) -> Transport:
        return cast("Transport", self)

    def producer(self, *, client_id: str | None = None) -> _Producer:
        return _Producer(self)

    def come_back(self) -> None:
        self.away = False
        self._back.set()

    async def acknowledge(self, record: Any) -> None:
        message = decode(record)
        self.attempts.append(message.id)
        if self.away:
            await self._back.wait()
        await asyncio.sleep(0)
        if message.id in self.rejects:
            raise self.rejects[message.id]
        self.sent.append(message)

    def ids(self) -> list[str]:
        return [message.id for message in self.sent]


class _Producer:
    def __init__(self, broker: MemoryBroker) -> None:
        self._broker = broker
        self._tasks: set[asyncio.Future[None]] = set()

    async def start(self) -> None:
        if self._broker.away:
            raise KafkaConnectionError("nobody answers")
        self._broker.started += 1

    async def stop(self) -> None:
        self._broker.stopped += 1
        for task in self._tasks:
            task.cancel()

    async def send(self, topic: str, value: bytes, key: bytes, headers: Mapping[str, bytes]) -> asyncio.Future[None]:
        task = asyncio.ensure_future(self._broker.acknowledge(raw(topic, key, value, headers)))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task
