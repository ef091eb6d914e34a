"""Reads the envelope of a command: what cannot be answered is Poison, every other fault is named, to be answered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from shared.clock import parse_instant
from shared.envelope import Message, Record, binary_form, decode
from shared.errors import BadInput, FieldError, Poison, Refused, TooLarge
from shared.schemas.base import BODY_LIMIT, NAME_RULE, is_name
from shared.schemas.decoding import NO_OBJECT, decode_object
from shared.trace import Trace

_KEY_LENGTH: Final = 512  # that of the longest key of a document
CONDITION_LENGTH: Final = 4_096
"""The most characters of a command's condition: hundreds of entity tags."""
_ANSWERED_LENGTH: Final = 255  # what an answer repeats of an attribute that is too long


def read_envelope(record: Record) -> tuple[Message, list[FieldError]]:
    """The command in a record, and the faults of its envelope.

    Poison when it lacks ce_id, ce_source, ce_type or ce_specversion (rule 5.24a). The message of a faulty command has
    only what its answer repeats, so much of it as an answer can carry, with what is not UTF-8 escaped.
    """
    faults: list[FieldError] = []
    try:
        message = decode(record)
    except Poison:
        message = decode(_readable(binary_form(record), faults))
    faults += _unusable(message)
    return (_answerable(message) if faults else message), faults


def read_body(message: Message) -> dict[str, Any] | Refused:
    """The command's body, or the refusal that it is answered with. Poison when it is no JSON object (rule 5.24a)."""
    try:
        body = decode_object(message.data)
    except BadInput as error:
        if error.slug in NO_OBJECT:
            raise Poison(f"the data is not a JSON object: {error.detail}") from None
        return error
    if len(message.data) > BODY_LIMIT:
        return TooLarge(f"the body is over {BODY_LIMIT} bytes; send less, or several commands")
    return body


def _readable(record: Record, faults: list[FieldError]) -> Record:
    """The record with its envelope made readable; each place where it was not is added to the faults."""

    def text(name: str, value: bytes) -> str:
        readable = value.decode("utf-8", "backslashreplace")
        if readable.encode() != value:
            faults.append(FieldError(f"/{name}", "give UTF-8"))
        return readable

    headers: list[tuple[str, bytes | None]] = []
    for name, value in record.headers:
        if value is None or not (name.startswith("ce_") or name == "traceparent"):
            continue
        readable = text(name, value)
        if name == "ce_specversion" and readable != "1.0":
            faults.append(FieldError("/ce_specversion", "give 1.0"))
            readable = "1.0"
        if name == "ce_time":
            try:
                parse_instant(readable)
            except ValueError as error:
                faults.append(FieldError("/ce_time", str(error)))
                continue
        headers.append((name, readable.encode()))
    key = None if record.key is None else text("key", record.key).encode()
    return Record(record.topic, record.partition, record.offset, record.timestamp, key, record.value, headers)


def _unusable(message: Message) -> list[FieldError]:
    """The attributes that no idempotency record, no event and no answer could carry."""
    trace = message.trace
    names: Mapping[str, str | None] = {
        "ce_id": message.id,
        "ce_source": message.source,
        "ce_type": message.type,
        "ce_user": message.user,
        "ce_correlationid": None if trace.correlation_id == message.id else trace.correlation_id,  # the default
        "traceparent": trace.traceparent,
    }
    lengths = {"key": (message.key, _KEY_LENGTH), "ce_ifmatch": (message.if_match or "", CONDITION_LENGTH)}
    found = [FieldError(f"/{n}", f"give {NAME_RULE}") for n, value in names.items() if value and not is_name(value)]
    found += [
        FieldError(f"/{n}", f"give at most {most} characters")
        for n, (value, most) in lengths.items()
        if len(value) > most
    ]
    return found


def _answerable(message: Message) -> Message:
    most = _ANSWERED_LENGTH
    return replace(
        message,
        id=message.id[:most],
        source=message.source[:most],
        type=message.type[:most],
        key=message.key[:_KEY_LENGTH],
        trace=Trace(message.trace.correlation_id[:most]),
        if_match=None,
        user=None,
    )
