"""``epic topics``: the registry of topics."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from epic.failure import CommandFailed
from epic.options import AsJson
from shared.schemas.services import SERVICES

if TYPE_CHECKING:
    from shared.schemas.topics import Topic

_DAY_MS = 86_400_000


def topics(
    owner: Annotated[
        str | None, typer.Option(help=f"Only those of one owner: {', '.join(SERVICES)} or kit.", show_default=False)
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List every topic: its owner, its key, its messages, and how long they are kept."""
    from epic.terminal import Terminal, json_text
    from shared.schemas.topics import TOPICS

    owners = {topic.owner for topic in TOPICS.values()}
    if owner is not None and owner not in owners:
        raise CommandFailed(f"--owner {owner} owns no topic; give one of {', '.join(sorted(owners))}")
    chosen = [topic for topic in TOPICS.values() if owner in (None, topic.owner)]
    if as_json:
        Terminal().raw(json_text([_wire(topic) for topic in chosen]))
        return
    Terminal().table(
        ("Topic", "Owner", "Key", "Messages", "Consumers", "Partitions", "Kept"),
        [
            (
                topic.name,
                topic.owner,
                topic.key,
                _types(topic),
                ", ".join(topic.consumers) or "nobody yet",
                topic.partitions,
                _kept(topic),
            )
            for topic in chosen
        ],
    )


def _types(topic: Topic) -> str:
    return ", ".join("any command's" if message.ce_type == "*" else message.ce_type for message in topic.messages)


def _kept(topic: Topic) -> str:
    """``7 days``; for a compacted topic ``the newest of each key, and all of 7 days``."""
    if "compact" in topic.policies:
        lag = topic.setting("min.compaction.lag.ms", 0) // _DAY_MS
        return f"the newest of each key, and all of {lag} days"
    return f"{int(topic.config['retention.ms']) // _DAY_MS} days"


def _wire(topic: Topic) -> dict[str, Any]:
    return {
        "Topic": topic.name,
        "Owner": topic.owner,
        "Key": topic.key,
        "Messages": [{"Type": message.ce_type, "Summary": message.summary} for message in topic.messages],
        "Producers": topic.producers,
        "Consumers": topic.consumers,
        "Partitions": topic.partitions,
        "Config": topic.config,
    }
