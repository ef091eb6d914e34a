"""What ``epic produce`` refuses before it sends anything: a message that its topic's contract does not take."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import ValidationError

from epic.failure import CommandFailed
from shared.conditions import parse_condition
from shared.envelope import Message
from shared.errors import BadInput, FieldError
from shared.schemas.base import NAME_RULE, is_name
from shared.schemas.decoding import decode_object
from shared.schemas.topics import TOPICS, MessageType, Topic
from shared.schemas.validation import field_errors

_ANYWAY = "or give --unchecked to send it anyway"
_LONGEST_KEY = 512  # characters; the longest joined key


def check_message(message: Message) -> None:
    """CommandFailed names the topic, the type, or each option and member of the data that the contract does not take.

    A command is checked as its service checks it, so that what goes out is answered for what it asks, not for its form.
    """
    topic = TOPICS.get(message.topic)
    if topic is None:
        raise CommandFailed(f"there is no topic {message.topic}; `epic topics` lists them")
    kind = _kind_of(message, topic)
    is_command = message.topic.endswith(".commands")
    bad = [*_bad_options(message, is_command=is_command), *_bad_members(message, kind, is_command=is_command)]
    if bad:
        fields = "; ".join(f"{error.pointer or 'the data'}: {error.detail}" for error in bad)
        raise CommandFailed(f"this is no {kind.model.__name__} ({fields}); correct it, {_ANYWAY}")


def _kind_of(message: Message, topic: Topic) -> MessageType:
    kind = topic.message(message.type) or topic.message("*")
    if kind is None:
        types = ", ".join(known.ce_type for known in topic.messages)
        raise CommandFailed(f"{topic.name} carries no {message.type}; give --type one of {types}, {_ANYWAY}")
    return kind


def _bad_options(message: Message, *, is_command: bool) -> Iterator[FieldError]:
    if not 0 < len(message.key) <= _LONGEST_KEY:
        yield FieldError("--key", f"give 1 to {_LONGEST_KEY} characters")
    for option, value in (("--id", message.id), ("--user", message.user)):
        if value is not None and not is_name(value):
            yield FieldError(option, f"give {NAME_RULE}")
    if is_command:
        try:
            parse_condition(message.if_match, bare=True)
        except BadInput as error:
            yield from (FieldError("--if-match", one.detail) for one in error.errors)


def _bad_members(message: Message, kind: MessageType, *, is_command: bool) -> list[FieldError]:
    try:
        body = decode_object(message.data)
    except BadInput as error:
        if error.errors:
            return list(error.errors)
        raise CommandFailed(f"the data is not one JSON object; correct it, {_ANYWAY}") from None
    try:
        # Consumers of events ignore members that they do not know.
        kind.model.model_validate(body, by_alias=True, by_name=False, extra=None if is_command else "ignore")
    except ValidationError as error:
        return field_errors(error)
    return []
