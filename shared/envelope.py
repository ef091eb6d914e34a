"""A message on Kafka: CloudEvents 1.0, written in binary mode, read in binary and in structured mode."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

import orjson

from shared import exact_json
from shared.clock import iso, parse_instant
from shared.errors import Poison
from shared.trace import Trace, new_id

_STRUCTURED: Final = b"application/cloudevents+json"
_VERSION: Final = ("ce_specversion", b"1.0")
_CONTENT: Final = ("content-type", b"application/json")
_OPTIONAL: Final = ("ce_correlationid", "ce_causationid", "traceparent", "ce_subject", "ce_ifmatch", "ce_user")
_REQUIRED: Final = ("id", "source", "type", "specversion")


@dataclass(frozen=True, slots=True)
class Record:
    """A record with those members of aiokafka's ConsumerRecord that EPIC uses; either serves where one is asked for.

    ``timestamp`` is in milliseconds since the epoch.
    """

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]]


@dataclass(frozen=True, slots=True)
class Message:
    """One CloudEvent. ``data``: a JSON object's bytes; ``key``: the Kafka key; ``if_match``: a command's condition."""

    topic: str
    type: str
    key: str
    data: bytes
    source: str
    time: datetime
    trace: Trace
    id: str = field(default_factory=new_id)
    subject: str | None = None
    if_match: str | None = None
    user: str | None = None

    @property
    def cause_id(self) -> str:
        """Identifies this message across redeliveries."""
        return f"{self.source}/{self.id}"

    @property
    def identity(self) -> tuple[str, str, str]:
        """Names this message among those of all topics; a message that is published again has the same one."""
        return self.topic, self.source, self.id

    def body(self) -> dict[str, Any]:
        """The data as a JSON object. Poison when it is not one."""
        return _json_object(self.data, "the data")


def encode_headers(message: Message) -> list[tuple[str, bytes]]:
    """The Kafka headers of binary mode."""
    trace = message.trace
    headers = [
        ("ce_id", message.id.encode()),
        ("ce_source", message.source.encode()),
        ("ce_type", message.type.encode()),
        _VERSION,
        ("ce_time", iso(message.time).encode()),
        ("ce_subject", (message.subject or message.key).encode()),
        ("ce_correlationid", trace.correlation_id.encode()),
        _CONTENT,
    ]
    if trace.causation_id is not None:
        headers.append(("ce_causationid", trace.causation_id.encode()))
    if trace.traceparent is not None:
        headers.append(("traceparent", trace.traceparent.encode()))
    if message.if_match is not None:
        headers.append(("ce_ifmatch", message.if_match.encode()))
    if message.user is not None:
        headers.append(("ce_user", message.user.encode()))
    return headers


def decode(record: Record) -> Message:
    """The CloudEvent in a record. Poison, with what is missing or cannot be read, when it is not one.

    CloudEvents headers must be UTF-8; other headers may hold anything.
    """
    headers = {name: value for name, value in record.headers if value}
    try:
        key = "" if record.key is None else record.key.decode()
        if "ce_id" not in headers:
            return decode(binary_form(record))
        if headers["ce_specversion"] != b"1.0":
            raise Poison(f"ce_specversion is {headers['ce_specversion'].decode()!r}; only 1.0 is understood")
        identity = headers["ce_id"].decode()
        time = headers.get("ce_time")
        optional = [value.decode() if (value := headers.get(name)) else None for name in _OPTIONAL]
        correlation, causation, traceparent, subject, if_match, user = optional
        return Message(
            record.topic,
            headers["ce_type"].decode(),
            key,
            record.value or b"",
            headers["ce_source"].decode(),
            parse_instant(time.decode()) if time else datetime.fromtimestamp(record.timestamp / 1000, UTC),
            Trace(correlation or identity, causation, traceparent),
            identity,
            subject,
            if_match,
            user,
        )
    except UnicodeDecodeError as error:
        raise Poison(f"a CloudEvents header or the key is not UTF-8: {error}") from None
    except ValueError as error:
        raise Poison(f"ce_time: {error}") from None
    except KeyError:
        raise _incomplete(headers) from None


def plain_type(record: Record) -> bytes | None:
    """The ce_type of a record whose headers begin just as ``encode_headers`` writes them. None: use ``decode``.

    Much cheaper than ``decode``: a bulk consumer does not need a Message for each record.
    """
    headers = record.headers
    if len(headers) < 8:
        return None
    (name, identity), (source_name, source), (type_name, ce_type), version = headers[:4]
    if name == "ce_id" and source_name == "ce_source" and type_name == "ce_type" and version == _VERSION:
        return ce_type if identity and source else None
    return None


def binary_form(record: Record) -> Record:
    """The same CloudEvent in binary mode, header names in lower case. Poison when a required attribute is missing."""
    headers = {name.lower(): value for name, value in record.headers if value}
    data = record.value
    if "ce_id" not in headers and headers.get("content-type", b"").lower().startswith(_STRUCTURED):
        headers, data = _structured(data or b"")
    if any(f"ce_{name}" not in headers for name in _REQUIRED):
        raise _incomplete(headers)
    place = (record.topic, record.partition, record.offset, record.timestamp)
    return Record(*place, record.key, data, tuple(headers.items()))


def _incomplete(headers: Mapping[str, bytes]) -> Poison:
    missing = [f"ce_{name}" for name in _REQUIRED if not headers.get(f"ce_{name}")]
    return Poison(f"no CloudEvent: {', '.join(missing)} missing")


def _structured(value: bytes) -> tuple[dict[str, bytes], bytes]:
    """The headers and the data of binary mode. The data is its member as it stands, so that nothing in it is lost."""
    try:
        members = exact_json.members(value)
        data, encoded = members.pop("data", b"null"), members.pop("data_base64", None)
        headers = {name if name == "traceparent" else f"ce_{name}": _attribute(text) for name, text in members.items()}
    except ValueError as error:
        raise Poison(f"the structured CloudEvent is not a JSON object: {error}") from None
    if encoded is not None:
        try:
            data = base64.b64decode(exact_json.loads(encoded), validate=True)
        except (ValueError, TypeError):
            raise Poison("data_base64 of the structured CloudEvent is not base64") from None
    return {name: attribute for name, attribute in headers.items() if attribute}, data


def _attribute(text: bytes) -> bytes:
    """An attribute as binary mode has it: a text as it is, null as nothing, anything else as its JSON. ValueError for
    what is no JSON. Half a character stays half a one, which is no UTF-8."""
    value = exact_json.loads(text)
    if isinstance(value, str):
        return value.encode("utf-8", "surrogatepass")
    return b"" if value is None else text


def _json_object(data: bytes, what: str) -> dict[str, Any]:
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise Poison(f"{what} is not JSON: {error}") from None
    if not isinstance(value, dict):
        raise Poison(f"{what} is not a JSON object")
    return value
