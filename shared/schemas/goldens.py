"""The golden messages: one of each type in the registry, as its producer sends it and its consumers read it."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Final

import orjson

from shared.clock import parse_instant
from shared.envelope import Message
from shared.trace import Trace

_FOLDER: Final = Path(__file__).parent / "golden"
_DLQ: Final = ".dlq"


def golden_path(topic: str, ce_type: str) -> Path:
    """Where it lies: the topic's file, or the type's of the topic; a dead letter is the same whoever's it is."""
    if topic.endswith(_DLQ):
        return _FOLDER / "dlq.json"
    return _FOLDER / (f"{topic}.json" if ce_type in (topic, "*") else f"{topic}.{ce_type}.json")


@cache
def golden(topic: str, ce_type: str) -> Message:
    """The golden message of a type; its file is one structured CloudEvent, whose ``partitionkey`` is the Kafka key."""
    event = orjson.loads(golden_path(topic, ce_type).read_bytes())
    return Message(
        topic=topic,
        type=event["type"],
        key=event["partitionkey"],
        data=orjson.dumps(event["data"]),
        source=event["source"],
        time=parse_instant(event["time"]),
        trace=Trace(event["correlationid"], event.get("causationid"), event.get("traceparent")),
        id=event["id"],
        subject=event["subject"],
        if_match=event.get("ifmatch"),
        user=event.get("user"),
    )
