"""Publishes messages: each key's in order, acknowledged, in bounded time."""

from __future__ import annotations

import asyncio
import math
import time
from collections import Counter
from collections.abc import Sequence
from functools import partial
from typing import Final

import structlog
from aiokafka.errors import (
    InvalidTopicError,
    KafkaConnectionError,
    KafkaError,
    MessageSizeTooLargeError,
    RecordListTooLargeError,
    RecordTooLargeError,
    TopicAuthorizationFailedError,
)

from shared.envelope import Message, encode_headers
from shared.errors import MessageTooLarge, Unavailable
from shared.messaging.transport import RECORD_BYTES, Producer, Transport, record_size
from shared.metrics import Metrics

log = structlog.get_logger(__name__)

PATIENCE: Final = 30.0
"""Seconds after which a message that is not acknowledged is reported as Unavailable; a caller waits no longer."""

TOO_LARGE_PAUSE: Final = 10.0
"""Seconds for which a message that was too large is not sent again: somebody has to raise a limit first."""

_CLOSING: Final = 10.0  # seconds in which a producer sends what it still has; the outbox has it as well
_PORTION: Final = 25_165_824  # bytes; what is sent together is one request, and Kafka takes none over 100 MiB
_FORGOTTEN: Final = 60.0  # seconds after which nobody asks for it any more: another replica sent it, or it was deleted

# The fault of the message itself: the same message fails again, others are accepted.
_TOO_LARGE: Final = (MessageSizeTooLargeError, RecordListTooLargeError, RecordTooLargeError)
_OWN_FAULT: Final = (InvalidTopicError, TopicAuthorizationFailedError)


class Publisher:
    """Publishes with one idempotent producer, which connects when the first message is published.

    A message that timed out may still be in the producer and be sent when the broker is back. When the same message
    (topic, source and id) is to be published again meanwhile, the publisher waits for the first one and sends no other.
    """

    def __init__(
        self, transport: Transport, source: str, *, metrics: Metrics | None = None, patience: float = PATIENCE
    ) -> None:
        self.source = source
        self.oversized = Oversized()
        self._transport = transport
        self._metrics = metrics or Metrics()
        self._patience = patience
        self._producer: Producer | None = None
        self._starting = asyncio.Lock()
        self._timed_out: dict[tuple[str, str, str], asyncio.Future[object]] = {}
        self._retiring: set[asyncio.Task[None]] = set()
        self._stopped = False

    async def stop(self) -> None:
        """Sends what is under way, and closes the producer."""
        self._stopped = True
        producer, self._producer = self._producer, None
        if producer is not None:
            self._retire(producer)
        await asyncio.gather(*self._retiring, return_exceptions=True)

    async def publish(self, messages: Sequence[Message]) -> list[Exception | None]:
        """For each message None when the broker has acknowledged it, else the error: Unavailable, or a fault of the
        message itself such as MessageTooLarge.

        The messages of a key are sent one after another, up to the first that fails; keys are sent concurrently.
        Returns within 30 s and never raises. A message that is reported as failed may still arrive, once.
        """
        began = time.perf_counter()
        outcome: list[Exception | None] = [None] * len(messages)
        stopped: dict[str, Exception] = {}
        deadline = asyncio.get_running_loop().time() + self._patience
        for wave in _waves(messages):
            going: list[int] = []
            for index in wave:
                key = messages[index].key
                if key in stopped:
                    outcome[index] = Unavailable(f"an earlier message of key {key} was not sent: {stopped[key]}")
                else:
                    going.append(index)
            errors = await self._send([messages[index] for index in going], deadline)
            for index, error in zip(going, errors, strict=True):
                if error is not None:
                    outcome[index] = stopped[messages[index].key] = error
        pairs = zip(messages, outcome, strict=True)
        counts = Counter((message.topic, "failed" if error else "acknowledged") for message, error in pairs)
        for (topic, result), count in counts.items():
            self._metrics.published.labels(topic, result).inc(count)
        if messages:
            self._metrics.publish_seconds.observe(time.perf_counter() - began)
        return outcome

    async def _send(self, messages: list[Message], deadline: float) -> list[Exception | None]:
        futures: list[asyncio.Future[object] | None] = [None] * len(messages)
        errors: list[Exception | None] = [None] * len(messages)
        producer: Producer | None = None
        try:
            async with asyncio.timeout_at(deadline):
                producer = self._producer or await self._connected()
                for index, message in enumerate(messages):
                    if self.oversized.known and (too_large := self.oversized.error_of(message)):
                        errors[index] = too_large
                        continue
                    earlier = self._timed_out.get(message.identity) if self._timed_out else None
                    if earlier is not None and not earlier.done():
                        futures[index] = earlier
                        continue
                    try:
                        futures[index] = await producer.send(
                            message.topic, message.data, message.key.encode(), headers=encode_headers(message)
                        )
                    except (KafkaError, ValueError) as error:
                        errors[index] = self._error_of(message, error, producer)
                for future in futures:
                    if future is not None and not future.done():  # those of its batch are then done as well
                        await asyncio.wait((future,))
        except TimeoutError:
            pass
        except Unavailable as away:
            return [away] * len(messages)
        finally:
            for message, future in zip(messages, futures, strict=True):
                if future is not None and not future.done():
                    self._timed_out[message.identity] = future
                    future.add_done_callback(partial(self._forget, message.identity))
        for index, (message, future) in enumerate(zip(messages, futures, strict=True)):
            if future is None or not future.done():
                late = Unavailable(f"the broker did not acknowledge within {self._patience:.0f} s")
                errors[index] = errors[index] or late
            elif (failure := future.exception()) is not None:
                errors[index] = self._error_of(message, failure, producer)
            elif self.oversized.known:
                self.oversized.known.pop(message.identity, None)
        return errors

    def _forget(self, name: tuple[str, str, str], future: asyncio.Future[object]) -> None:
        if self._timed_out.get(name) is future:
            del self._timed_out[name]
        if not future.cancelled():
            future.exception()  # retrieved, so that asyncio does not log it: nobody may wait for it any more

    def _error_of(self, message: Message, error: BaseException, producer: Producer | None) -> Exception:
        if isinstance(error, _TOO_LARGE):
            return self.oversized.add(message)
        if isinstance(error, _OWN_FAULT) or not isinstance(error, KafkaError):
            return error if isinstance(error, Exception) else Unavailable("the producer was closed")
        if producer is not None and producer is self._producer and not error.retriable:
            log.warning("the producer failed; a new one takes over", error=repr(error))
            self._producer = None
            self._retire(producer)
        return Unavailable(f"the broker did not take the message: {error!r}")

    async def _connected(self) -> Producer:
        async with self._starting:
            if self._stopped:
                raise Unavailable("the publisher is stopped")
            if self._producer is None:
                producer = self._transport.producer(client_id=self.source)
                try:
                    await producer.start()
                except BaseException as error:
                    await producer.stop()
                    if isinstance(error, KafkaConnectionError | OSError):
                        raise Unavailable(f"the broker is away: {error}") from error
                    raise
                self._producer = producer
            return self._producer

    def _retire(self, producer: Producer) -> None:
        task = asyncio.create_task(_close(producer))
        self._retiring.add(task)
        task.add_done_callback(self._retiring.discard)


class Oversized:
    """The messages of one publisher that were too large: each is sent only now and then, and logged only now and then.

    A message is known as long as somebody asks to publish it. Usually ``known`` is empty, and nothing is looked up.
    """

    def __init__(self) -> None:
        self.known: dict[tuple[str, str, str], tuple[MessageTooLarge, float]] = {}  # its error, and when (monotonic)
        self._logged = -math.inf

    def error_of(self, message: Message) -> MessageTooLarge | None:
        """Why it need not be sent now; None: send it, because the limit may have been raised meanwhile."""
        error, sent = self.known.get(message.identity, (None, 0.0))
        return error if time.monotonic() - sent < TOO_LARGE_PAUSE else None

    def add(self, message: Message) -> MessageTooLarge:
        """Remembers a message that was just found too large. Returns the error of its publishing."""
        now = time.monotonic()
        self.known = {name: known for name, known in self.known.items() if now - known[1] < _FORGOTTEN}
        error = MessageTooLarge(_described(message))
        self.known[message.identity] = (error, now)
        if now - self._logged >= TOO_LARGE_PAUSE:
            self._logged = now
            place = {"topic": message.topic, "key": message.key, "id": message.id, "waiting": len(self.known)}
            log.error("an event waits: it is too large to be sent", reason=str(error), **place)
        return error

    def summary(self) -> str | None:
        """What a person should know about the messages that wait; None when there are none."""
        now = time.monotonic()
        errors = [error for error, sent in self.known.values() if now - sent < _FORGOTTEN]
        if not errors:
            return None
        return str(errors[0]) if len(errors) == 1 else f"{errors[0]} (and {len(errors) - 1} more like it)"


async def publish_all(publisher: Publisher, messages: Sequence[Message]) -> None:
    """Publishes every message, or raises the first error; a retry may send the others again."""
    for error in await publisher.publish(messages):
        if error is not None:
            raise error


def _waves(messages: Sequence[Message]) -> list[list[int]]:
    """Indexes of messages: the first of every key, then the second of those that have one, and so on.

    A wave that is more than one request can hold comes in portions.
    """
    waves: list[list[list[int]]] = []
    sizes: list[int] = []  # of the last portion of each wave
    had: dict[str, int] = {}
    for index, message in enumerate(messages):
        number = had.get(message.key, 0)
        had[message.key] = number + 1
        if number == len(waves):
            waves.append([[]])
            sizes.append(0)
        size = len(message.data)
        sizes[number] += size
        if sizes[number] > _PORTION and waves[number][-1]:
            waves[number].append([])
            sizes[number] = size
        waves[number][-1].append(index)
    return [portion for wave in waves for portion in wave]


async def _close(producer: Producer) -> None:
    try:
        async with asyncio.timeout(_CLOSING):
            await producer.stop()
    except (TimeoutError, KafkaError) as error:
        log.warning("the producer did not close in time; what it had not sent is in the outbox", error=repr(error))


def _described(message: Message) -> str:
    size = record_size(message.key.encode(), message.data, encode_headers(message))
    about = f"an event of {message.key} is {size} bytes, larger than a message"
    if size > RECORD_BYTES:
        return f"{about} may be ({RECORD_BYTES})"
    return f"{about} to {message.topic} may be: set the topic's max.message.bytes to {RECORD_BYTES}"
