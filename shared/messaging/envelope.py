"""Owns how a message looks on Kafka: CloudEvents 1.0, binary mode written, binary and structured mode read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, Protocol

import orjson

from shared.clock import iso, parse_instant
from shared.errors import Poison
from shared.trace import Trace, new_id

__all__ = ["CONTENT_TYPE", "Message", "Record", "decode", "encode_headers"]

CONTENT_TYPE: Final = "application/json"
_STRUCTURED: Final = "application/cloudevents+json"
_REQUIRED: Final = ("id", "source", "type", "specversion")


class Record(Protocol):
    """A record as aiokafka gives it."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Iterable[tuple[str, bytes]]


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
        """What names this message across redeliveries."""
        return f"{self.source}/{self.id}"

    def body(self) -> dict[str, Any]:
        """The data as a JSON object. Poison when it is none."""
        try:
            value = orjson.loads(self.data)
        except orjson.JSONDecodeError as error:
            raise Poison(f"the data is not JSON: {error}") from None
        if not isinstance(value, dict):
            raise Poison("the data is not a JSON object")
        return value


def encode_headers(message: Message) -> list[tuple[str, bytes]]:
    """The Kafka headers of binary mode."""
    headers = [
        ("ce_id", message.id),
        ("ce_source", message.source),
        ("ce_type", message.type),
        ("ce_specversion", "1.0"),
        ("ce_time", iso(message.time)),
        ("ce_subject", message.subject or message.key),
        ("ce_correlationid", message.trace.correlation_id),
        ("content-type", CONTENT_TYPE),
    ]
    for name, value in (
        ("ce_causationid", message.trace.causation_id),
        ("traceparent", message.trace.traceparent),
        ("ce_ifmatch", message.if_match),
        ("ce_user", message.user),
    ):
        if value is not None:
            headers.append((name, value))
    return [(name, value.encode()) for name, value in headers]


def decode(record: Record) -> Message:
    """The CloudEvent in a record. Poison, saying what is missing, when it is none."""
    try:
        headers = {name.lower(): value.decode() for name, value in record.headers}
        key = (record.key or b"").decode()
    except UnicodeDecodeError as error:
        raise Poison(f"a header or the key is not UTF-8: {error}") from None
    data = record.value or b""
    if headers.get("content-type", "").startswith(_STRUCTURED):
        attributes, data = _structured(data)
    else:
        attributes = {name[3:]: value for name, value in headers.items() if name.startswith("ce_")}
        if "traceparent" in headers:
            attributes["traceparent"] = headers["traceparent"]
    return _message(attributes, record, key, data)


def _structured(value: bytes) -> tuple[dict[str, str], bytes]:
    try:
        envelope = orjson.loads(value)
    except orjson.JSONDecodeError as error:
        raise Poison(f"the structured CloudEvent is not JSON: {error}") from None
    if not isinstance(envelope, dict):
        raise Poison("the structured CloudEvent is not a JSON object")
    attributes = {str(name): str(item) for name, item in envelope.items() if name not in ("data", "data_base64")}
    return attributes, orjson.dumps(envelope.get("data"))


def _message(attributes: Mapping[str, str], record: Record, key: str, data: bytes) -> Message:
    missing = [f"ce_{name}" for name in _REQUIRED if not attributes.get(name)]
    if missing:
        raise Poison(f"no CloudEvent: {', '.join(missing)} missing")
    if attributes["specversion"] != "1.0":
        raise Poison(f"ce_specversion is {attributes['specversion']!r}; only 1.0 is understood")
    try:
        time = parse_instant(attributes["time"]) if "time" in attributes else _record_time(record)
    except ValueError as error:
        raise Poison(f"ce_time: {error}") from None
    return Message(
        topic=record.topic,
        type=attributes["type"],
        key=key,
        data=data,
        source=attributes["source"],
        time=time,
        trace=Trace(
            attributes.get("correlationid") or attributes["id"],
            attributes.get("causationid"),
            attributes.get("traceparent"),
        ),
        id=attributes["id"],
        subject=attributes.get("subject"),
        if_match=attributes.get("ifmatch"),
        user=attributes.get("user"),
    )


def _record_time(record: Record) -> datetime:
    return datetime.fromtimestamp(record.timestamp / 1000, UTC)
