"""The two entry points as clients use them: HTTP repeated until acknowledged, commands delivered twice at once."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

import aiohttp
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError

from shared.schemas.topics import COMMAND_RESULTS, TOPICS
from tests.faults.ledger import Command, Ledger
from tests.faults.topics import published_record
from tests.support.stacks import WholeStack

Headers = Sequence[tuple[str, Any]]

SOURCE: Final = "/faults"
PATIENCE: Final = 300.0
_PAUSE: Final = (0.05, 0.3)
_AWAY: Final = (aiohttp.ClientError, TimeoutError, OSError)


class Stuck(AssertionError):
    """A request was not acknowledged, or what it waits for did not come, within the patience a client has."""


@dataclass
class HttpDoor:
    """Writes with an Idempotency-Key, to any replica, until an answer that is final comes."""

    stack: WholeStack
    session: aiohttp.ClientSession
    ledger: Ledger

    async def write(self, method: str, path: str, body: Mapping[str, Any], key: str, *, twice: bool = False) -> Any:
        """The body of the 200; anything final that is not 200 is noted as strange, and answered as None.

        ``twice``: the same request is sent a second time at once; both must get the same answer.
        """
        if not twice:
            return await self._until_final(method, path, body, key)
        first, second = await asyncio.gather(*(self._until_final(method, path, body, key) for _ in range(2)))
        if _without_side(first) != _without_side(second):
            self.ledger.strange.append(f"{method} {path} {key} sent twice was answered {first} and {second}")
        return first

    async def _until_final(self, method: str, path: str, body: Mapping[str, Any], key: str) -> Any:
        headers = {"Idempotency-Key": key, "X-Epic-User": "faults"}
        async with patience(f"{method} {path} {key}"):
            while True:
                status, answer, later = await self._once(method, path, body, headers)
                if status == 200:
                    return answer
                if status and status != 503 and not (status == 409 and later):
                    self.ledger.strange.append(f"{method} {path} {key}: {status} {answer}")
                    return None
                await asyncio.sleep(random.uniform(*_PAUSE))

    async def _once(
        self, method: str, path: str, body: Mapping[str, Any] | None, headers: Mapping[str, str]
    ) -> tuple[int, Any, bool]:
        """Status (0: nobody answered), body and whether it says to come again."""
        try:
            async with self.session.request(method, self.stack.url(path), json=body, headers=headers) as answer:
                return answer.status, await answer.json(content_type=None), "Retry-After" in answer.headers
        except _AWAY:
            return 0, None, True
        except ValueError as error:
            return 500, f"no JSON: {error}", False

    async def read(self, path: str) -> Any:
        """The answer's JSON, None for 404; anything else is asked again."""
        async with patience(f"GET {path}"):
            while True:
                status, answer, _ = await self._once("GET", path, None, {})
                if status in (200, 404):
                    return answer if status == 200 else None
                if status not in (0, 503):
                    self.ledger.strange.append(f"GET {path}: {status} {answer}")
                await asyncio.sleep(random.uniform(*_PAUSE))

    async def until(self, path: str, holds: Any) -> Any:
        """What is read at a path once it holds."""
        async with patience(f"GET {path} to hold"):
            while True:
                seen = await self.read(path)
                if seen is not None and holds(seen):
                    return seen
                await asyncio.sleep(0.15)


@asynccontextmanager
async def patience(what: str) -> AsyncIterator[None]:
    """A time limit that says what was waited for."""
    try:
        async with asyncio.timeout(PATIENCE) as limit:
            yield
    except TimeoutError:
        if not limit.expired():
            raise
        raise Stuck(f"{what} took more than {PATIENCE:.0f} s") from None


def headers_of(command: Command) -> Headers:
    """A command's CloudEvents headers."""
    return [
        ("ce_id", command.id),
        ("ce_source", SOURCE),
        ("ce_type", command.type),
        ("ce_specversion", "1.0"),
        ("content-type", "application/json"),
        ("ce_user", "faults"),
    ]


def _without_side(document: Any) -> Any:
    """A replayed answer shows the version it made; what lies beside the versions may have moved on meanwhile."""
    if not isinstance(document, dict):
        return document
    beside = ("HostInventory", "HostOrderStatuses", "PeakReadyStatus", "LatestVersionId")
    return {name: value for name, value in document.items() if name not in beside}


class Commands(Protocol):
    """The door for messages. ``any_record``: it also takes what is no CloudEvent."""

    any_record: bool
    produced: int

    async def ask(self, topic: str, kind: str, key: str, body: dict[str, Any], command_id: str) -> dict[str, Any]:
        """The first answer of a command, which was delivered twice at once."""

    async def deliver(self, command: Command, *, elsewhere: bool = False) -> None:
        """Delivers the command once more, ``elsewhere``: perhaps to another partition than the key's."""

    async def produce(self, topic: str, key: bytes | None, value: bytes | None, headers: Headers) -> None:
        """One record, until it is taken."""


@dataclass
class CommandDoor:
    """A plain Kafka client: commands by ce_ headers, answers from command.results, none of EPIC's code."""

    bootstrap: str
    ledger: Ledger
    produced: int = 0
    any_record: bool = True
    _producer: AIOKafkaProducer | None = None
    _waiting: dict[str, asyncio.Future[dict[str, Any]]] = field(default_factory=dict)
    _listening: asyncio.Task[None] | None = None
    _starting: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def start(self) -> None:
        consumer = AIOKafkaConsumer(bootstrap_servers=self.bootstrap, enable_auto_commit=False, fetch_max_wait_ms=100)
        await consumer.start()
        places = [TopicPartition(COMMAND_RESULTS, n) for n in range(TOPICS[COMMAND_RESULTS].partitions)]
        ends = await consumer.end_offsets(places)
        consumer.assign(places)
        for place, end in ends.items():
            consumer.seek(place, end)
        self._listening = asyncio.create_task(self._listen(consumer))

    async def stop(self) -> None:
        if self._listening is not None:
            self._listening.cancel()
            await asyncio.wait({self._listening})
        await self._drop()

    async def ask(self, topic: str, kind: str, key: str, body: dict[str, Any], command_id: str) -> dict[str, Any]:
        """The first answer of a command, which was delivered twice at once: once perhaps to another partition."""
        command = Command(command_id, topic, kind, key, body)
        self.ledger.commands[command_id] = command
        future = self._waiting[command_id] = asyncio.get_running_loop().create_future()
        async with patience(f"the answer of {kind} {command_id}"):
            elsewhere = random.Random(command_id).random() < 0.5
            await asyncio.gather(self.deliver(command), self.deliver(command, elsewhere=elsewhere))
            assert self._listening is not None
            await asyncio.wait({future, self._listening}, return_when=asyncio.FIRST_COMPLETED)
            if not future.done():
                self._listening.result()  # raises what ended it
            answer = await future
        command.answer = answer
        return dict(answer)

    async def deliver(self, command: Command, *, elsewhere: bool = False) -> None:
        """Produces the command once more."""
        partition = random.randrange(TOPICS[command.topic].partitions) if elsewhere else None
        await self.produce(
            command.topic, command.key.encode(), json.dumps(command.body).encode(), headers_of(command), partition
        )

    async def produce(
        self, topic: str, key: bytes | None, value: bytes | None, headers: Headers, partition: int | None = None
    ) -> None:
        """Until the broker has it; after an outage it may be there twice, as with any producer that is made anew."""
        async with patience(f"a record for {topic}"):
            while True:
                try:
                    producer = await self._connected()
                    encoded = [(name, item.encode() if isinstance(item, str) else item) for name, item in headers]
                    await producer.send_and_wait(topic, value, key, partition=partition, headers=encoded)
                except (KafkaError, OSError):
                    await self._drop()
                    await asyncio.sleep(random.uniform(*_PAUSE))
                else:
                    self.produced += 1
                    return

    async def _connected(self) -> AIOKafkaProducer:
        async with self._starting:
            if self._producer is None:
                producer = AIOKafkaProducer(
                    bootstrap_servers=self.bootstrap,
                    acks="all",
                    enable_idempotence=True,
                    request_timeout_ms=10_000,
                    max_request_size=8_000_000,
                )
                try:
                    await producer.start()
                except BaseException:
                    await producer.stop()
                    raise
                self._producer = producer
            return self._producer

    async def _drop(self) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            try:
                await asyncio.wait_for(producer.stop(), 5)
            except (KafkaError, TimeoutError):
                return

    async def _listen(self, consumer: AIOKafkaConsumer) -> None:
        try:
            while True:
                try:
                    batch = await consumer.getmany(timeout_ms=500)
                except KafkaError:
                    await asyncio.sleep(0.2)
                    continue
                for record in (record for records in batch.values() for record in records):
                    answer = published_record(record).data or {}
                    future = self._waiting.pop(answer.get("CommandId", ""), None)
                    if future is not None and not future.done():
                        future.set_result(answer)
        finally:
            await consumer.stop()
