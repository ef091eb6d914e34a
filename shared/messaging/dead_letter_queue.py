"""The dead letter queue of a service: what its consumers gave up, to be read, replayed and dropped."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Final, NamedTuple

import orjson
import structlog

from shared.clock import Clock
from shared.durability.dead_letters import DeadLetterStore, letter_of, record_of
from shared.durability.failures import is_transient, reason_of
from shared.envelope import Message, Record, decode
from shared.errors import Conflict, NotFound, Poison, Unavailable
from shared.messaging.publisher import Publisher, publish_all
from shared.messaging.subscription import Handler, Received, Subscription
from shared.messaging.transport import Transport, read_record
from shared.metrics import Metrics
from shared.schemas.results import DeadLetter
from shared.schemas.topics import TOPICS, Topic, dead_letters_of
from shared.trace import Trace

log = structlog.get_logger(__name__)

_TRACE_LENGTH: Final = 10_000  # ids that anybody may send; with more, the letter itself might be too large to be sent

Replay = Callable[[Record], Awaitable[None]]


class GivenUp(NamedTuple):
    """A record that becomes a dead letter. ``kind``, as the metric names it: ``undecodable`` or ``failed``."""

    record: Record
    reason: str
    attempts: int
    kind: str


class DeadLetterQueue:
    """The dead letters of one service. They are published to its ``.dlq`` topic, and one replica stores them."""

    def __init__(
        self,
        service: str,
        *,
        transport: Transport,
        publisher: Publisher,
        store: DeadLetterStore,
        clock: Clock,
        metrics: Metrics,
        registry: Mapping[str, Topic] = TOPICS,
    ) -> None:
        self.topic = dead_letters_of(service)
        self._service = service
        self._transport = transport
        self._publisher = publisher
        self._store = store
        self._clock = clock
        self._metrics = metrics
        self._registry = registry
        self._replays: dict[str, Replay] = {}

    def attach(self, group: str, replay: Replay) -> None:
        """Lets the consumer of a group replay the group's letters."""
        self._replays[group] = replay

    async def publish(self, group: str, given_up: Sequence[GivenUp]) -> None:
        """Makes a dead letter of each record of a consumer group. Returns when the letters are durable.

        Unavailable when broker or store does not take them now. A letter about the ``.dlq`` topic itself goes straight
        to the store, so that no letter causes another.
        """
        now = self._clock.now()
        letters: list[DeadLetter] = []
        messages: list[Message] = []
        for record, reason, attempts, _ in given_up:
            letter = letter_of(record, group=group, reason=reason, attempts=attempts, now=now)
            letters.append(letter)
            if letter.topic == self.topic:
                await self._store_one(letter)
                continue
            key = (record.key or b"").decode("utf-8", "replace") if letter.key is not None else ""
            data = orjson.dumps(letter.wire())
            trace = _trace_behind(record)
            messages.append(Message(self.topic, "DeadLetter", key, data, self._service, now, trace, id=letter.id))
        with _retried_until_it_is_done(f"dead letters could not be written to {self.topic}"):
            await publish_all(self._publisher, messages)
        for letter, one in zip(letters, given_up, strict=True):
            self._metrics.dead_letters.labels(group, letter.topic, one.kind).inc()
            log.error("dead letter", dead_letter=letter.id, reason=letter.reason)

    def subscription(self) -> Subscription:
        """Stores the service's own dead letters."""
        handler = Handler(DeadLetter, (self.topic,), bulk=self._store_all)
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
        """Deletes the letter for good. NotFound when there is none of that id."""
        if not await self._store.delete(letter_id):
            raise NotFound(f"there is no dead letter {letter_id}")
        log.info("dead letter dropped", dead_letter=letter_id)

    async def replay(self, letter_id: str) -> None:
        """Handles the record again, here and now, as its own consumer does; when it is handled, the letter is deleted.

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
        except Exception as error:
            if is_transient(error):
                raise Unavailable(str(error)) from error
            self._metrics.replays.labels("failed").inc()
            log.warning("dead letter failed again", dead_letter=letter_id, exc_info=error)
            raise Conflict(f"it failed again: {reason_of(error)}", slug="replay-failed") from error
        await self._store.delete(letter_id)
        self._metrics.replays.labels("replayed").inc()
        log.info("dead letter replayed", dead_letter=letter_id)

    async def _store_all(self, batch: Sequence[Received[DeadLetter]]) -> None:
        for received in batch:
            await self._store_one(received.data)

    async def _store_one(self, letter: DeadLetter) -> None:
        with _retried_until_it_is_done(f"dead letter {letter.id} could not be stored"):
            await self._store.put(letter)


@contextmanager
def _retried_until_it_is_done(failure: str) -> Iterator[None]:
    """Makes any error Unavailable, which is waited out: a dead letter has nowhere else to go."""
    try:
        yield
    except Unavailable:
        raise
    except Exception as error:
        log.exception(failure)
        raise Unavailable(f"{failure}: {error!r}") from error


def _trace_behind(record: Record) -> Trace:
    """The trace of what follows from a record; a new one for a record that has none, or one too long for a letter."""
    try:
        message = decode(record)
    except Poison:
        return Trace.begin()
    trace = message.trace._replace(causation_id=message.id)
    return trace if sum(len(part or "") for part in trace) <= _TRACE_LENGTH else Trace.begin()
