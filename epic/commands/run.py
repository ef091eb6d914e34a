"""``epic up`` and ``epic serve``: all five services in one process, or one of them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from epic.failure import CommandFailed
from epic.listening import BY_VARIABLE, listen
from epic.options import check_service
from shared.clock import parse_instant
from shared.schemas.services import SERVICES


def up(
    data: Annotated[
        Path | None,
        typer.Option(help="The data folder. Default: EPIC_DATA_DIR, else .epic.", show_default=False),
    ] = None,
    host: Annotated[
        str | None,
        typer.Option(
            help="The address to listen on. Default: 127.0.0.1. One of this machine's own: there is no login.",
            show_default=False,
        ),
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(min=0, max=65535, help="The port. Default: 8000; 0 takes a free one.", show_default=False),
    ] = None,
    now: Annotated[
        str | None,
        typer.Option(help="The instant EPIC's clock starts from, such as 2024-06-15T09:00:00Z.", show_default=False),
    ] = None,
    play: Annotated[
        bool, typer.Option("--play", help="Play Prime Day 2024 on a sample company first, unless this folder has it.")
    ] = False,
) -> None:
    """Run all of EPIC in this process, with nothing else installed.

    Five services on embedded stores and an embedded message log, in one folder, behind one port. Needs no Kafka, no
    MongoDB, no MySQL. Ends at Ctrl-C or SIGTERM. Started again on the same folder, it continues where it was.
    """
    if now is not None:
        try:
            parse_instant(now.partition("@")[0])
        except ValueError:
            raise CommandFailed(f"--now {now} is not an instant; give one such as 2024-06-15T09:00:00Z") from None
    from epic.runner import builds
    from epic.up import settings_of, up

    up(settings_of(play=play, data_dir=data, http_host=host, http_port=port, now=now), builds(), play=play)


def serve(
    service: Annotated[str, typer.Argument(metavar="SERVICE", help=f"One of {', '.join(SERVICES)}.")],
) -> None:
    """Run one service, configured by EPIC_* variables: on Kafka, MongoDB and MySQL with EPIC_TRANSPORT=kafka."""
    check_service(service)
    from epic.configuration import load_settings

    chosen = load_settings()
    from epic.runner import build_of
    from epic.serving import run

    host, port = chosen.http_host, chosen.http_port
    listen(host, port, behind_gateway=chosen.behind_gateway, remedies=BY_VARIABLE).close()
    run(build_of(service), chosen)
