"""What ``epic tail`` does: it prints the records of a topic as they come."""

from __future__ import annotations

from typing import Any

import orjson

from epic.configuration import run
from epic.messages import SeenRecord, open_messages
from epic.terminal import Terminal
from shared.clock import iso
from shared.errors import Poison


def tail_and_print(
    topic: str, *, from_beginning: bool, follow: bool, url: str | None, bootstrap: str | None, as_json: bool
) -> None:
    """Prints a line per record, until Ctrl-C or, unless it follows, until the present end."""
    terminal = Terminal()

    async def work() -> None:
        async with open_messages(url, bootstrap) as messages:
            async for record in messages.follow(topic, from_beginning=from_beginning, to_end=not follow):
                terminal.raw(orjson.dumps(_shown(record)).decode() if as_json else _line(record))

    run(work())


def _line(record: SeenRecord) -> str:
    """``time  key  type  data``; for a record that is no CloudEvent, the reason instead of the type."""
    key = (record.key or b"").decode(errors="backslashreplace")
    value = (record.value or b"").decode(errors="backslashreplace")
    try:
        message = record.message()
    except Poison as error:
        return f"{record.time()}  {key}  [{error}]  {value}"
    return f"{iso(message.time)}  {key}  {message.type}  {value}"


def _shown(record: SeenRecord) -> dict[str, Any]:
    place: dict[str, Any] = {
        "Topic": record.topic,
        "Partition": record.partition,
        "Offset": record.offset,
        "Timestamp": record.time(),
    }
    try:
        message = record.message()
        data: Any = message.body()
    except Poison as error:
        return {**place, "Poison": str(error), **{name: record.wire()[name] for name in ("Key", "Value", "Headers")}}
    return {
        **place,
        "Time": iso(message.time),
        "Key": message.key,
        "Type": message.type,
        "Id": message.id,
        "Source": message.source,
        "CorrelationId": message.trace.correlation_id,
        "CausationId": message.trace.causation_id,
        "Data": data,
    }
