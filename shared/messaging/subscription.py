"""What a service consumes: the topics of a consumer group, each with its contract and its handler."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, Protocol, TypeVar

import structlog
from pydantic import ValidationError

from shared.cause import AUTOMATION, Cause, digest_of
from shared.clock import Clock
from shared.envelope import Message, Record, decode, plain_type
from shared.errors import Poison, Refused, UnderWay
from shared.schemas.base import WireModel
from shared.schemas.results import Outcome
from shared.schemas.topics import TOPICS, Topic
from shared.schemas.validation import field_errors
from shared.trace import Trace

log = structlog.get_logger(__name__)

M = TypeVar("M", bound=WireModel)
D_co = TypeVar("D_co", covariant=True)

_ANY_TYPE: Final = b"*"


@dataclass(slots=True, eq=False)
class Received(Generic[D_co]):
    """One record: ``data`` is its validated contract (a command's is its body), ``message`` its envelope.

    The envelope of a plain record is decoded when it is first asked for; one that cannot be is Poison then.
    """

    record: Record
    data: D_co
    _message: Message | None = None

    @property
    def message(self) -> Message:
        if self._message is None:
            self._message = decode(self.record)
        return self._message

    @property
    def effect(self) -> Trace:
        """The trace of what this causes."""
        message = self.message
        return message.trace._replace(causation_id=message.id)

    def cause(self, clock: Clock) -> Cause:
        """The cause of what is written because of this message. Its id is the message's, the same at a redelivery.

        The digest is that of its type and its data.
        """
        message = self.message
        return Cause(
            now=clock.now(),
            user=AUTOMATION,
            trace=self.effect,
            id=message.cause_id,
            digest=digest_of(b"\n".join((message.type.encode(), message.data))),
        )


@dataclass(frozen=True, slots=True)
class Done:
    """A record that is done: accepted, or refused by a rule. Its ``answers`` are published before it is settled."""

    outcome: Outcome
    answers: tuple[Message, ...] = ()


@dataclass(frozen=True, slots=True)
class Handler(Generic[M]):
    """What handles the events of some topics, all of one contract. Must be idempotent.

    Give either ``each``, which gets one event at a time: keys concurrently, the events of a key in their order; or
    ``bulk``, which gets the events of a batch in one call, in their order. When a call fails, even half-way, its events
    are handled one by one, in calls of one.
    """

    model: type[M]
    topics: Sequence[str]
    each: Callable[[Received[M]], Awaitable[None]] | None = None
    bulk: Callable[[Sequence[Received[M]]], Awaitable[None]] | None = None

    @property
    def one(self) -> Callable[[Received[M]], Awaitable[None]]:
        """What handles one event."""
        bulk = self.bulk
        if bulk is not None:
            return lambda received: bulk([received])
        if self.each is None:
            raise TypeError("a handler handles each event, or many in bulk")
        return self.each


class Subscribed(Protocol):
    """What a consumer needs to know of a subscription, be it to events or to commands."""

    @property
    def group(self) -> str: ...
    @property
    def topics(self) -> tuple[str, ...]: ...
    @property
    def handle_all(self) -> Callable[[Sequence[Received[Any]]], Awaitable[None]] | None:
        """Handles many records in one call; None: they are handled one by one."""

    def read(self, record: Record) -> Received[Any]:
        """The record decoded and validated. Poison when it can never be."""

    async def handle(self, received: Received[Any], clock: Clock) -> Done:
        """Handle one record. Unavailable and UnderWay: try again; Poison: never; any other error: a few times more."""


class Subscription:
    """The events of some topics, handled under one consumer group (``<service>.<purpose>``).

    Members that a newer producer added are ignored. A batch is handled in bulk when all handlers are ``bulk``; the
    events of one handler stay in order, those of two do not.
    """

    def __init__(self, group: str, *handlers: Handler[Any], registry: Mapping[str, Topic] = TOPICS) -> None:
        self.group = group
        self.topics = tuple(name for handler in handlers for name in handler.topics)
        self.handle_all = self._all_handled if all(handler.bulk for handler in handlers) else None
        self._handlers = handlers
        handler_of = {name: handler for handler in handlers for name in handler.topics}
        self._handle_one = {name: handler.one for name, handler in handler_of.items()}
        self._contracts: dict[tuple[str, bytes], tuple[type[WireModel], Callable[..., WireModel]]] = {}
        for name, handler in handler_of.items():
            for kind in registry[name].messages:
                if not issubclass(kind.model, handler.model):
                    raise TypeError(f"{name} carries {kind.model.__name__}, its handler takes {handler.model.__name__}")
                validate = kind.model.__pydantic_validator__.validate_json
                self._contracts[name, kind.ce_type.encode()] = (kind.model, validate)

    def read(self, record: Record) -> Received[Any]:
        message, ce_type = None, plain_type(record)
        if ce_type is None:
            message = decode(record)
            ce_type = message.type.encode()
        contract = self._contracts.get((record.topic, ce_type)) or self._contracts.get((record.topic, _ANY_TYPE))
        if contract is None:
            raise Poison(f"{record.topic} does not carry the ce_type {ce_type.decode(errors='replace')}")
        model, validate = contract
        try:
            data = validate(message.data if message else record.value or b"", extra="ignore")
        except ValidationError as error:
            listed = "; ".join(f"{item.pointer or '/'}: {item.detail}" for item in field_errors(error))
            raise Poison(f"the data is no {model.__name__}: {listed}") from None
        return Received(record, data, message)

    async def handle(self, received: Received[Any], clock: Clock) -> Done:
        try:
            await self._handle_one[received.record.topic](received)
        except UnderWay:
            raise
        except Refused as refusal:  # nobody waits for an answer
            log.info("an event was refused", type=received.message.type, reason=refusal.detail)
            return _REFUSED
        return _ACCEPTED

    async def _all_handled(self, batch: Sequence[Received[Any]]) -> None:
        for handler in self._handlers:
            if handler.bulk is None:
                continue
            own = batch
            if len(self._handlers) > 1:
                own = [received for received in batch if received.record.topic in handler.topics]
            if own:
                await handler.bulk(own)


_ACCEPTED: Final = Done(Outcome.ACCEPTED)
_REFUSED: Final = Done(Outcome.REFUSED)
