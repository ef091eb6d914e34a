"""What the commands share: their options, the ``EPIC_*`` variables, EPIC's address and Kafka's servers."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Annotated, Any, TypeVar

import typer
import uvloop

from epic.failure import CommandFailed
from shared.schemas.topics import SERVICES
from shared.settings import BadSettings, Settings, load_settings

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


def settings(**given: Any) -> Settings:
    """The settings; ``given`` overrides the ``EPIC_*`` variables. CommandFailed, in one line, when one is wrong."""
    try:
        return load_settings(**given)
    except BadSettings as error:
        raise CommandFailed(str(error)) from None


def url_of(url: str | None) -> str:
    """The given address, else the address of an ``epic up`` with the same variables."""
    if url is not None:
        if not url.startswith(("http://", "https://")):
            raise CommandFailed(f"--url {url} is not an address; give one such as http://127.0.0.1:8000")
        return url.rstrip("/")
    known = settings()
    host = "127.0.0.1" if known.http_host in ("0.0.0.0", "::") else known.http_host  # noqa: S104
    return f"http://{f'[{host}]' if ':' in host else host}:{known.http_port}"


def kafka_servers(given: str | None) -> str | None:
    """The Kafka servers; None: the messages are those of an ``epic up`` and are reached over its HTTP."""
    return given or settings().kafka_bootstrap_servers


def check_service(name: str) -> None:
    """CommandFailed when EPIC has no service of that name."""
    if name not in SERVICES:
        raise CommandFailed(f"{name} is not a service of EPIC; give one of {', '.join(SERVICES)}")
