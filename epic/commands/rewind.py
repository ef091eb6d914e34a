"""``epic rewind``: set the consumer groups of a stopped service back, so that it consumes its messages again."""

from __future__ import annotations

import logging
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
from aiokafka.errors import KafkaError

from epic.configuration import SILENCE, AsJson, check_service, kafka_servers, load_settings, run
from epic.failure import CommandFailed
from epic.terminal import Terminal, json_text
from shared.clock import parse_instant
from shared.embedded import DataFolderInUse, EmbeddedTransport
from shared.messaging.kafka import KafkaTransport
from shared.messaging.transport import GroupInUse, Transport
from shared.schemas.topics import SERVICES

Row = tuple[str, str, int]
"""A group, a topic, and how many messages it will consume again."""


def rewind(
    service: Annotated[str, typer.Argument(metavar="SERVICE", help=f"One of {', '.join(SERVICES)}; stopped.")],
    since: Annotated[
        str | None,
        typer.Option(
            help="Only messages from this time on, such as 2024-06-15T09:00:00Z (real time, not EPIC's clock). "
            "Default: all that are kept.",
            show_default=False,
        ),
    ] = None,
    bootstrap_servers: Annotated[
        str | None,
        typer.Option(help="Kafka's address, as in EPIC_KAFKA_BOOTSTRAP_SERVERS.", show_default=False),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(help="Without Kafka: the data folder of an `epic up` that is stopped.", show_default=False),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Let a service consume its messages again, after its store was restored from a backup.

    Messages that the store knows already change nothing. Stop all replicas before, and start them afterwards.
    """
    check_service(service)
    moment = _instant(since)
    servers = None if data is not None else kafka_servers(bootstrap_servers)
    if data is not None and bootstrap_servers is not None:
        raise CommandFailed("--data and --bootstrap-servers name two places; give one of them")
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
