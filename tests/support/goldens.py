"""The golden messages: one of each type in the registry, as its producer sends it and its consumers read it."""

from __future__ import annotations

from functools import cache

import orjson

from shared.clock import parse_instant
from shared.envelope import Message
from shared.schemas.topics import golden_path
from shared.trace import Trace


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
