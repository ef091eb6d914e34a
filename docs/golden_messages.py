"""Writes a golden message for each message type that has none. Run by ``make docs``.

What it writes is a beginning: every member of the contract, with a value that fits. Make it realistic, and commit it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson

from shared.schemas.goldens import golden_path
from shared.schemas.topics import TOPICS, MessageType, Topic

_TIME = "2024-06-15T09:00:00.000Z"
_TEXTS = {"date": "2024-07-16", "date-time": _TIME}
_KEY_MEMBERS = ("FleetId", "ServiceId", "EventId", "TicketId")


def missing() -> list[tuple[Path, dict[str, Any]]]:
    """The files that are missing, each with its message as a structured CloudEvent."""
    paths = {
        golden_path(topic.name, kind.ce_type): (topic, kind) for topic in TOPICS.values() for kind in topic.messages
    }
    return [(path, example(topic, kind)) for path, (topic, kind) in paths.items() if not path.exists()]


def example(topic: Topic, kind: MessageType) -> dict[str, Any]:
    """A message of this type. ValueError when its contract refuses the values: write the file by hand then."""
    schema = kind.model.model_json_schema()
    data = _value(schema, schema.get("$defs", {}))
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


def _value(schema: dict[str, Any], definitions: dict[str, Any]) -> Any:
    """A value that fits the schema."""
    if "$ref" in schema:
        return _value(definitions[schema["$ref"].rpartition("/")[2]], definitions)
    if "anyOf" in schema:
        return _value(next(one for one in schema["anyOf"] if one.get("type") != "null"), definitions)
    if "enum" in schema:
        return schema["enum"][0]
    if "const" in schema:
        return schema["const"]
    if schema["type"] == "object":
        if "properties" in schema:
            return {name: _value(inner, definitions) for name, inner in schema["properties"].items()}
        inner = next(iter(schema.get("patternProperties", {"": schema.get("additionalProperties")}).values()))
        return {"us-east-1": _value(inner, definitions)} if isinstance(inner, dict) else {}
    if schema["type"] == "array":
        return [_value(schema["items"], definitions)]
    if schema["type"] in ("integer", "number"):
        return schema.get("ge", schema.get("minimum", 1)) or 1
    if schema["type"] == "boolean":
        return bool(schema.get("default", False))
    return schema.get("examples", [_TEXTS.get(schema.get("format", ""), "text")])[0]


def write() -> list[Path]:
    """Writes the missing files; returns their paths."""
    found = missing()
    for path, message in found:
        path.write_bytes(orjson.dumps(message, option=orjson.OPT_INDENT_2) + b"\n")
    return [path for path, _ in found]
