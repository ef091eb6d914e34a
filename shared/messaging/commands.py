"""The commands of a topic: each is validated, handed to the use case that HTTP calls as well, and answered."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Generic, Protocol, TypeAlias, TypeVar

import orjson

from shared.cause import Cause, KeepRefusal, UseCase, digest_of_request
from shared.clock import Clock
from shared.conditions import parse_condition, refuse_condition
from shared.envelope import Message, Record
from shared.errors import BadInput, Refused, UnderWay
from shared.messaging.command_envelope import read_body, read_envelope
from shared.messaging.subscription import Done, Received
from shared.schemas.base import CommandBody
from shared.schemas.results import Accepted, CommandResult, Outcome
from shared.schemas.topics import COMMAND_RESULTS, TOPICS, Topic
from shared.schemas.validation import validated
from shared.security import author_of, authorize, caller_of_message, check_action

C = TypeVar("C", bound=CommandBody)

Body: TypeAlias = Mapping[str, Any] | Refused
"""What a command asks for as JSON, or the refusal that it is answered with."""


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

    A dead letter is only what rule 5.24a names: a record without one of the required attributes or a JSON object. Every
    other fault is answered Refused, as over HTTP. ``keep_refusal`` keeps a refusal as the command's idempotency record;
    the kit sets it to that of the service's store.
    """

    handle_all = None
    keep_refusal: KeepRefusal | None = None

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

    def read(self, record: Record) -> Received[Body]:
        message, faults = read_envelope(record)
        body: Body = read_body(message)
        if faults:
            body = BadInput("the command has bad attributes; see errors", faults)
        return Received(record, body, message)

    async def handle(self, received: Received[Body], clock: Clock) -> Done:
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

    async def _obeyed(self, received: Received[Body], clock: Clock) -> Accepted:
        """Obeys a command under the cause of its writes: who asks, why, and under which id.

        The id is the asker's, ce_source and ce_id (rules 3.33, 3.36), so that two askers never meet in one record.
        """
        message, body = received.message, received.data
        if isinstance(body, Refused):
            raise body
        given = {name: body[name] for name in ("AuditMetadata",) if name in body}
        audit = validated(CommandBody, given).audit_metadata
        user = author_of(caller_of_message(message), audit)
        cause = Cause(
            now=clock.now(),
            user=user,
            trace=received.effect,
            id=f"{user}\n{message.source}\n{message.id}",
            digest=digest_of_request(message.type, body, if_match=message.if_match),
            message=audit.message if audit else None,
        )
        try:
            return await self._called(message, body, cause)
        except UnderWay:
            raise
        except Refused as refusal:
            if self.keep_refusal is not None:
                await self.keep_refusal(cause, refusal)
            raise

    async def _called(self, message: Message, body: Mapping[str, Any], cause: Cause) -> Accepted:
        """Calls the command's use case with its contract."""
        command = self.commands.get(message.type)
        if command is None:
            known = ", ".join(sorted(self.commands))
            raise BadInput(f"{self.topic} knows no {message.type}; it knows {known}", slug="unknown-command")
        condition = parse_condition(message.if_match, bare=True)
        contract = validated(command.model, body)
        authorize(caller_of_message(message), command.action)
        if not command.conditional:
            refuse_condition(condition, name="ce_ifmatch")
        outcome = await command.use_case(contract, replace(cause, condition=condition))
        return outcome if isinstance(outcome, Accepted) else outcome.accepted
