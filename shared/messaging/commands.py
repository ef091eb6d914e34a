"""The commands of a topic: each is validated, handed to the use case that HTTP calls as well, and answered."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Generic, Literal, Protocol, TypeVar

import orjson

from shared.cause import Cause, parse_if_match, refuse_condition
from shared.clock import Clock
from shared.envelope import Message, Record, decode
from shared.errors import BadInput, Poison, Refused, UnderWay
from shared.messaging.subscription import Done, Received, message_digest, registered
from shared.schemas.base import NAME_RULE, CommandBody, is_name
from shared.schemas.results import Accepted, CommandResult, Outcome
from shared.schemas.topics import COMMAND_RESULTS, TOPICS, Topic
from shared.schemas.validation import validated
from shared.security import ACTION_RULE, author_of, authorize, caller_of_message, is_action

C = TypeVar("C", bound=CommandBody)

_EMPTY: Final = CommandBody()


class Acceptable(Protocol):
    """The outcome of a use case, with what its command is answered."""

    @property
    def accepted(self) -> Accepted: ...


@dataclass(frozen=True, slots=True)
class Command(Generic[C]):
    """One command: its contract, whose name is its ce_type, and its use case.

    ``action`` is what the asker needs permission for, such as ``event.create``. ``conditional``: whether the command
    has a version to compare; a ce_ifmatch on one that has none is refused (400), because it would seem to have held.
    """

    model: type[C]
    use_case: Callable[[C, Cause], Awaitable[Acceptable | Accepted]]
    action: str
    conditional: bool = True

    def __post_init__(self) -> None:
        if not is_action(self.action):
            raise ValueError(f"the action of {self.name} must be {ACTION_RULE}")

    @property
    def name(self) -> str:
        return self.model.__name__

    def validated(self, body: Mapping[str, Any]) -> C:
        """The body by its contract. BadInput, as over HTTP, when it does not fit.

        Managed fields are ignored, so that a document may be sent back as it was read.
        """
        return validated(self.model, body)


@dataclass(slots=True, eq=False)
class ReceivedCommand(Received[CommandBody]):
    """A command as it was read. ``refusal`` says why its use case cannot be called; its ``data`` is empty then."""

    refusal: Refused | None = None

    def cause(self, clock: Clock) -> Cause:
        """The cause of the command's writes: who asks (ce_user, else AuditMetadata.User, else anonymous), and why.

        BadInput for a ce_ifmatch that is no entity tag.
        """
        message, audit = self.message, self.data.audit_metadata
        return Cause(
            now=clock.now(),
            user=author_of(caller_of_message(message), audit),
            trace=self.effect,
            id=message.cause_id,
            digest=message_digest(message),
            message=audit.message if audit else None,
            if_match=parse_if_match(message.if_match),
        )


class CommandSubscription:
    """The commands of one topic. The answer of each is on ``command.results`` before the command is settled.

    A command of an unknown type, or with a body that does not fit, is answered Refused, as over HTTP.
    """

    from_: Literal["earliest", "latest"] = "earliest"
    handle_all = None

    def __init__(
        self,
        topic: str,
        commands: Iterable[Command[Any]],
        *,
        registry: Mapping[str, Topic] = TOPICS,
        results: str = COMMAND_RESULTS,
    ) -> None:
        self.topic = topic
        self.topics = (topic,)
        self.owner = registered(registry, topic).owner
        self.group = f"{self.owner}.commands"
        self.commands = {command.name: command for command in commands}
        self._results = results

    def read(self, record: Record) -> ReceivedCommand:
        message = decode(record)
        for attribute, value in (("ce_id", message.id), ("ce_source", message.source), ("ce_user", message.user)):
            if value is not None and not is_name(value):  # the answer could not carry it
                raise Poison(f"{attribute} of a command must be {NAME_RULE}")
        body = message.body()
        command = self.commands.get(message.type)
        try:
            if command is None:
                known = ", ".join(sorted(self.commands))
                raise BadInput(f"{self.topic} knows no {message.type}; it knows {known}", slug="unknown-command")
            return ReceivedCommand(record, command.validated(body), message)
        except Refused as refusal:
            return ReceivedCommand(record, _EMPTY, message, refusal)

    async def handle(self, received: Received[Any], clock: Clock) -> Done:
        try:
            accepted = await self._obeyed(received, clock)
        except UnderWay:
            raise
        except Refused as refusal:
            return self._answered(received, clock, Outcome.REFUSED, problem=refusal.problem())
        return self._answered(received, clock, Outcome.ACCEPTED, id=accepted.id, version_id=accepted.version)

    async def _obeyed(self, received: Received[Any], clock: Clock) -> Accepted:
        if isinstance(received, ReceivedCommand) and received.refusal is not None:
            raise received.refusal
        command, cause = self.commands[received.message.type], received.cause(clock)
        authorize(caller_of_message(received.message), command.action)
        if not command.conditional:
            refuse_condition(cause.if_match, "ce_ifmatch")
        outcome = await command.use_case(received.data, cause)
        return outcome if isinstance(outcome, Accepted) else outcome.accepted

    def _answered(self, received: Received[Any], clock: Clock, outcome: Outcome, **members: Any) -> Done:
        message = received.message
        result = CommandResult(command_id=message.id, source=message.source, outcome=outcome, **members)
        answer = Message(
            topic=self._results,
            type=message.type,
            key=message.key,
            data=orjson.dumps(result.wire()),
            source=self.owner,
            time=clock.now(),
            trace=received.effect,
            id=f"{message.cause_id}:result",
        )
        return Done(outcome, (answer,))
