"""What ``epic rewind`` does: it sets back the consumer groups of a stopped service."""

from __future__ import annotations

import logging
from collections import Counter
from datetime import datetime
from pathlib import Path

from aiokafka.errors import KafkaError

from epic.configuration import SILENCE, kafka_servers, load_settings, run
from epic.failure import CommandFailed
from epic.terminal import Terminal, json_text
from shared.clock import parse_instant
from shared.embedded import DataFolderInUse, EmbeddedTransport
from shared.messaging.kafka import KafkaTransport
from shared.messaging.transport import GroupInUse, Transport

Row = tuple[str, str, int]
"""A group, a topic, and how many messages it will consume again."""


def rewind_and_print(
    service: str, since: str | None, bootstrap_servers: str | None, data: Path | None, *, as_json: bool
) -> None:
    """Sets the service back to ``since`` (None: the beginning), on Kafka or in a data folder, and prints how far."""
    moment = _instant(since)
    servers = None if data is not None else kafka_servers(bootstrap_servers)
    rows = run(_rewind(service, moment, servers, data))
    if as_json:
        Terminal().raw(json_text([{"Group": group, "Topic": topic, "Messages": count} for group, topic, count in rows]))
    elif rows:
        Terminal().table(("Group", "Topic", "Messages"), rows)
        Terminal().print(f"Start {service} now.")
    else:
        Terminal().print(f"There are no messages for {service}{f' from {since} on' if since else ''}.")


def _instant(since: str | None) -> datetime | None:
    try:
        return None if since is None else parse_instant(since)
    except ValueError as error:
        raise CommandFailed(f"--since: {error}; give one such as 2024-06-15T09:00:00Z") from None


async def _rewind(service: str, since: datetime | None, servers: str | None, data: Path | None) -> list[Row]:
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # its warnings would repeat the errors below
    transport = _transport(servers, data)
    try:
        await transport.start()
        try:
            return await _rewind_groups(transport, service, since)
        finally:
            await transport.stop()
    except GroupInUse:
        raise CommandFailed(f"{service} is running; stop all its replicas first") from None
    except DataFolderInUse as error:
        raise CommandFailed(str(error)) from None
    except KafkaError as error:
        raise CommandFailed(f"Kafka at {servers} cannot be used: {error}") from None


def _transport(servers: str | None, data: Path | None) -> Transport:
    if servers is not None:
        return KafkaTransport(servers, timeout=SILENCE)
    folder = data or load_settings().data_dir
    if not (folder / "messages.db").exists():
        raise CommandFailed(
            f"{folder} is not a data folder of an `epic up`; give one by --data, or Kafka by --bootstrap-servers"
        )
    return EmbeddedTransport(folder)


async def _rewind_groups(transport: Transport, service: str, since: datetime | None) -> list[Row]:
    milliseconds = None if since is None else int(since.timestamp() * 1000)
    back: Counter[tuple[str, str]] = Counter()
    for group in await transport.groups():
        if group.startswith(f"{service}."):
            for partition, count in (await transport.rewind(group, milliseconds)).items():
                back[group, partition.topic] += count
    return [(group, topic, count) for (group, topic), count in sorted(back.items())]
