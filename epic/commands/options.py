"""The options that several commands share."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Annotated, Any, TypeVar

import typer
import uvloop

T = TypeVar("T")

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


def run(work: Coroutine[Any, Any, T]) -> T:
    """Runs a command's work to its end. Ctrl-C cancels it in order."""
    return uvloop.run(work)
