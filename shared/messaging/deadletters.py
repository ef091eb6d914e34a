"""Owns dead letters: how a record that can never be handled is kept, looked into, replayed and dropped."""

from __future__ import annotations

import base64
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import orjson
import structlog

from shared.clock import Clock
from shared.durability.dead_letters import DeadLetterStore
from shared.envelope import Message, Record
from shared.errors import Conflict, EpicError, NotFound, Refused, Unavailable
from shared.messaging.blocking import read_record
from shared.messaging.publisher import Publisher, publish_all
from shared.messaging.subscription import Received, Subscription, bulk
from shared.messaging.transport import Transport
from shared.metrics import Metrics
from shared.schemas.results import DeadLetter
from shared.schemas.topics import TOPICS, Topic, dead_letters_of
from shared.trace import Trace

__all__ = ["DeadLetters", "KeptRecord", "Replay", "letter_id", "letter_of", "record_of"]

log = structlog.get_logger(__name__)

_REASON_LENGTH: Final = 4_000
_KEPT_VALUE: Final = 500_000  # bytes; a hundred letters are read at once
_KEPT_REST: Final = 100_000  # of key and headers; escaped, a byte may become six
_KEPT_TRACE: Final = 10_000

Replay = Callable[[Record], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class KeptRecord:
    """A record as a dead letter keeps it."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...]


def letter_id(group: str, record: Record) -> str:
    """The same record of the same consumer is one dead letter, however often it is met."""
    return f"{group}:{record.topic}:{record.partition}:{record.offset}"


def letter_of(record: Record, *, group: str, reason: str, attempts: int, now: datetime) -> DeadLetter:
    """The dead letter of a record. What would be too large stays where it is: replay reads it there."""
    value, key, headers, note = record.value, record.key, record.headers, ""
    if value is not None and len(value) > _KEPT_VALUE:
        note = f" (its {len(value)} bytes are left in {record.topic}, not copied here)"
        value = None
    rest = len(key or b"") + sum(len(name.encode()) + len(content or b"") for name, content in headers)
    if rest > _KEPT_REST:
        note += f" (its key and headers, {rest} bytes, are left in {record.topic}, not copied here, nor is its value)"
        value, key, headers = None, None, ()
    return DeadLetter(
        id=letter_id(group, record),
        group=group,
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        timestamp=datetime.fromtimestamp(max(record.timestamp, 0) / 1000, UTC),
        key=_base64(key),
        value=_base64(value),
        headers=[(name, (content or b"").decode("utf-8", "backslashreplace")) for name, content in headers],
        reason=reason[:_REASON_LENGTH].encode("utf-8", "replace").decode() + note,
        attempts=attempts,
        dead_since=now,
    )


def record_of(letter: DeadLetter) -> KeptRecord:
    """The record a dead letter keeps."""
    return KeptRecord(
        letter.topic,
        letter.partition,
        letter.offset,
        int(letter.timestamp.timestamp() * 1000),
        _bytes(letter.key),
        _bytes(letter.value),
        tuple((name, content.encode()) for name, content in letter.headers),
    )


class DeadLetters:
    """One service's dead letters: written to its ``.dlq`` topic, stored from there by one of its replicas."""

    def __init__(
        self, service: str, *, transport: Transport, publisher: Publisher, store: DeadLetterStore, clock: Clock,
        metrics: Metrics, registry: dict[str, Topic] | None = None,
    ) -> None:  # fmt: skip
        self.topic = dead_letters_of(service)
        self._service = service
        self._transport = transport
        self._publisher = publisher
        self._store = store
        self._clock = clock
        self._metrics = metrics
        self._registry = registry or TOPICS
        self._replays: dict[str, Replay] = {}

    def attach(self, group: str, replay: Replay) -> None:
        """Makes letters of a group replayable by its own consumer."""
        self._replays[group] = replay

    async def bury(self, letters: Sequence[DeadLetter], traces: Sequence[Trace]) -> None:
        """Makes the letters durable before it returns. Unavailable when neither broker nor store takes them now.

        One about the ``.dlq`` topic itself goes straight to the store, so that no letter begets another.
        """
        now = self._clock.now()
        messages = []
        for letter, trace in zip(letters, traces, strict=True):
            if letter.topic == self.topic:
                await self._keep(letter)
                continue
            key = (_bytes(letter.key) or b"").decode("utf-8", "replace")
            data = orjson.dumps(letter.wire())
            if sum(map(len, (trace.correlation_id, trace.causation_id or "", trace.traceparent or ""))) > _KEPT_TRACE:
                trace = Trace.begin()
            messages.append(Message(self.topic, "DeadLetter", key, data, self._service, now, trace, id=letter.id))
        try:
            await publish_all(self._publisher, messages)
        except Unavailable:
            raise
        except Exception as error:
            raise Unavailable(f"a dead letter could not be written to {self.topic}: {error!r}") from error

    def subscription(self) -> Subscription:
        """What stores the service's own dead letters."""
        handler = bulk(DeadLetter, (self.topic,), self._keep_all)
        return Subscription(f"{self._service}.dead-letters", handler, registry=self._registry)

    async def list(self, after: str | None = None, limit: int = 100) -> list[DeadLetter]:
        return await self._store.list(after, limit)

    async def get(self, letter_id: str) -> DeadLetter:
        """NotFound when there is none of that id."""
        letter = await self._store.get(letter_id)
        if letter is None:
            raise NotFound(f"there is no dead letter {letter_id}")
        return letter

    async def drop(self, letter_id: str) -> None:
        """Forgets the letter for good."""
        if not await self._store.delete(letter_id):
            raise NotFound(f"there is no dead letter {letter_id}")
        log.info("dead letter dropped", dead_letter=letter_id)

    async def replay(self, letter_id: str) -> None:
        """Runs the record through its own consumer's handler again, here and now; handled, its letter goes.

        Conflict, with the reason, when it fails again: the letter stays. Unavailable when a store is away.
        """
        letter = await self.get(letter_id)
        replay = self._replays.get(letter.group)
        if replay is None:
            known = ", ".join(sorted(self._replays)) or "none"
            raise Conflict(f"{self._service} has no consumer {letter.group} any more (it has {known})")
        record: Record = record_of(letter)
        if record.value is None:
            record = await read_record(self._transport, letter.topic, letter.partition, letter.offset) or record
        try:
            await replay(record)
        except Unavailable:
            raise
        except Exception as error:
            self._metrics.replays.labels("failed").inc()
            log.warning("dead letter failed again", dead_letter=letter_id, exc_info=error)
            raise Conflict(f"it failed again: {reason_of(error)}", slug="replay-failed") from error
        await self._store.delete(letter_id)
        self._metrics.replays.labels("replayed").inc()
        log.info("dead letter replayed", dead_letter=letter_id)

    async def _keep_all(self, batch: Sequence[Received[DeadLetter]]) -> None:
        for received in batch:
            await self._keep(received.data)

    async def _keep(self, letter: DeadLetter) -> None:
        try:
            await self._store.put(letter)
        except Unavailable:
            raise
        except Exception as error:  # never given up: there is nowhere else to put it
            log.exception("a dead letter could not be stored", dead_letter=letter.id)
            raise Unavailable(f"dead letter {letter.id} could not be stored: {error!r}") from error


def reason_of(error: BaseException) -> str:
    """What a person reads: the sentence of EPIC's own errors, the type and text of any other."""
    if isinstance(error, Refused):
        return error.detail
    return str(error) if isinstance(error, EpicError) else f"{type(error).__name__}: {error}"


def _base64(value: bytes | None) -> str | None:
    return None if value is None else base64.b64encode(value).decode()


def _bytes(value: str | None) -> bytes | None:
    return None if value is None else base64.b64decode(value)
