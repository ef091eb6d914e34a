"""Writes a golden message for each message type that has none. Run by ``make docs``.

What it writes is a beginning: every member of the contract, with a value that fits. Make it realistic, and commit it.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import orjson
from pydantic import ValidationError

from shared.schemas.topics import TOPICS, MessageType, Topic, golden_path

_TIME = "2024-06-15T09:00:00.000Z"
_FIRST_DAY = date(2024, 7, 16)
_KEY_MEMBERS = ("FleetId", "ServiceId", "EventId", "TicketId")


def missing() -> dict[Path, tuple[Topic, MessageType]]:
    """The files that are missing, each with the topic and the type of its message."""
    paths = {
        golden_path(topic.name, kind.ce_type): (topic, kind) for topic in TOPICS.values() for kind in topic.messages
    }
    return {path: message for path, message in paths.items() if not path.exists()}


def example(topic: Topic, kind: MessageType) -> dict[str, Any]:
    """A message of this type, as a structured CloudEvent. ValidationError when a rule of its contract refuses it."""
    schema = kind.model.model_json_schema()
    data = _value(schema, schema.get("$defs", {}), count())
    kind.model.model_validate(data)
    members = [part.strip("{}") for part in topic.key.split("#")] if "{" in topic.key or topic.key in data else []
    key = "#".join(str(data[name]) for name in members) or next(
        (str(data[name]) for name in _KEY_MEMBERS if name in data), "key"
    )
    is_command = topic.name.endswith(".commands")
    return {
        "specversion": "1.0",
        "id": f"example-{kind.ce_type}" if is_command else f"{key}:1:{topic.name}",
        "source": "epic-cli" if is_command else topic.owner,
        "type": kind.ce_type,
        "time": _TIME,
        "subject": key,
        "datacontenttype": "application/json",
        "correlationid": "5f0c7d1e9a7b4c6f8e2d3b4a59687701",
        **({"user": "jsmith"} if is_command else {"causationid": "7d4c1f0a52b94c0e8c1de5a0f3b6a901"}),
        "partitionkey": key,
        "data": data,
    }


def _value(schema: dict[str, Any], definitions: dict[str, Any], days: Iterator[int]) -> Any:
    """A value that fits the schema; each day is one later than the day before it."""
    if schema.get("default") not in (None, [], {}):
        return schema["default"]
    if "$ref" in schema:
        return _value(definitions[schema["$ref"].rpartition("/")[2]], definitions, days)
    if "anyOf" in schema:
        return _value(next(one for one in schema["anyOf"] if one.get("type") != "null"), definitions, days)
    if "enum" in schema:
        return schema["enum"][0]
    if "const" in schema:
        return schema["const"]
    if schema["type"] == "object":
        if "properties" in schema:
            return {name: _value(inner, definitions, days) for name, inner in schema["properties"].items()}
        inner = next(iter(schema.get("patternProperties", {"": schema.get("additionalProperties")}).values()))
        return {"us-east-1": _value(inner, definitions, days)} if isinstance(inner, dict) else {}
    if schema["type"] == "array":
        return [_value(schema["items"], definitions, days)]
    if schema["type"] in ("integer", "number"):
        return schema.get("minimum", 1) or 1
    if schema["type"] == "boolean":
        return False
    if schema.get("format") == "date":
        return (_FIRST_DAY + timedelta(days=next(days))).isoformat()
    return _TIME if schema.get("format") == "date-time" else "text"


def write() -> Iterator[str]:
    """Writes the missing files; yields a line on each. A file whose contract refuses the example is left to you."""
    for path, (topic, kind) in missing().items():
        try:
            message = example(topic, kind)
        except ValidationError as error:
            reasons = "; ".join(f"{'.'.join(map(str, one['loc']))} {one['msg']}".strip() for one in error.errors())
            yield f"{path}: {kind.model.__name__} refuses the example ({reasons}); write this file by hand"
        else:
            path.write_bytes(orjson.dumps(message, option=orjson.OPT_INDENT_2) + b"\n")
            yield f"{path}: written; make it realistic"
