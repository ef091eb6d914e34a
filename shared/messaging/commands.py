"""The commands of a topic: each is validated, handed to the use case that HTTP calls as well, and answered."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Generic, Protocol, TypeVar

import orjson

from shared.cause import UseCase, parse_if_match, refuse_condition
from shared.clock import Clock
from shared.envelope import Message, Record, decode
from shared.errors import BadInput, Poison, Refused, UnderWay
from shared.messaging.subscription import Done, Received
from shared.schemas.base import NAME_RULE, CommandBody, is_name
from shared.schemas.results import Accepted, CommandResult, Outcome
from shared.schemas.topics import COMMAND_RESULTS, TOPICS, Topic
from shared.schemas.validation import validated
from shared.security import author_of, authorize, caller_of_message, check_action

C = TypeVar("C", bound=CommandBody)


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
    use_case: UseCase[C, Acceptable | Accepted]
    action: str
    conditional: bool = True

    def __post_init__(self) -> None:
        check_action(self.action)

    @property
    def name(self) -> str:
        return self.model.__name__


class CommandSubscription:
    """The commands of one topic. The answer of each is on ``command.results`` before the command is settled.

    A command of an unknown type, or with a body that does not fit, is answered Refused, as over HTTP.
    """

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
        self.owner = registry[topic].owner
        self.group = f"{self.owner}.commands"
        self.commands = {command.name: command for command in commands}
        self._results = results

    def read(self, record: Record) -> Received[Mapping[str, Any]]:
        message = decode(record)
        for attribute, value in (("ce_id", message.id), ("ce_source", message.source), ("ce_user", message.user)):
            if value is not None and not is_name(value):  # the answer could not carry it
                raise Poison(f"{attribute} of a command must be {NAME_RULE}")
        return Received(record, message.body(), message)

    async def handle(self, received: Received[Mapping[str, Any]], clock: Clock) -> Done:
        accepted, problem = Accepted(), None
        try:
            accepted = await self._obeyed(received, clock)
        except UnderWay:
            raise
        except Refused as refusal:
            problem = refusal.problem()
        message, outcome = received.message, Outcome.REFUSED if problem else Outcome.ACCEPTED
        result = CommandResult(
            command_id=message.id,
            source=message.source,
            outcome=outcome,
            id=accepted.id,
            version_id=accepted.version,
            problem=problem,
        )
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

    async def _obeyed(self, received: Received[Mapping[str, Any]], clock: Clock) -> Accepted:
        """Calls the command's use case with the cause of its writes: who asks, why, and for which version."""
        message = received.message
        command = self.commands.get(message.type)
        if command is None:
            known = ", ".join(sorted(self.commands))
            raise BadInput(f"{self.topic} knows no {message.type}; it knows {known}", slug="unknown-command")
        body = validated(command.model, received.data)
        caller, audit, condition = caller_of_message(message), body.audit_metadata, parse_if_match(message.if_match)
        reason = audit.message if audit else None
        cause = replace(received.cause(clock), user=author_of(caller, audit), message=reason, if_match=condition)
        authorize(caller, command.action)
        if not command.conditional:
            refuse_condition(condition, "ce_ifmatch")
        outcome = await command.use_case(body, cause)
        return outcome if isinstance(outcome, Accepted) else outcome.accepted
