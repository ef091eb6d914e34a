"""Assembles a service from its store, routes, subscriptions and periodic jobs; the kit adds what all services share."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any, Final, Generic, TypeVar

from starlette.requests import Request
from starlette.responses import Response

from shared.clock import Clock, RunningClock
from shared.documents import Store
from shared.documents.sqlite import SqliteStore
from shared.durability.outbox import Publish
from shared.durability.store import ServiceStore
from shared.jobs import Worker
from shared.messaging.asyncapi import asyncapi
from shared.messaging.commands import CommandSubscription
from shared.messaging.consumer import Consumer
from shared.messaging.consumer_context import ConsumerContext
from shared.messaging.dead_letter_queue import DeadLetterQueue
from shared.messaging.publisher import Publisher
from shared.messaging.subscription import Subscribed
from shared.messaging.transport import Transport
from shared.metrics import Metrics
from shared.resources import Declared
from shared.schemas.operation import SettledLetter
from shared.schemas.results import DeadLetter
from shared.service.running import Consumers, Hook, Part, RunningService, periodic
from shared.settings import Settings
from shared.web import PAGING, Check, Gate, Routes, Unready, create_app, json_response, page_of, page_response, query_of

_BROKER_TIMEOUT: Final = 2.0  # seconds; below the three that a readiness check may take
_SAMPLE_EVERY: Final = 5.0  # seconds; Prometheus scrapes no more often
_OUTBOX_OLD: Final = 60.0  # seconds after which an unpublished event means that the relay does not get on

_EXPIRE_EVERY: Final = 60.0  # seconds; a document that expires a minute late harms nobody

S = TypeVar("S", bound=ServiceStore)


class ServiceKit(Generic[S]):
    """The wiring of one service: makes the publisher and the store, then ``service(...)`` assembles the rest.

    Nothing is connected before ``RunningService.start``.
    """

    def __init__(
        self, name: str, settings: Settings, transport: Transport, clock: Clock, *, open_store: Callable[[Publish], S]
    ) -> None:
        self.name = name
        self.clock = clock
        self.metrics = Metrics()
        self._settings = settings
        self._transport = transport
        self._publisher = Publisher(transport, name, metrics=self.metrics)
        self._gate = Gate()
        self.publish = self._publisher.publish
        self.store = open_store(self.publish)
        self._dead_letters = DeadLetterQueue(
            name,
            transport=transport,
            publisher=self._publisher,
            store=self.store.dead_letters(),
            clock=clock,
            metrics=self.metrics,
        )

    def service(
        self,
        *,
        routes: Sequence[Routes] = (),
        declared: Declared | None = None,
        subscriptions: Sequence[Subscribed] = (),
        periodic: Sequence[Part] = (),
        parts: Sequence[Part] = (),
        checks: Sequence[Check] = (),
        description: str = "",
    ) -> RunningService:
        """The service, not started. ``parts`` start after the store and before the consumers.

        ``declared`` adds its routes, and the job that lets documents expire; the caller subscribes to its commands. A
        route in ``routes`` takes the place of a declared one with the same method and path.
        """
        for subscription in subscriptions:
            if isinstance(subscription, CommandSubscription):
                subscription.keep_refusal = self.store.keep_refusal
        consumers = [
            Consumer(
                self._transport,
                ConsumerContext(subscription, self._publisher, self._dead_letters, self.clock, self.metrics),
            )
            for subscription in (*subscriptions, self._dead_letters.subscription())
        ]
        consuming = Consumers(self.name, self._transport, consumers)
        app = create_app(
            self.name,
            routes=[*(declared.routes(instead=routes) if declared else routes), dead_letter_routes(self._dead_letters)],
            metrics=self.metrics,
            checks=[
                Check("store", self._check_store),
                Check("broker", partial(self._transport.ping, _BROKER_TIMEOUT)),
                Check("outbox", self._check_outbox),
                Check("consumers", consuming.health),
                *checks,
            ],
            asyncapi=lambda: asyncapi(self.name),
            keep_refusal=self.store.keep_refusal,
            gate=self._gate,
            allowed_hosts=self._settings.allowed_hosts,
            cors_origins=self._settings.cors_origins,
            description=description,
        )
        return RunningService(
            self.name,
            app,
            opening=[Hook(stop=self._publisher.stop), self.store, Hook(start=self._push_clock)],
            parts=[
                *parts,
                Hook(start=self._open_gate),
                consuming,
                self.every(_SAMPLE_EVERY, "outbox gauges", self._sample_outbox),
                *([self.every(_EXPIRE_EVERY, "expire documents", declared.expire)] if declared else ()),
                *periodic,
            ],
            store=self.store,
            consumers=consumers,
            gate=self._gate,
        )

    def every(self, seconds: float, name: str, job: Callable[[], Awaitable[object]]) -> Worker:
        """A periodic job of this service."""
        return periodic(name, seconds, job, self.metrics)

    async def _push_clock(self) -> None:
        instant = await self.store.last_instant()
        if instant is not None and isinstance(self.clock, RunningClock):  # a test's clock stays where the test put it
            self.clock.push(instant)

    async def _open_gate(self) -> None:
        self._gate.closed = None

    async def _check_store(self) -> None:
        if self._gate.closed is not None:
            raise Unready(self._gate.closed)
        await self.store.ping()

    async def _check_outbox(self) -> Mapping[str, Any]:
        state = await self.store.outbox()
        waiting = self._age(state.oldest)
        if waiting > _OUTBOX_OLD:
            reason = f"{state.open} events are not published, the oldest for {waiting:.0f} s"
            too_large = self._publisher.oversized.summary()
            raise Unready(f"{too_large}; {reason}" if too_large is not None else reason)
        return {"Open": state.open, "OldestSeconds": round(waiting, 1)}

    async def _sample_outbox(self) -> None:
        state = await self.store.outbox()
        self.metrics.outbox_open.set(state.open)
        self.metrics.outbox_oldest_seconds.set(self._age(state.oldest))

    def _age(self, oldest: datetime | None) -> float:
        return max(0.0, (self.clock.now() - oldest).total_seconds()) if oldest else 0.0


class DocumentKit(ServiceKit[Store]):
    """The same for a service whose store holds versioned documents."""

    def __init__(self, name: str, settings: Settings, transport: Transport, clock: Clock) -> None:
        super().__init__(name, settings, transport, clock, open_store=partial(_open_store, settings, name))


def _open_store(settings: Settings, service: str, publish: Publish) -> Store:
    """The store of ``fleet_svc`` is the database ``fleet``, or ``fleet.db``; nothing is opened before its ``start``."""
    name = service.removesuffix("_svc")
    if settings.mongo_url is None:
        return SqliteStore(settings.data_dir / f"{name}.db", publish, source=service)
    from shared.documents.mongo import MongoStore

    return MongoStore(settings.mongo_url, name, publish, source=service)


def dead_letter_routes(dead_letters: DeadLetterQueue) -> Routes:
    """``GET /dlq``, ``GET /dlq/{Id}``, ``POST /dlq/{Id}/replay``, ``DELETE /dlq/{Id}``."""
    routes = Routes("dead letters", "The records that the service gave up, with the reason.", path_types={"Id": str})

    async def listed(request: Request) -> Response:
        page = page_of(query_of(request, PAGING))
        letters = await dead_letters.list(page.after, page.limit + 1)
        shown, more = letters[: page.limit], len(letters) > page.limit
        return page_response([letter.wire() for letter in shown], shown[-1].id if more else None)

    async def one(request: Request) -> Response:
        return json_response((await dead_letters.get(request.path_params["Id"])).wire())

    async def settle(act: Callable[[str], Awaitable[None]], outcome: str, request: Request) -> Response:
        letter_id = request.path_params["Id"]
        await act(letter_id)
        return json_response({"Id": letter_id, "Outcome": outcome})

    add, shown = routes.add, partial(routes.add, response=DeadLetter, action="dead-letter.read")
    summary = "Dead letters, by id"
    shown("GET", "/dlq", listed, operation_id="listDeadLetters", summary=summary, many=True, parameters=PAGING)
    summary = "One dead letter, with the record in base64"
    shown("GET", "/dlq/{Id}", one, operation_id="getDeadLetter", summary=summary)
    replay, drop = partial(settle, dead_letters.replay, "Replayed"), partial(settle, dead_letters.drop, "Dropped")
    end = partial(add, response=SettledLetter, conditional=False, has_cause=False)
    path, summary = "/dlq/{Id}/replay", "Handle its record again; 409 when it fails again"
    end("POST", path, replay, action="dead-letter.replay", operation_id="replayDeadLetter", summary=summary)
    path, summary = "/dlq/{Id}", "Forget it for good"
    end("DELETE", path, drop, action="dead-letter.drop", operation_id="dropDeadLetter", summary=summary)
    return routes
