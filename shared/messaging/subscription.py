"""Owns what a service says of what it consumes: which topics, by which handlers or use cases, and what those get."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, Protocol

import orjson
import structlog
from pydantic import ValidationError

from shared.cause import AUTOMATION, Cause, digest_of
from shared.clock import Clock
from shared.envelope import Message, Record, decode, plain_type
from shared.errors import BadInput, Poison, Refused, UnderWay
from shared.schemas.base import MANAGED_FIELDS, NAME_RULE, WireModel, field_errors, is_name
from shared.schemas.results import CommandResult, Outcome
from shared.schemas.topics import COMMAND_RESULTS, TOPICS, Topic
from shared.trace import Trace

__all__ = [
    "Answered",
    "Bulk",
    "Command",
    "CommandSubscription",
    "Done",
    "Each",
    "EventHandler",
    "Received",
    "Subscribed",
    "Subscription",
    "bulk",
    "each",
]

log = structlog.get_logger(__name__)

_Contract = tuple[type[WireModel], Callable[..., WireModel]]

_ANONYMOUS: Final = "anonymous"
_ANY_TYPE: Final = b"*"


class Received:
    """One record, validated: ``data`` as its contract reads it, ``body`` as it was sent, ``message`` its envelope.

    Envelope and body are read when they are first asked for; one that cannot be is Poison then.
    ``refusal`` says why a command's body cannot be accepted; its use case is then not called, and ``data`` is empty.
    """

    __slots__ = ("_body", "_message", "data", "is_command", "record", "refusal")

    def __init__(
        self, message: Message | None, data: WireModel, body: dict[str, Any] | None, record: Record, *,
        is_command: bool = False, refusal: Refused | None = None,
    ) -> None:  # fmt: skip
        self._message = message  # None: it is plain, and not read yet
        self._body = body
        self.data = data
        self.record = record
        self.is_command = is_command
        self.refusal = refusal

    @property
    def message(self) -> Message:
        if self._message is None:
            self._message = decode(self.record)
        return self._message

    @property
    def body(self) -> dict[str, Any]:
        if self._body is None:
            self._body = self.message.body()
        return self._body

    @property
    def effect(self) -> Trace:
        """The trace of what this causes."""
        return self.message.trace.caused_by(self.message.id)

    def cause(self, clock: Clock, user: str = AUTOMATION) -> Cause:
        """The cause of what is written because of this: its id is the message's, so that a redelivery is known.

        Of a command the user and the reason are the asker's (ce_user, else AuditMetadata.User, else anonymous).
        """
        message, reason = self.message, None
        if self.is_command:
            user = message.user or self._audit("User") or _ANONYMOUS
            reason = self._audit("Message")
        return Cause(
            now=clock.now(),
            user=user,
            trace=self.effect,
            id=message.cause_id,
            digest=digest_of(b"\n".join((message.type.encode(), (message.if_match or "").encode(), message.data))),
            message=reason,
        )

    def _audit(self, name: str) -> str | None:
        audit = self.body.get("AuditMetadata")
        value = audit.get(name) if isinstance(audit, dict) else None
        return value if isinstance(value, str) else None


@dataclass(frozen=True, slots=True)
class Done:
    """A record that is done: accepted, or refused by a rule; ``answers`` must be acknowledged before it counts."""

    outcome: Outcome
    answers: tuple[Message, ...] = ()


@dataclass(frozen=True, slots=True)
class Each:
    """A handler of one record at a time."""

    handle: Callable[[Received], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Bulk:
    """A handler of all of a batch's records at once; falls back to one at a time when it fails."""

    handle: Callable[[Sequence[Received]], Awaitable[None]]


EventHandler = Each | Bulk


def each(handle: Callable[[Received], Awaitable[None]]) -> Each:
    """Handle one record at a time: keys concurrently, the records of a key in their order. Must be idempotent."""
    return Each(handle)


def bulk(handle: Callable[[Sequence[Received]], Awaitable[None]]) -> Bulk:
    """Handle the records of a batch together, in their order. Must be idempotent, also when it fails half-way."""
    return Bulk(handle)


class Subscribed(Protocol):
    """What a consumer needs to know of either kind of subscription."""

    @property
    def group(self) -> str: ...
    @property
    def topics(self) -> tuple[str, ...]: ...
    @property
    def from_(self) -> Literal["earliest", "latest"]: ...
    @property
    def bulk_handler(self) -> Callable[[Sequence[Received]], Awaitable[None]] | None: ...

    def read(self, record: Record) -> Received:
        """The record decoded and validated. Poison when it can never be."""

    async def handle(self, received: Received, clock: Clock) -> Done:
        """Handle one record. Unavailable and UnderWay: try again; Poison: never; anything else: a few times more."""


@dataclass(frozen=True, slots=True)
class Subscription:
    """Events of some topics, handled under one consumer group (``<service>.<purpose>``).

    ``from_``: where a group that never committed begins. Fields a newer producer added are ignored.
    """

    group: str
    topics: tuple[str, ...]
    handler: EventHandler
    from_: Literal["earliest", "latest"] = "earliest"
    registry: Mapping[str, Topic] = field(default_factory=lambda: TOPICS, repr=False)
    _contracts: dict[tuple[str, bytes], _Contract] = field(init=False, repr=False, default_factory=dict)

    def __post_init__(self) -> None:
        for name in self.topics:
            for kind in _registered(self.registry, name).messages:
                validate = kind.model.__pydantic_validator__.validate_json
                self._contracts[name, kind.ce_type.encode()] = (kind.model, validate)

    @property
    def bulk_handler(self) -> Callable[[Sequence[Received]], Awaitable[None]] | None:
        return self.handler.handle if isinstance(self.handler, Bulk) else None

    def read(self, record: Record) -> Received:
        message, ce_type = None, plain_type(record)
        if ce_type is None:
            message = decode(record)
            ce_type = message.type.encode()
        contract = self._contracts.get((record.topic, ce_type)) or self._contracts.get((record.topic, _ANY_TYPE))
        if contract is None:
            raise Poison(f"ce_type {ce_type.decode(errors='replace')} is none that {record.topic} carries")
        model, validate = contract
        try:
            data = validate(message.data if message else record.value or b"", extra="ignore")
        except ValidationError as error:
            raise Poison(f"the data is no {model.__name__}: {_listed(error)}") from None
        return Received(message, data, None, record)

    async def handle(self, received: Received, clock: Clock) -> Done:
        try:
            if isinstance(self.handler, Bulk):
                await self.handler.handle([received])
            else:
                await self.handler.handle(received)
        except UnderWay:
            raise
        except Refused as refusal:  # nobody asked, so nobody is answered
            log.info("an event was refused", type=received.message.type, reason=refusal.detail)
            return _REFUSED
        return _ACCEPTED


@dataclass(frozen=True, slots=True)
class Answered:
    """What an accepted command answers with: the resource's id and version, where it has them."""

    id: str | None = None
    version: int | None = None


@dataclass(frozen=True, slots=True)
class Command:
    """One command: its contract, and the use case that HTTP calls as well.

    ``beside`` names members the body may hold beside the contract's: composite keys the use case compares
    (``ProjectionId``). Managed fields are let through too, so that a document may be sent back as it was read.
    """

    model: type[WireModel]
    use_case: Callable[[Received], Awaitable[Answered]]
    beside: frozenset[str] = frozenset()

    def validated(self, body: dict[str, Any]) -> WireModel:
        """The body by its contract. BadInput, as HTTP would answer, when it does not fit."""
        known = _wire_names(self.model)
        fit = {
            name: value
            for name, value in body.items()
            if name in known or (name not in MANAGED_FIELDS and name not in self.beside)
        }
        try:
            return self.model.model_validate(fit)
        except ValidationError as error:
            raise BadInput(f"the data is no {self.model.__name__}", field_errors(error)) from None


@dataclass(frozen=True, slots=True)
class CommandSubscription:
    """The commands of one topic, each answered on ``command.results`` before it counts as done.

    One whose type nobody knows, or whose body does not fit, is answered Refused, as HTTP would.
    """

    topic: str
    commands: Mapping[str, Command]
    registry: Mapping[str, Topic] = field(default_factory=lambda: TOPICS, repr=False)
    results: str = COMMAND_RESULTS
    from_: Literal["earliest", "latest"] = "earliest"

    @property
    def owner(self) -> str:
        return _registered(self.registry, self.topic).owner

    @property
    def group(self) -> str:
        return f"{self.owner}.commands"

    @property
    def topics(self) -> tuple[str, ...]:
        return (self.topic,)

    @property
    def bulk_handler(self) -> None:
        return None

    def read(self, record: Record) -> Received:
        message = decode(record)
        for attribute, value in (("ce_id", message.id), ("ce_source", message.source), ("ce_user", message.user)):
            if value is not None and not is_name(value):  # it could be obeyed, but not answered
                raise Poison(f"{attribute} of a command must be {NAME_RULE}")
        body = message.body()
        command = self.commands.get(message.type)
        try:
            if command is None:
                known = ", ".join(sorted(self.commands))
                raise BadInput(f"{self.topic} knows no {message.type}; it knows {known}", slug="unknown-command")
            return Received(message, command.validated(body), body, record, is_command=True)
        except Refused as refusal:
            return Received(message, _EMPTY, body, record, is_command=True, refusal=refusal)

    async def handle(self, received: Received, clock: Clock) -> Done:
        message = received.message
        asked = {"command_id": message.id, "source": message.source}
        try:
            if received.refusal is not None:
                raise received.refusal
            answered = await self.commands[message.type].use_case(received)
            result = CommandResult(**asked, outcome=Outcome.ACCEPTED, id=answered.id, version_id=answered.version)
        except UnderWay:
            raise
        except Refused as refusal:
            result = CommandResult(**asked, outcome=Outcome.REFUSED, problem=refusal.problem())
        answer = Message(
            topic=self.results,
            type=message.type,
            key=message.key,
            data=orjson.dumps(result.wire()),
            source=self.owner,
            time=clock.now(),
            trace=received.effect,
            id=f"{message.cause_id}:result",
        )
        return Done(result.outcome, (answer,))


_EMPTY: Final = WireModel()
_ACCEPTED: Final = Done(Outcome.ACCEPTED)
_REFUSED: Final = Done(Outcome.REFUSED)


def _registered(registry: Mapping[str, Topic], name: str) -> Topic:
    if name not in registry:
        raise KeyError(f"topic {name} is not in the registry (shared/schemas/topics.py)")
    return registry[name]


def _wire_names(model: type[WireModel]) -> set[str]:
    return {info.alias or name for name, info in model.model_fields.items()}


def _listed(error: ValidationError) -> str:
    return "; ".join(f"{item.pointer or '/'}: {item.detail}" for item in field_errors(error))
