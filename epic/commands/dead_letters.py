"""``epic dlq``: list, show, replay and drop dead letters, over HTTP."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from epic.failure import CommandFailed
from epic.options import AsJson, Url, check_service
from shared.schemas.services import SERVICES

dlq = typer.Typer(
    name="dlq",
    help="Dead letters: messages that could not be handled, kept with the reason.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
)

Id = Annotated[
    str, typer.Argument(metavar="ID", help="As `epic dlq list` shows it, such as hotw_svc.commands:hotw.commands:3:17.")
]


@dlq.command("list")
def list_letters(
    only: Annotated[
        str | None, typer.Argument(metavar="[SERVICE]", help="Only this one's, as --service.", show_default=False)
    ] = None,
    service: Annotated[
        str | None, typer.Option(help=f"Only one service's: {', '.join(SERVICES)}.", show_default=False)
    ] = None,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """List the dead letters of every service, with the reason of each."""
    if only is not None and service is not None and only != service:
        raise CommandFailed(f"{only} and --service {service} differ; give one service, or none for all")
    service = service or only
    if service is not None:
        check_service(service)
    from epic.dead_letters import list_and_print

    list_and_print((service,) if service else SERVICES, url, as_json=as_json)


@dlq.command()
def show(letter_id: Id, url: Url = None, as_json: AsJson = False) -> None:
    """Show one dead letter: its origin, the reason, its headers and its value."""
    from epic.dead_letters import show_and_print

    show_and_print(letter_id, url, as_json=as_json)


@dlq.command()
def replay(letter_id: Id, url: Url = None, as_json: AsJson = False) -> None:
    """Handle a dead letter again. It is removed when that succeeds; otherwise the reason is printed (exit code 1)."""
    from epic.dead_letters import replay_and_print

    replay_and_print(letter_id, url, as_json=as_json)


@dlq.command()
def drop(
    letter_id: Id,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Remove a dead letter without handling it, for good. Asks first."""
    if not yes:
        _confirm(letter_id)
    from epic.dead_letters import drop_and_print

    drop_and_print(letter_id, url, as_json=as_json)


def _confirm(letter_id: str) -> None:
    """Returns when a person says yes. CommandFailed otherwise, or when there is nobody to ask."""
    if not sys.stdin.isatty():
        raise CommandFailed(f"{letter_id} would be removed for good, and there is no terminal to ask on; give --yes")
    if not typer.confirm(f"Remove {letter_id} for good, without handling it?", err=True):
        raise CommandFailed(f"{letter_id} was not removed")
