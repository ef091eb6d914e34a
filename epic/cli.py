"""The ``epic`` command: its subcommands, and how each ends."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any, Final, NoReturn

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from epic import __version__
from epic.failure import SOME_FAILED, CommandFailed

_COMMANDS: Final = {
    "up": ("run:up", "Run all of EPIC in this process, embedded"),
    "serve": ("run:serve", "Run one service, configured by EPIC_* variables"),
    "load": ("load:load_files", "Load NDJSON files of resources over HTTP"),
    "import": ("imports:imports", "Import fleets from AWS, traffic from Prometheus"),
    "sample": ("sample:sample", "Generate a sample company of any size"),
    "produce": ("messages:produce", "Send a command or an event, and show the answer"),
    "tail": ("messages:tail", "Follow a topic"),
    "dlq": ("dead_letters:dlq", "List, show, replay and drop dead letters"),
    "rewind": ("rewind:rewind", "Set a stopped service back, so that it consumes again"),
    "topics": ("topics:topics", "List every topic, its messages and owner"),
}
"""Where each subcommand is, in ``epic.commands``, and what it does."""


class Commands(TyperGroup):
    """The subcommands. The module of one is imported when it is asked for, since all of them take a second."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        for name, (_, short_help) in _COMMANDS.items():
            self.add_command(TyperCommand(name, short_help=short_help))

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        name, command, rest = super().resolve_command(ctx, args)
        return name, _imported(name) if name else command, rest


def _imported(name: str) -> Any:
    module, _, attribute = _COMMANDS[name][0].partition(":")
    found = getattr(import_module(f"epic.commands.{module}"), attribute)
    if isinstance(found, typer.Typer):
        return get_command(found)
    single = typer.Typer(add_completion=False, rich_markup_mode=None)
    single.command(name)(found)
    return get_command(single)


app = typer.Typer(
    name="epic",
    cls=Commands,
    help="EPIC gets a company's services through a peak event: plans, hosts, orders, readiness.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120},
)


def _print_version(asked: bool) -> None:
    if asked:
        typer.echo(f"epic {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None: ...


def main() -> None:
    """Runs one command. A failure is one line on stderr, with the remedy, and an exit code; so is a full device.

    A command whose output nobody reads any more ends with 1, without a word.
    """
    _open_what_is_closed()
    try:
        app(prog_name="epic")
    except CommandFailed as failure:
        _end(failure.text, failure.exit_code)
    except OSError as error:
        _end(error.strerror or str(error), SOME_FAILED)


def _open_what_is_closed() -> None:
    """Standard input and output that whoever started the command closed (``epic topics >&-``) are /dev/null."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open(mode))  # noqa: SIM115 - for as long as the process runs


def _end(text: str, exit_code: int) -> NoReturn:
    """Prints why, and discards what the output does not take, so that the interpreter does not try again at its end."""
    with suppress(OSError):
        sys.stderr.write(f"epic: {text}\n")
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(exit_code)
