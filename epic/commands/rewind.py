"""``epic rewind``: set the consumer groups of a stopped service back, so that it consumes its messages again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from epic.failure import CommandFailed
from epic.options import AsJson, check_service
from shared.schemas.services import SERVICES


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
    if data is not None and bootstrap_servers is not None:
        raise CommandFailed("--data and --bootstrap-servers name two places; give one of them")
    from epic.rewinding import rewind_and_print

    rewind_and_print(service, since, bootstrap_servers, data, as_json=as_json)
