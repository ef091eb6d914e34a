"""The AsyncAPI 3 document of the messages, generated from the registry of topics."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Any, Final

import orjson
from pydantic import TypeAdapter
from pydantic.json_schema import JsonSchemaMode

from shared.messaging.command_envelope import CONDITION_LENGTH
from shared.messaging.transport import RECORD_BYTES
from shared.schemas.base import Name
from shared.schemas.json_schema import ANSWER, REQUEST, Schemas
from shared.schemas.topics import COMMAND_RESULTS, SERVICES, TOPICS, MessageType, Topic, golden_path

_COMMANDS: Final = ".commands"
_NAME: Final = TypeAdapter(Name).json_schema()
_HEADERS: Final[dict[str, Any]] = {
    "type": "object",
    "description": "CloudEvents 1.0, Kafka binary binding; structured mode is read as well.",
    "required": ["ce_id", "ce_source", "ce_type", "ce_specversion"],
    "properties": {
        "ce_id": {**_NAME, "description": "With ce_source it names the message across redeliveries."},
        "ce_source": {**_NAME, "description": "The service or tool that sent it."},
        "ce_type": _NAME,
        "ce_specversion": {"type": "string", "const": "1.0"},
        "ce_time": {"type": "string", "format": "date-time"},
        "ce_subject": {"type": "string"},
        "ce_correlationid": {**_NAME, "description": "One for all that follows from a first call."},
        "ce_causationid": {"type": "string", "description": "The id of the direct cause."},
        "ce_ifmatch": {
            "type": "string",
            "maxLength": CONDITION_LENGTH,
            "description": "Of a command: the ETag it is meant for, as If-Match.",
        },
        "ce_user": {**_NAME, "description": "Of a command: who asks."},
        "traceparent": {**_NAME, "description": "W3C trace context."},
        "content-type": {"type": "string"},
    },
}


@cache
def asyncapi(service: str | None = None) -> dict[str, Any]:
    """The AsyncAPI 3.0 document of what a service sends and receives; of all five without one."""
    services = SERVICES if service is None else (service,)
    topics = [
        topic
        for topic in TOPICS.values()
        if topic.name == COMMAND_RESULTS or not {*topic.producers, *topic.consumers}.isdisjoint(services)
    ]
    schemas = Schemas((kind.model, _mode(topic)) for topic in topics for kind in topic.messages)
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "EPIC" if service is None else f"EPIC {service}",
            "version": "1.0.0",
            "description": "Messages on Kafka. A record is one message; its data is one JSON object.",
        },
        "defaultContentType": "application/json",
        "channels": {topic.name: _channel(topic) for topic in topics},
        "operations": {name: operation for one in services for name, operation in _operations(one, topics)},
        "components": {
            "messages": {
                _name(topic, kind): _message(topic, kind, schemas) for topic in topics for kind in topic.messages
            },
            "schemas": {"CloudEventHeaders": _HEADERS, **schemas.components()},
        },
    }


def _channel(topic: Topic) -> dict[str, Any]:
    configuration: dict[str, Any] = {"cleanup.policy": topic.policies}
    if "retention.ms" in topic.config:
        configuration["retention.ms"] = int(topic.config["retention.ms"])
    kafka = {
        "topic": topic.name,
        "partitions": topic.partitions,
        "topicConfiguration": configuration | {"max.message.bytes": RECORD_BYTES},
        "bindingVersion": "0.5.0",
    }
    return {
        "address": topic.name,
        "description": f"Owned by {topic.owner}; keyed by {topic.key}.",
        "messages": {_shown(kind): {"$ref": f"#/components/messages/{_name(topic, kind)}"} for kind in topic.messages},
        "bindings": {"kafka": kafka},
    }


def _operations(service: str, topics: Iterable[Topic]) -> Iterable[tuple[str, dict[str, Any]]]:
    for topic in topics:
        if service in topic.producers:
            yield f"{service}.sends.{topic.name}", _operation("send", topic)
        if service in topic.consumers:
            operation = _operation("receive", topic)
            if topic.name.endswith(_COMMANDS):
                operation["reply"] = {"channel": {"$ref": f"#/channels/{COMMAND_RESULTS}"}}
            yield f"{service}.receives.{topic.name}", operation


def _operation(action: str, topic: Topic) -> dict[str, Any]:
    channel = f"#/channels/{topic.name}"
    messages = [{"$ref": f"{channel}/messages/{_shown(kind)}"} for kind in topic.messages]
    return {"action": action, "channel": {"$ref": channel}, "messages": messages}


def _message(topic: Topic, kind: MessageType, schemas: Schemas) -> dict[str, Any]:
    golden = orjson.loads(golden_path(topic.name, kind.ce_type).read_bytes())
    return {
        "name": kind.ce_type,
        "title": kind.model.__name__,
        "summary": kind.summary,
        "contentType": "application/json",
        "headers": {"$ref": "#/components/schemas/CloudEventHeaders"},
        "payload": schemas.ref(kind.model, _mode(topic)),
        "correlationId": {"location": "$message.header#/ce_correlationid"},
        "bindings": {"kafka": {"key": {"type": "string", "description": topic.key}, "bindingVersion": "0.5.0"}},
        "examples": [{"name": "golden", "payload": golden["data"]}],
    }


def _mode(topic: Topic) -> JsonSchemaMode:
    """A command is what EPIC takes; every other message is what EPIC writes."""
    return REQUEST if topic.name.endswith(_COMMANDS) else ANSWER


def _shown(kind: MessageType) -> str:
    """The message's type; the name of its contract for one whose type is any other's."""
    return kind.model.__name__ if kind.ce_type == "*" else kind.ce_type


def _name(topic: Topic, kind: MessageType) -> str:
    return topic.name if _shown(kind) == topic.name else f"{topic.name}.{_shown(kind)}"
