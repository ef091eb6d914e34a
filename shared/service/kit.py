"""Owns what the five services have in common: store, publisher, consumers, dead letters, health, wired once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, Protocol, runtime_checkable

import structlog
from aiokafka.errors import KafkaError

from shared.cause import Cause
from shared.clock import Clock
from shared.documents import Documents, IdempotencyRecord, ReadModel, open_store
from shared.durability.dead_letters import DeadLetterStore
from shared.durability.idempotency import is_final
from shared.errors import Refused, Unavailable
from shared.messaging.asyncapi import asyncapi
from shared.messaging.consumer import Consumer
from shared.messaging.deadletters import DeadLetters
from shared.messaging.http import dead_letter_routes
from shared.messaging.publisher import Publisher
from shared.messaging.subscription import Subscribed
from shared.messaging.topics import ensure_topics
from shared.messaging.transport import Transport
from shared.metrics import Metrics
from shared.resources import Resource
from shared.service.clocks import not_before
from shared.service.running import Call, Part, Periodic, RunningService
from shared.settings import Settings
from shared.tasks import end
from shared.web import Check, Gate, KeepRefusal, Routes, Unready, create_app

__all__ = ["DocumentKit", "ServiceKit", "ServiceStore"]

log = structlog.get_logger(__name__)

_BROKER_PATIENCE: Final = 2.0
_SAMPLE_EVERY: Final = 5.0
_OUTBOX_OLD: Final = 60.0  # seconds after which an unpublished event means that the relay does not get on
_RETRY: Final = 2.0
_FIRST_TRY: Final = 20.0


class Outbox(Protocol):
    """What waits for the broker."""

    @property
    def open(self) -> int: ...
    @property
    def oldest(self) -> datetime | None: ...


@runtime_checkable
class KeepsAnswers(Protocol):
    """A store of documents, as far as it keeps the answers of writes that are no document update."""

    async def keep_record(self, cause: Cause, answer: IdempotencyRecord) -> IdempotencyRecord: ...


@runtime_checkable
class KeepsRefusals(Protocol):
    """A store of rows, which decides by itself which refusals are final."""

    async def keep_refusal(self, cause: Cause, refusal: Refused) -> None: ...


class ServiceStore(Protocol):
    """What a service's own store must be able to do, documents and rows alike."""

    async def start(self) -> None: ...
    async def stop(self) -> None: ...
    async def ping(self) -> None: ...
    async def outbox(self) -> Outbox: ...
    async def last_instant(self) -> datetime | None: ...


class ServiceKit:
    """The wiring of one service. Make it, give ``publisher.publish`` to the store, then ``service(...)`` is the whole.

    Nothing is connected before ``RunningService.start``.
    """

    def __init__(self, name: str, settings: Settings, transport: Transport, clock: Clock) -> None:
        self.name = name
        self.settings = settings
        self.transport = transport
        self.clock = clock
        self.metrics = Metrics(name)
        self.publisher = Publisher(transport, name, metrics=self.metrics)

    def service(
        self,
        *,
        store: ServiceStore,
        dead_letter_store: DeadLetterStore,
        routes: Sequence[Routes],
        subscriptions: Sequence[Subscribed] = (),
        periodic: Sequence[Periodic] = (),
        parts: Sequence[Part] = (),
        checks: Sequence[Check] = (),
        description: str = "",
    ) -> RunningService:
        """The service: its ``routes`` before the kit's; ``parts`` start after the store and before the consumers."""
        dead_letters = DeadLetters(
            self.name, transport=self.transport, publisher=self.publisher, store=dead_letter_store, clock=self.clock,
            metrics=self.metrics,
        )  # fmt: skip
        consumers = [
            Consumer(self.transport, self.clock, subscription, self.publisher, dead_letters, self.metrics)
            for subscription in (*subscriptions, dead_letters.subscription())
        ]
        messaging = _Messaging(self.name, self.transport, consumers)
        gate = Gate()
        app = create_app(
            self.name,
            routes=[*routes, dead_letter_routes(dead_letters)],
            metrics=self.metrics,
            checks=[*self._checks(store, gate), Check("consumers", messaging.health), *checks],
            asyncapi=lambda: asyncapi(self.name),
            keep_refusal=_keeper(store),
            gate=gate,
            cors_origins=self.settings.cors_origins,
            description=description,
        )

        async def hold_clock() -> None:
            not_before(self.clock, await store.last_instant())

        async def open_gate() -> None:
            gate.closed = None

        sampler = Periodic("outbox gauges", _SAMPLE_EVERY, lambda: self._sample(store), metrics=self.metrics)
        return RunningService(
            self.name,
            app,
            [*parts, Call(on_start=open_gate), messaging, sampler, *periodic],
            opening=[Call(on_stop=self.publisher.stop), store, Call(on_start=hold_clock)],
            store=store,
            consumers=consumers,
            gate=gate,
        )

    def every(self, seconds: float, name: str, fn: Callable[[], Awaitable[Any]], *, at_start: bool = True) -> Periodic:
        """A periodic job of this service."""
        return Periodic(name, seconds, fn, metrics=self.metrics, at_start=at_start)

    def _checks(self, store: ServiceStore, gate: Gate) -> list[Check]:
        async def ask_store() -> None:
            if gate.closed is not None:
                raise Unready(gate.closed)
            await store.ping()

        async def ask_broker() -> None:
            await self.transport.ping(_BROKER_PATIENCE)

        async def ask_outbox() -> Mapping[str, Any]:
            state = await store.outbox()
            waiting = self._age(state.oldest)
            if waiting > _OUTBOX_OLD:
                too_large = self.publisher.oversized.word()
                if too_large is not None:
                    raise Unready(f"{too_large}; {state.open} events are not published, the oldest for {waiting:.0f} s")
                raise Unready(f"{state.open} events are not published yet, the oldest for {waiting:.0f} s")
            return {"Open": state.open, "OldestSeconds": round(waiting, 1)}

        return [Check("store", ask_store), Check("broker", ask_broker), Check("outbox", ask_outbox)]

    async def _sample(self, store: ServiceStore) -> None:
        state = await store.outbox()
        self.metrics.outbox_open.set(state.open)
        self.metrics.outbox_oldest_seconds.set(self._age(state.oldest))

    def _age(self, oldest: datetime | None) -> float:
        return max(0.0, (self.clock.now() - oldest).total_seconds()) if oldest else 0.0


class DocumentKit(ServiceKit):
    """The same for a service whose store holds versioned documents."""

    def __init__(self, name: str, settings: Settings, transport: Transport, clock: Clock) -> None:
        super().__init__(name, settings, transport, clock)
        self.store = open_store(settings, name, self.publisher.publish)

    def documents(self, resource: Resource) -> Documents:
        """The documents of a declared resource, its filters indexed."""
        return self.store.documents(resource.topic, filters=tuple(resource.filters.values()))

    def read_model(self, name: str, *, filters: Sequence[str] = ()) -> ReadModel:
        """What is kept of another service's resource."""
        return self.store.read_model(name, filters=filters)

    def service(self, **parts: Any) -> RunningService:
        """As ``ServiceKit.service``, on this kit's store."""
        return super().service(store=self.store, dead_letter_store=self.store.dead_letters(), **parts)


def _keeper(store: ServiceStore) -> KeepRefusal | None:
    if isinstance(store, KeepsRefusals):
        return store.keep_refusal
    if not isinstance(store, KeepsAnswers):
        return None

    async def keep(cause: Cause, refusal: Refused) -> None:
        if is_final(refusal):
            (await store.keep_record(cause, IdempotencyRecord(refusal=refusal))).result()

    return keep


class _Messaging:
    """Topics and consumers: begun when the broker is there, which a service that starts alone does not wait for.

    All consumers begin at once: each may have to wait for its group to give up a member that was killed.
    """

    def __init__(self, name: str, transport: Transport, consumers: Sequence[Consumer]) -> None:
        self._name = name
        self._transport = transport
        self._consumers = consumers
        self._waiting_for: str | None = "not started"
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self._task = asyncio.create_task(self._begin(), name="messaging")
        await asyncio.wait({self._task}, timeout=_FIRST_TRY)
        if self._task.done():
            self._task.result()

    async def stop(self) -> None:
        if self._task is not None:
            await end(self._task)
        await asyncio.gather(*(consumer.stop() for consumer in self._consumers))

    async def _begin(self) -> None:
        await self._when_there(lambda: ensure_topics(self._transport, self._name))
        self._waiting_for = "its consumers are joining their groups"
        async with asyncio.TaskGroup() as tasks:
            for consumer in self._consumers:
                tasks.create_task(self._when_there(consumer.start), name=f"begin {consumer.subscription.group}")
        self._waiting_for = None

    async def _when_there(self, act: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                return await act()
            except (Unavailable, KafkaError, OSError) as error:
                self._waiting_for = f"the broker is away: {error}"
                log.warning("the broker is away; consuming begins when it is back", error=str(error))
                await asyncio.sleep(_RETRY)

    async def health(self) -> Mapping[str, Any]:
        if self._task is not None and self._task.done() and not self._task.cancelled():
            self._task.result()
        if self._waiting_for is not None:
            raise Unready(self._waiting_for)
        states = [consumer.health() for consumer in self._consumers]
        halted = [f"{state.group}: {state.reason}" for state in states if not state.moving]
        if halted:
            raise Unready("; ".join(halted))
        return {"Groups": {state.group: {"State": state.state.value, "Lag": state.lag} for state in states}}
