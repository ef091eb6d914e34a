"""The options that several commands have. Importing this takes no time, so that help comes at once."""

from __future__ import annotations

from typing import Annotated, Final

import typer

from epic.failure import CommandFailed
from shared.schemas.services import SERVICES

CONCURRENCY: Final = 32
"""How many requests `epic load` and the play send at once, unless asked otherwise."""

Url = Annotated[
    str | None,
    typer.Option(
        "--url",
        help="Where EPIC answers HTTP: the gateway, or an `epic up`. "
        "Default: EPIC_HTTP_HOST and EPIC_HTTP_PORT, else http://127.0.0.1:8000.",
        show_default=False,
    ),
]
Bootstrap = Annotated[
    str | None,
    typer.Option(
        "--bootstrap-servers",
        help="Kafka's address, as in EPIC_KAFKA_BOOTSTRAP_SERVERS. Without either, the messages of the `epic up` at "
        "--url.",
        show_default=False,
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]


def check_service(name: str) -> None:
    """CommandFailed when EPIC has no service of that name."""
    if name not in SERVICES:
        raise CommandFailed(f"{name} is not a service of EPIC; give one of {', '.join(SERVICES)}")
